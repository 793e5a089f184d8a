"""Adding and changing recurring topics, on both databases."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from forllm_server.db import Database
from forllm_server.errors import Invalid, NotFound, TooLarge
from forllm_server.forum import topics
from forllm_server.schedule import recurring, recurring_store
from forllm_server.schedule.recurrence import Missed, RecurringTopic, TopicAsk
from forllm_server.settings.values import change_settings
from tests.support.world import BUILTIN_PERSONA, LOCAL_USER, World, make_world

#: The evening of the tests is a Friday, 21:00 UTC.
MONDAY = timedelta(days=3, hours=1)


@pytest.fixture
def world(database: Database, now: datetime) -> World:
    with database.transaction() as connection:
        change_settings(connection, {"timezone": "UTC"}, now)
    return make_world(database, now)


def values(world: World, **more: Any) -> dict[str, Any]:
    base = {
        "subforum_id": world.subforum_id,
        "title": "Week of {date}",
        "content": "What is new?",
        "days": ["mon"],
        "minute": 22 * 60,
    }
    return base | more


def add(database: Database, world: World, now: datetime, **more: Any) -> RecurringTopic:
    with database.transaction() as connection:
        draft = recurring.new_recurring_topic(**values(world, **more))
        return recurring.add_recurring_topic(connection, draft, owner_id=LOCAL_USER, now=now)


def change(database: Database, item: RecurringTopic, now: datetime, **changes: Any) -> RecurringTopic:
    with database.transaction() as connection:
        draft = recurring.changed_draft(item, changes)
        return recurring.change_recurring_topic(connection, item.id, draft, now)


def test_a_new_one_is_due_at_its_next_occurrence(database: Database, world: World, now: datetime) -> None:
    asks = [TopicAsk(BUILTIN_PERSONA, world.model_id), TopicAsk()]
    added = add(database, world, now, asks=asks, missed="all")
    assert (added.next_at, added.last_occurrence_at, added.opened_count) == (now + MONDAY, None, 0)
    assert (added.asks, added.missed, added.day_list) == (tuple(asks), Missed.ALL, ["mon"])
    assert (added.subforum_name, added.last_topic_title) == ("Homelab", None)
    with database.read() as connection:
        assert recurring_store.list_recurring_topics(connection) == [added]
        assert recurring_store.list_due_ids(connection, now) == []
        assert recurring_store.list_due_ids(connection, now + MONDAY) == [added.id]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"title": " "}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "{date}" * 21}, "title"),
        ({"content": ""}, "content"),
        ({"days": []}, "days"),
        ({"days": ["monday"]}, "days"),
        ({"minute": 1440}, "minute"),
        ({"minute": -1}, "minute"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"missed": "some"}, "missed"),
        ({"asks": [TopicAsk(persona_id=n) for n in range(1, 22)]}, "ask"),
        ({"asks": [TopicAsk(persona_id=99)]}, "ask"),
        ({"asks": [TopicAsk(model_id=99)]}, "ask"),
        ({"asks": [TopicAsk(persona_id=2**70)]}, "ask"),
        ({"subforum_id": 99}, "subforum_id"),
        ({"subforum_id": 2**70}, "subforum_id"),
    ],
)
def test_what_cannot_be_one_names_its_field(
    sqlite_database: Database, now: datetime, wrong: dict[str, Any], field: str
) -> None:
    world = make_world(sqlite_database, now)
    with pytest.raises(Invalid) as refused:
        add(sqlite_database, world, now, **wrong)
    assert refused.value.field == field


def test_a_title_may_be_as_long_as_a_topics() -> None:
    assert recurring.TITLE_MAX_CHARS == topics.TITLE_MAX_CHARS


def test_the_same_question_twice_is_one(database: Database, world: World, now: datetime) -> None:
    assert add(database, world, now, asks=[TopicAsk(), TopicAsk()]).asks == (TopicAsk(),)


def test_what_is_due_stays_due_unless_its_times_are_changed(database: Database, world: World, now: datetime) -> None:
    added = add(database, world, now)
    later = now + MONDAY + timedelta(minutes=1)
    assert change(database, added, later, title="Other").next_at == added.next_at
    moved = change(database, added, later, minute=23 * 60)
    assert moved.next_at == now + MONDAY + timedelta(hours=1)
    assert change(database, moved, later, timezone="Asia/Tokyo").next_at == now + timedelta(days=10, hours=-7)


def test_switched_off_it_is_never_due_and_switched_on_not_for_what_is_past(
    database: Database, world: World, now: datetime
) -> None:
    added = add(database, world, now)
    with database.transaction() as connection:
        off = recurring.disable_recurring_topic(connection, added.id)
    assert (off.is_enabled, off.next_at) == (False, None)
    later = now + MONDAY + timedelta(hours=1)
    with database.transaction() as connection:
        assert recurring_store.list_due_ids(connection, later) == []
        on = recurring.enable_recurring_topic(connection, added.id, later)
    assert (on.is_enabled, on.next_at) == (True, now + MONDAY + timedelta(days=7))
    assert change(database, on, later, is_enabled=False).next_at is None


def test_one_whose_subforum_is_in_the_trash_cannot_be_switched_on(
    database: Database, world: World, now: datetime
) -> None:
    added = add(database, world, now)
    with database.transaction() as connection:
        recurring.disable_recurring_topic(connection, added.id)
        subforums = recurring_store.metadata.tables["subforums"]
        connection.execute(subforums.update().values(deleted_at=now))
        assert recurring_store.get_recurring_topic(connection, added.id).subforum_name is None
        with pytest.raises(Invalid):
            recurring.enable_recurring_topic(connection, added.id, now)
    changed = change(database, added, now, title="Still kept", is_enabled=False)
    assert changed.title == "Still kept"


def test_a_persona_chosen_before_and_deleted_since_may_stay(database: Database, world: World, now: datetime) -> None:
    added = add(database, world, now, asks=[TopicAsk(persona_id=BUILTIN_PERSONA)])
    with database.transaction() as connection:
        personas = recurring_store.metadata.tables["personas"]
        connection.execute(personas.update().values(deleted_at=now))
    assert change(database, added, now, title="Kept").asks == added.asks
    with pytest.raises(Invalid):
        change(database, added, now, asks=[TopicAsk(BUILTIN_PERSONA, world.model_id)])


def test_another_zone_of_the_forum_moves_what_is_not_due_yet(database: Database, world: World, now: datetime) -> None:
    added, own = add(database, world, now), add(database, world, now, timezone="Asia/Tokyo")
    with database.transaction() as connection:
        assert recurring.correct_next_times(connection, now) == 0
        change_settings(connection, {"timezone": "America/New_York"}, now)
        assert recurring.correct_next_times(connection, now) == 1
        assert recurring_store.get_recurring_topic(connection, added.id).next_at == now + MONDAY + timedelta(hours=5)
        assert recurring_store.get_recurring_topic(connection, own.id).next_at == own.next_at


def test_an_occurrence_is_taken_once(database: Database, world: World, now: datetime) -> None:
    added = add(database, world, now)
    occurrence, following = now + MONDAY, now + MONDAY + timedelta(days=7)
    with database.transaction() as connection:
        assert recurring_store.update_occurrence(connection, added, occurrence=occurrence, next_at=following)
        assert not recurring_store.update_occurrence(connection, added, occurrence=occurrence, next_at=following)


def test_there_is_a_most_and_a_deleted_one_is_gone(
    database: Database, world: World, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recurring, "MAX_RECURRING_TOPICS", 1)
    added = add(database, world, now)
    with pytest.raises(TooLarge):
        add(database, world, now)
    with database.transaction() as connection:
        recurring.delete_recurring_topic(connection, added.id)
        with pytest.raises(NotFound):
            recurring.delete_recurring_topic(connection, added.id)
        with pytest.raises(NotFound):
            recurring.disable_recurring_topic(connection, added.id)
