"""The end of a night: gists are asked for last, one message goes out, stalls are told, pauses are kept."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from forllm_server.db import Database, metadata
from forllm_server.jobs.digest import KEY, NAME
from forllm_server.jobs.nightfall import Nightfall
from forllm_server.morning import gist_store, night_store
from forllm_server.morning.gists import Said, gist_prompt, read_gist
from forllm_server.morning.model import Gist
from forllm_server.notify import delivery_store
from forllm_server.notify.channels import add_channel
from forllm_server.personas.editing import delete_persona
from forllm_server.queue.llm_request_store import list_llm_requests
from forllm_server.queue.model import Cause, LlmRequest, Status
from forllm_server.queue.pausing import pause, resume
from forllm_server.schedule.planning import add_window, new_window
from forllm_server.schedule.windows import DAYS
from forllm_server.settings.values import change_settings
from tests.hooks.making import add, calls
from tests.jobs.conftest import SECRET_KEY, Evening
from tests.morning.night_world import answer, end_request
from tests.support.outside import Hook
from tests.support.scripted_server import Script
from tests.support.world import LOCAL_USER, queue_request

NIGHT = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
LATE = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
OVER = datetime(2026, 11, 21, 6, 0, 1, tzinfo=UTC)
DAY = NIGHT.date()


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as hook:
        yield hook


@pytest.fixture
def night(evening: Evening, now: datetime, hook: Hook) -> Iterator["NightWorld"]:
    with evening.database.transaction() as connection:
        change_settings(connection, {"timezone": "UTC"}, now)
        window = new_window(days=list(DAYS), start_minute=22 * 60, end_minute=6 * 60)
        add_window(connection, window, owner_id=LOCAL_USER, now=now)
        add_channel(
            connection,
            owner_id=LOCAL_USER,
            kind="webhook",
            name="Hook",
            options={"url": hook.url, "may_be_local": True, "forum_url": "http://desk.local:4773"},
            secret_key=SECRET_KEY,
            now=now,
        )
    with time_machine.travel(NIGHT, tick=False) as clock:
        yield NightWorld(evening, clock, hook)


class NightWorld:
    """What a test does: move the clock, let the end of the night be looked after, see what went out."""

    def __init__(self, evening: Evening, clock: Any, hook: Hook) -> None:
        self.evening = evening
        self.database: Database = evening.database
        self.world = evening.world
        self.clock = clock
        self.hook = hook
        self.nightfall = Nightfall(evening.database, SECRET_KEY)

    def tend(self, at: datetime) -> bool:
        self.clock.move_to(at)
        return self.nightfall.tend(at)

    def digests(self) -> list[LlmRequest]:
        with self.database.read() as connection:
            return [each for each in list_llm_requests(connection, limit=50) if each.kind == NAME]

    def gists(self) -> dict[int, Gist]:
        with self.database.read() as connection:
            return gist_store.list_gists(connection, DAY)

    def told(self) -> list[tuple[str, str]]:
        with self.database.read() as connection:
            found = delivery_store.list_deliveries(connection, limit=50)
        return [(each.occasion.value, each.body) for each in found]

    def set(self, **values: Any) -> None:
        with self.database.transaction() as connection:
            change_settings(connection, values, NIGHT)


def test_a_night_ends_with_one_message(night: NightWorld) -> None:
    night.set(digest="off")
    answer(night.database, night.world, NIGHT, usage={"watt_hours": 710.0, "is_energy_measured": True})
    end_request(night.database, night.world, NIGHT, "failed", cause="error")
    night.tend(LATE - timedelta(hours=2))
    assert night.told() == []
    night.tend(LATE)
    night.tend(OVER)
    Nightfall(night.database, SECRET_KEY).tend(OVER)
    link = "http://desk.local:4773/morning/2026-11-21"
    assert night.told() == [("night", f"1 of 2 answered, 1 failed.\n1 min of work. 0.71 kWh, measured.\n{link}")]
    assert len(night.hook.posted) == 1


def test_hooks_hear_once_that_a_night_is_over(night: NightWorld) -> None:
    night.set(digest="off")
    add(night.database, NIGHT, events=["night.over"])
    answer(night.database, night.world, NIGHT)
    for at in (LATE, OVER, OVER + timedelta(minutes=1)):
        night.tend(at)
    assert [dict(call.facts) for call in calls(night.database)] == [
        {"day": "2026-11-21", "answered": 1, "failed": 0, "waiting": 0}
    ]


def test_work_that_goes_on_keeps_the_night_open_until_its_end(night: NightWorld) -> None:
    night.set(digest="off")
    answer(night.database, night.world, NIGHT)
    queue_request(night.database, night.world, NIGHT)
    night.tend(LATE)
    assert night.told() == []
    night.tend(OVER)
    assert [occasion for occasion, _ in night.told()] == ["night"]


def test_a_night_in_which_nothing_happened_is_not_told(night: NightWorld) -> None:
    night.tend(OVER)
    answer(night.database, night.world, OVER)
    night.tend(OVER + timedelta(minutes=1))
    assert night.told() == []


def test_the_gists_are_asked_last_and_told_in_the_morning(night: NightWorld) -> None:
    for name in ("Skeptic", "Teacher"):
        answer(night.database, night.world, NIGHT, f"{name} says so.", persona_name=name)
    assert night.tend(LATE)
    assert not night.tend(LATE)
    (asked,) = night.digests()
    assert (asked.post_id, asked.topic_id, asked.model_id) == (None, night.world.topic_id, night.world.model_id)
    assert night.told() == []
    night.evening.server.script(Script(tokens=("GIST: ZFS it is.\n", "APART: Skeptic doubts <b>it</b>.")))
    assert night.evening.run()
    gist = night.gists()[night.world.topic_id]
    assert (gist.line, gist.disagreement) == ("ZFS it is.", "Skeptic doubts <b>it</b>.")
    assert (gist.model_name, gist.replies, gist.llm_request_id) == ("qwen3:8b", 2, asked.id)
    assert gist.persona_version_id == asked.persona_version_id
    sent = night.evening.server.chats[-1]["messages"]
    assert "Skeptic says so." in sent[-1]["content"]
    assert "Which file system" in sent[-1]["content"]
    night.tend(LATE + timedelta(minutes=1))
    assert [occasion for occasion, _ in night.told()] == ["night"]
    assert len(night.digests()) == 1


def test_while_there_is_other_work_gists_wait_for_the_last_minutes_and_then_go_first(night: NightWorld) -> None:
    answer(night.database, night.world, NIGHT)
    queue_request(night.database, night.world, NIGHT)
    assert not night.tend(LATE)
    assert night.tend(OVER - timedelta(minutes=15))
    assert night.evening.run()
    assert night.gists()[night.world.topic_id].is_written


def test_a_digest_that_fails_hides_nothing_and_holds_nothing_up(night: NightWorld) -> None:
    answer(night.database, night.world, NIGHT)
    night.tend(LATE)
    with night.database.transaction() as connection:
        connection.execute(metadata.tables["posts"].update().values(deleted_at=LATE))
    night.evening.run()
    (asked,) = night.digests()
    assert (asked.status, asked.cause) == (Status.FAILED, Cause.SUBJECT_GONE)
    assert not night.gists()[night.world.topic_id].is_written
    night.tend(LATE + timedelta(minutes=1))
    assert [occasion for occasion, _ in night.told()] == ["night"]


def test_what_a_night_did_not_come_to_is_called_off_at_its_end(night: NightWorld) -> None:
    answer(night.database, night.world, NIGHT)
    night.tend(LATE)
    night.tend(OVER)
    assert [each.status for each in night.digests()] == [Status.CANCELLED]


def test_the_tiny_model_is_not_asked_unless_told_so(night: NightWorld) -> None:
    answer(night.database, night.world, NIGHT)
    with night.database.transaction() as connection:
        backends = metadata.tables["backends"]
        connection.execute(
            backends.update().where(backends.c.id == night.world.backend_id).values(kind="embedded", name_key="tiny")
        )
    assert not night.tend(LATE)
    assert night.digests() == []
    assert [occasion for occasion, _ in night.told()] == ["night"]


def test_gists_can_be_switched_off_or_forced(night: NightWorld) -> None:
    answer(night.database, night.world, NIGHT)
    night.set(digest="off")
    night.tend(LATE - timedelta(minutes=59))
    assert night.digests() == []


def test_its_persona_is_made_once_and_anew_when_it_was_deleted(night: NightWorld) -> None:
    answer(night.database, night.world, NIGHT)
    night.tend(LATE)
    (first,) = night.digests()
    with night.database.transaction() as connection:
        delete_persona(connection, first.persona_id or 0, LATE)
        connection.execute(metadata.tables["gists"].delete())
        settings = metadata.tables["settings"]
        assert connection.execute(settings.select().where(settings.c.key == KEY)).one().value == first.persona_id
    queued = metadata.tables["llm_requests"]
    with night.database.transaction() as connection:
        connection.execute(queued.update().where(queued.c.id == first.id).values(status="cancelled"))
    night.tend(LATE + timedelta(minutes=1))
    assert night.digests()[0].persona_id not in (None, first.persona_id)


def test_a_backend_that_is_down_for_long_with_work_waiting_is_told_once(night: NightWorld) -> None:
    queue_request(night.database, night.world, NIGHT)
    with night.database.transaction() as connection:
        connection.execute(
            metadata.tables["backend_states"]
            .insert()
            .values(backend_id=night.world.backend_id, failures=4, last_error="Nobody answers.", changed_at=NIGHT)
        )
    for minutes in (0, 10, 20, 21, 90):
        night.tend(NIGHT + timedelta(minutes=minutes))
        assert len(night.told()) == (1 if minutes >= 20 else 0)
    occasion, body = night.told()[0]
    assert occasion == "stall"
    assert body.startswith("FORLLM has come to a stand. Desk cannot be reached: Nobody answers.")
    assert body.endswith("http://desk.local:4773/queue?show=failed")


def test_nothing_stalls_while_nothing_waits_or_the_hours_are_closed(night: NightWorld) -> None:
    with night.database.transaction() as connection:
        connection.execute(
            metadata.tables["backend_states"]
            .insert()
            .values(backend_id=night.world.backend_id, failures=4, last_error="Nobody answers.", changed_at=NIGHT)
        )
    for minutes in (0, 60):
        night.tend(NIGHT + timedelta(minutes=minutes))
    queue_request(night.database, night.world, NIGHT)
    for minutes in (0, 60):
        night.tend(OVER + timedelta(minutes=minutes))
    assert night.told() == []


def test_everything_failing_is_told(night: NightWorld) -> None:
    for number in range(3):
        end_request(night.database, night.world, NIGHT - timedelta(minutes=number), "failed", cause="error")
    queue_request(night.database, night.world, NIGHT)
    night.tend(NIGHT + timedelta(seconds=1))
    assert [body.split("\n")[0] for _, body in night.told()] == [
        "FORLLM has come to a stand. Everything fails: 3 LLM requests, one after the other."
    ]


def test_pauses_are_kept_with_their_ends(night: NightWorld) -> None:
    with night.database.transaction() as connection:
        pause(connection, backend_id=None, until=None, reason="Film", now=NIGHT)
        until = NIGHT + timedelta(minutes=7)
        pause(connection, backend_id=night.world.backend_id, until=until, reason="GPU in use", now=NIGHT)
    night.tend(NIGHT + timedelta(seconds=10))
    night.tend(NIGHT + timedelta(minutes=10))
    with night.database.transaction() as connection:
        resume(connection, backend_id=None)
    night.tend(NIGHT + timedelta(minutes=20))
    with night.database.read() as connection:
        kept = night_store.list_pauses_between(connection, NIGHT, OVER, limit=9)
    assert [(each.reason, each.ended_at) for each in kept] == [
        ("Film", NIGHT + timedelta(minutes=20)),
        ("GPU in use", until),
    ]


def test_the_night_is_kept_as_it_was(night: NightWorld) -> None:
    night.tend(NIGHT)
    with night.database.transaction() as connection:
        connection.execute(metadata.tables["schedule_windows"].delete())
    night.tend(datetime(2026, 11, 21, 12, 30, tzinfo=UTC))
    with night.database.read() as connection:
        kept = night_store.list_nights(connection, DAY, DAY)[DAY]
    assert (kept.begins_at, kept.ends_at) == (
        datetime(2026, 11, 20, 22, tzinfo=UTC),
        datetime(2026, 11, 21, 6, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("answer_text", "gist"),
    [
        ("GIST: All agree.\nAPART: none.", ("All agree.", "")),
        ("**GIST:** All *agree*.\n\n- **APART:** A says no, B yes.", ("All *agree*.", "A says no, B yes.")),
        ("Sure!\ngist : x\x00y", ("x y", "")),
        ("Just a sentence.\nAnd another.", ("Just a sentence.", "")),
        ("APART: N/A", ("", "")),
        ("   \n\n", ("", "")),
        ("GIST: " + "long " * 500, (("long " * 500)[:399].rstrip() + "…", "")),
    ],
)  # fmt: skip
def test_a_models_answer_is_read_whatever_its_form(answer_text: str, gist: tuple[str, str]) -> None:
    assert read_gist(answer_text) == gist


def test_long_threads_are_cut_evenly_and_one_voice_is_not_asked_to_disagree() -> None:
    replies = [Said(f"P{number % 2}", "word " * 10_000) for number in range(10)]
    text = gist_prompt("T" * 5_000, "q" * 90_000, replies, room_characters=8_000)
    assert len(text) < 9_000
    assert "APART" in text
    assert "APART" not in gist_prompt("T", "q", replies[:1], room_characters=8_000)
