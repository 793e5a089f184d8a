import threading
from datetime import datetime, timedelta

import pytest

from forllm_server.db import Database
from forllm_server.errors import Invalid, NotFound
from forllm_server.queue import pausing
from forllm_server.queue.model import Pause
from forllm_server.queue.pause_store import list_pauses
from forllm_server.queue.version_store import get_versions
from tests.support.world import make_world

HOUR = timedelta(hours=1)
PATIENCE_SECONDS = 20.0


def test_a_pause_of_the_queue_holds_every_backend(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    with database.transaction() as connection:
        before = get_versions(connection, 0)
        pausing.pause(connection, backend_id=None, until=None, reason="", now=now)
        assert pausing.is_paused(connection, backend_id=world.backend_id, now=now)
        assert pausing.is_paused(connection, backend_id=None, now=now)
        assert get_versions(connection, 0) > before
        assert pausing.resume(connection, backend_id=None)
        assert not pausing.is_paused(connection, backend_id=world.backend_id, now=now)
        assert not pausing.resume(connection, backend_id=None)


def test_a_pause_of_a_backend_holds_only_that_one_and_ends_by_itself(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    with database.transaction() as connection:
        pausing.pause(connection, backend_id=world.backend_id, until=now + HOUR, reason=" a game ", now=now)
        assert pausing.is_paused(connection, backend_id=world.backend_id, now=now)
        assert not pausing.is_paused(connection, backend_id=1, now=now)
        assert not pausing.is_paused(connection, backend_id=None, now=now)
        assert not pausing.is_paused(connection, backend_id=world.backend_id, now=now + HOUR)


def test_the_pause_that_lasts_longest_is_told(now: datetime) -> None:
    whole = Pause(0, now + HOUR, "short", now, False)
    own = Pause(7, now + 2 * HOUR, "long", now, False)
    endless = Pause(7, None, "endless", now, False)
    assert pausing.find_pause({0: whole, 7: own}, 7, now) is own
    assert pausing.find_pause({0: whole, 7: endless}, 7, now) is endless
    assert pausing.find_pause({0: whole, 7: own}, 8, now) is whole
    assert pausing.find_pause({7: own}, 8, now) is None


def test_a_machine_neither_replaces_nor_ends_what_a_person_paused(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        mine = pausing.pause(connection, backend_id=1, until=None, reason="mine", now=now)
        kept = pausing.pause(connection, backend_id=1, until=None, reason="GPU in use", now=now, is_by_machine=True)
        assert kept == mine
        assert not pausing.resume(connection, backend_id=1, is_by_machine=True)
        assert pausing.resume(connection, backend_id=1)
        made = pausing.pause(connection, backend_id=1, until=None, reason="GPU in use", now=now, is_by_machine=True)
        assert made.is_by_machine
        assert pausing.resume(connection, backend_id=1, is_by_machine=True)


def test_a_machine_takes_the_place_of_what_a_person_paused_when_that_is_over(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        pausing.pause(connection, backend_id=1, until=now + HOUR, reason="mine", now=now)
        later = now + HOUR
        made = pausing.pause(connection, backend_id=1, until=None, reason="GPU in use", now=later, is_by_machine=True)
        assert (made.reason, made.is_by_machine) == ("GPU in use", True)
        mine = pausing.pause(connection, backend_id=1, until=None, reason="mine", now=later)
        assert pausing.find_pause(list_pauses(connection), 1, later) == mine


def test_a_machine_that_pauses_at_the_same_moment_gives_way_to_the_person(database: Database, now: datetime) -> None:
    """It looks before the person's pause is there to be seen, and is written after it."""
    is_begun = threading.Event()
    heard: list[Pause] = []

    def pause_by_machine() -> None:
        is_begun.wait(PATIENCE_SECONDS)
        with database.transaction() as connection:
            reason = "GPU in use"
            heard.append(
                pausing.pause(connection, backend_id=1, until=None, reason=reason, now=now, is_by_machine=True)
            )

    machine = threading.Thread(target=pause_by_machine)
    machine.start()
    with database.transaction() as connection:
        mine = pausing.pause(connection, backend_id=1, until=None, reason="mine", now=now)
        is_begun.set()
        machine.join(0.2)
    machine.join(PATIENCE_SECONDS)
    with database.read() as connection:
        assert list_pauses(connection)[1] == mine
    assert heard == [mine]


def test_pauses_that_make_no_sense_are_refused(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        with pytest.raises(Invalid) as refused:
            pausing.pause(connection, backend_id=None, until=now, reason="", now=now)
        assert refused.value.field == "until"
        with pytest.raises(Invalid):
            pausing.pause(connection, backend_id=None, until=None, reason="x" * 201, now=now)
        with pytest.raises(NotFound):
            pausing.pause(connection, backend_id=404, until=None, reason="", now=now)
