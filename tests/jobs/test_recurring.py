"""Recurring topics when they are due: opened and asked about once each, whatever happens in between."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from forllm_server.db import Database, metadata
from forllm_server.errors import Conflict, Unavailable
from forllm_server.forum.model import Post
from forllm_server.forum.post_store import list_page
from forllm_server.forum.subforums import delete_subforum
from forllm_server.forum.topic_store import list_topics
from forllm_server.jobs import recurring as jobs
from forllm_server.jobs.recurring import open_now, run_due
from forllm_server.schedule import recurring
from forllm_server.schedule.recurrence import RecurringTopic, TopicAsk
from forllm_server.schedule.recurring_store import get_recurring_topic
from forllm_server.settings.values import change_settings
from tests.support.world import BUILTIN_PERSONA, LOCAL_USER, World, make_world

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


class Calendar:
    """A forum with a recurring topic, every Monday at 22:00 unless said otherwise."""

    def __init__(self, database: Database, now: datetime) -> None:
        self.database = database
        self.start = now
        #: the first Monday, 22:00 UTC
        self.monday = now + timedelta(days=3, hours=1)
        self.world: World = make_world(database, now)
        with database.transaction() as connection:
            change_settings(connection, {"timezone": "UTC"}, now)

    def add(self, **more: Any) -> int:
        values = {
            "subforum_id": self.world.subforum_id,
            "title": "{weekday} {date}",
            "content": "No. {number}, asked at {time}. {curly}",
            "days": ["mon"],
            "minute": 22 * 60,
            "asks": [TopicAsk()],
        }
        with self.database.transaction() as connection:
            draft = recurring.new_recurring_topic(**(values | more))
            return recurring.add_recurring_topic(connection, draft, owner_id=LOCAL_USER, now=self.start).id

    def get(self, recurring_id: int) -> RecurringTopic:
        with self.database.read() as connection:
            return get_recurring_topic(connection, recurring_id)

    def titles(self) -> list[str]:
        """Of the topics that were opened, the oldest first."""
        with self.database.read() as connection:
            topics = list_topics(connection, self.world.subforum_id, limit=100)
        return [topic.title for topic in sorted(topics, key=lambda topic: topic.id) if topic.id != self.world.topic_id]

    def first_posts(self) -> list[Post]:
        with self.database.read() as connection:
            topics = list_topics(connection, self.world.subforum_id, limit=100)
            ids = sorted(topic.id for topic in topics if topic.id != self.world.topic_id)
            return [list_page(connection, topic_id, limit=1)[0] for topic_id in ids]

    def asked(self) -> list[Any]:
        table = metadata.tables["llm_requests"]
        with self.database.read() as connection:
            return list(connection.execute(table.select().order_by(table.c.id)))

    def change(self, table: str, **values: object) -> None:
        with self.database.transaction() as connection:
            connection.execute(metadata.tables[table].update().values(**values))


@pytest.fixture
def calendar(database: Database, now: datetime) -> Calendar:
    return Calendar(database, now)


@pytest.fixture
def sqlite_calendar(sqlite_database: Database, now: datetime) -> Calendar:
    return Calendar(sqlite_database, now)


def test_when_it_is_due_a_dated_topic_is_opened_and_asked_about(calendar: Calendar) -> None:
    recurring_id = calendar.add(asks=[TopicAsk(), TopicAsk(BUILTIN_PERSONA, calendar.world.model_id)])
    assert run_due(calendar.database, calendar.monday - MINUTE) == 0
    assert run_due(calendar.database, calendar.monday) == 1
    assert run_due(calendar.database, calendar.monday) == 0
    assert calendar.titles() == ["Monday 2026-11-23"]
    (post,) = calendar.first_posts()
    assert post.content == "No. 1, asked at 22:00. {curly}"
    assert {row.post_id for row in calendar.asked()} == {post.id}
    item = calendar.get(recurring_id)
    assert (item.last_occurrence_at, item.next_at) == (calendar.monday, calendar.monday + 7 * DAY)
    assert (item.opened_count, item.last_topic_title, item.last_problem) == (1, "Monday 2026-11-23", None)


def test_the_topics_are_counted_and_dated_by_the_clock_of_their_zone(calendar: Calendar) -> None:
    # 22:00 UTC is 07:00 of the next day in Tokyo.
    calendar.add(days=["tue"], minute=7 * 60, timezone="Asia/Tokyo", asks=[])
    for week in range(3):
        assert run_due(calendar.database, calendar.monday + week * 7 * DAY + MINUTE) == 1
    assert calendar.titles() == ["Tuesday 2026-11-24", "Tuesday 2026-12-01", "Tuesday 2026-12-08"]
    assert [post.content for post in calendar.first_posts()][-1] == "No. 3, asked at 07:00. {curly}"
    assert calendar.asked() == []


@pytest.mark.parametrize(
    ("missed", "titles", "is_told"),
    [
        ("skip", [], True),
        ("latest", ["Monday 2026-12-07"], True),
        ("all", ["Monday 2026-11-23", "Monday 2026-11-30", "Monday 2026-12-07"], False),
    ],
)
def test_what_was_missed_is_made_up_for_as_was_chosen(
    calendar: Calendar, missed: str, titles: list[str], is_told: bool
) -> None:
    recurring_id = calendar.add(missed=missed)
    late = calendar.monday + 15 * DAY
    assert run_due(calendar.database, late) == len(titles)
    assert run_due(calendar.database, late) == 0
    assert calendar.titles() == titles
    item = calendar.get(recurring_id)
    assert item.next_at == calendar.monday + 21 * DAY
    assert (item.last_problem is not None and "passed over" in item.last_problem) is is_told
    assert run_due(calendar.database, calendar.monday + 21 * DAY) == 1
    assert calendar.get(recurring_id).last_problem is None


def test_a_short_restart_misses_nothing_even_when_skipping(calendar: Calendar) -> None:
    calendar.add(missed="skip")
    assert run_due(calendar.database, calendar.monday + 15 * MINUTE) == 1


def test_several_processes_at_once_open_each_occurrence_once(calendar: Calendar) -> None:
    calendar.add(missed="all")
    calendar.add(missed="all", title="Other {date}")
    late, counts, barrier = calendar.monday + 15 * DAY, [], threading.Barrier(4)

    def work() -> None:
        barrier.wait()
        counts.append(run_due(calendar.database, late))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 6
    assert len(calendar.titles()) == len(set(calendar.titles())) == 6
    assert len(calendar.asked()) == 6


class Crash(RuntimeError):
    """The process ends here."""


def test_a_crash_anywhere_leaves_the_occurrence_whole_or_undone(
    sqlite_calendar: Calendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    calendar = sqlite_calendar
    calendar.add(missed="all")
    late = calendar.monday + 8 * DAY
    real_ask, real_open = jobs.ask, jobs.open_topic
    crashes = iter([True, False, True, False])

    def ask_or_crash(connection: Connection, *args: Any) -> Any:
        asked = real_ask(connection, *args)
        if next(crashes):
            raise Crash
        return asked

    def crash(*_args: Any, **_named: Any) -> Any:
        raise Crash

    monkeypatch.setattr(jobs, "open_topic", crash)
    with pytest.raises(Crash):
        run_due(calendar.database, late)
    assert (calendar.titles(), calendar.asked()) == ([], [])
    monkeypatch.setattr(jobs, "open_topic", real_open)
    monkeypatch.setattr(jobs, "ask", ask_or_crash)
    with pytest.raises(Crash):
        run_due(calendar.database, late)
    assert (calendar.titles(), calendar.asked()) == ([], [])
    with pytest.raises(Crash):
        run_due(calendar.database, late)
    assert (calendar.titles(), len(calendar.asked())) == (["Monday 2026-11-23"], 1)
    assert run_due(calendar.database, late) == 1
    assert calendar.titles() == ["Monday 2026-11-23", "Monday 2026-11-30"]
    assert len(calendar.asked()) == 2


def test_one_that_fails_keeps_no_other_waiting(sqlite_calendar: Calendar, monkeypatch: pytest.MonkeyPatch) -> None:
    calendar = sqlite_calendar
    calendar.add(title="First")
    calendar.add(title="Second")
    real_open = jobs.open_topic

    def open_or_fail(connection: Connection, **values: Any) -> Any:
        if values["title"] == "First":
            raise Unavailable
        return real_open(connection, **values)

    monkeypatch.setattr(jobs, "open_topic", open_or_fail)
    assert run_due(calendar.database, calendar.monday) == 1
    monkeypatch.setattr(jobs, "open_topic", real_open)
    assert run_due(calendar.database, calendar.monday) == 1
    assert calendar.titles() == ["Second", "First"]


def test_a_subforum_in_the_trash_switches_it_off_and_says_so(calendar: Calendar) -> None:
    recurring_id = calendar.add()
    with calendar.database.transaction() as connection:
        delete_subforum(connection, calendar.world.subforum_id, calendar.start)
    assert run_due(calendar.database, calendar.monday) == 0
    item = calendar.get(recurring_id)
    assert (item.is_enabled, item.next_at) == (False, None)
    assert item.last_problem is not None
    assert "switched off" in item.last_problem
    assert "no such subforum" in item.last_problem
    with calendar.database.transaction() as connection, pytest.raises(Conflict):
        open_now(connection, recurring_id, calendar.monday)


def test_who_is_gone_is_left_out_the_topic_is_opened_and_it_is_told(calendar: Calendar) -> None:
    asks = [TopicAsk(BUILTIN_PERSONA), TopicAsk(model_id=calendar.world.model_id), TopicAsk()]
    recurring_id = calendar.add(asks=asks)
    calendar.change("models", is_available=False)
    assert run_due(calendar.database, calendar.monday) == 1
    item = calendar.get(recurring_id)
    assert item.is_enabled
    assert item.last_problem is not None
    assert "A question could not be asked. The model qwen3:8b is not available" in item.last_problem
    # The two others are the same question: nobody else is chosen than the one that was named.
    assert len(calendar.asked()) == 1
    assert len(calendar.titles()) == 1


def test_run_once_now_changes_nothing_about_when_it_is_due(calendar: Calendar) -> None:
    recurring_id = calendar.add()
    with calendar.database.transaction() as connection:
        opened = open_now(connection, recurring_id, calendar.start)
    assert calendar.titles() == ["Friday 2026-11-20"]
    assert len(opened.llm_request_ids) == 1
    assert opened.problems == ()
    item = calendar.get(recurring_id)
    assert (item.next_at, item.last_occurrence_at, item.opened_count) == (calendar.monday, None, 1)
    run_due(calendar.database, calendar.monday)
    assert calendar.first_posts()[-1].content.startswith("No. 2,")


def test_a_clock_that_jumps_doubles_nothing(calendar: Calendar) -> None:
    recurring_id = calendar.add()
    assert run_due(calendar.database, calendar.monday + timedelta(hours=5)) == 1
    assert run_due(calendar.database, calendar.monday - timedelta(hours=3)) == 0
    assert run_due(calendar.database, calendar.monday + MINUTE) == 0
    # Years ahead and back again: it does not wait for years.
    assert run_due(calendar.database, calendar.monday + 10 * 365 * DAY) == 1
    assert run_due(calendar.database, calendar.monday + MINUTE) == 0
    assert calendar.get(recurring_id).next_at == calendar.monday + 7 * DAY


def test_a_changed_time_zone_of_the_forum_is_followed(calendar: Calendar) -> None:
    calendar.add()
    with calendar.database.transaction() as connection:
        change_settings(connection, {"timezone": "America/New_York"}, calendar.start)
    assert run_due(calendar.database, calendar.start) == 0
    assert run_due(calendar.database, calendar.monday) == 0
    assert run_due(calendar.database, calendar.monday + timedelta(hours=5)) == 1
    assert calendar.titles() == ["Monday 2026-11-23"]
