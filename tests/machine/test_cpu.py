import os
import subprocess
import sys
import time

import psutil
import pytest

from forllm_server.machine.cpu import CpuReader, OwnTimes, own_seconds
from forllm_server.machine.model import ModelServers, NotAvailable, Share
from forllm_server.machine.processes import Process, list_processes, own_process_ids
from tests.machine.scripted import burning, stranger

CORES = psutil.cpu_count() or 1
NO_SERVERS = ModelServers(names=())


def share(reading: Share) -> float:
    assert isinstance(reading, float)
    return reading


class Difference:
    """Two readers, to one of which nothing is its own: the difference is what its own processes used, however busy
    the rest of the machine is while the tests run."""

    def __init__(self, servers: ModelServers = NO_SERVERS) -> None:
        self._servers = servers
        self._with_own, self._without = CpuReader(), CpuReader()
        self.read()

    def read(self) -> tuple[Share, Share]:
        processes = list_processes()
        own = own_process_ids(processes, self._servers)
        return self._with_own.read(processes, own), self._without.read(processes, ())

    def cores(self) -> float:
        others, everybody = self.read()
        return (share(everybody) - share(others)) * CORES


def test_the_first_reading_knows_nothing_and_says_so() -> None:
    reading = CpuReader().read(list_processes(), ())
    assert str(reading) == "not available: this is the first reading; the next one tells"


def test_two_readings_at_once_do_not_disturb_the_next() -> None:
    reader = CpuReader()
    reader.read({}, ())
    assert isinstance(reader.read({}, ()), NotAvailable)
    time.sleep(0.3)
    assert 0 <= share(reader.read({}, ())) <= 1


def test_a_stranger_that_burns_a_core_is_seen() -> None:
    with stranger(*burning()):
        time.sleep(0.1)
        reader = CpuReader()
        processes = list_processes()
        reader.read(processes, own_process_ids(processes, NO_SERVERS))
        time.sleep(0.8)
        processes = list_processes()
        reading = reader.read(processes, own_process_ids(processes, NO_SERVERS))
    # Whoever takes its core away from it meanwhile is another stranger.
    assert share(reading) > 0.5 / CORES


def test_a_child_that_burns_a_core_is_not_others_use() -> None:
    difference = Difference()
    child = subprocess.Popen(burning())
    try:
        time.sleep(0.8)
        assert difference.cores() > 0.15
        time.sleep(0.4)
        assert difference.cores() > 0.15
    finally:
        child.kill()
        child.wait()


def test_a_child_that_came_and_went_between_two_readings_is_not_others_use() -> None:
    difference = Difference()
    subprocess.run(burning(seconds=0.6), check=True)
    assert difference.cores() > 0.15


def test_what_a_model_server_started_is_not_others_use() -> None:
    # Descendants of it are its runners.
    code = f"import subprocess, sys; subprocess.run({list(burning())!r})"
    with stranger(sys.executable, "-c", code) as process_id:
        difference = Difference(ModelServers(names=(), process_ids=frozenset({process_id})))
        time.sleep(1.0)
        try:
            assert difference.cores() > 0.15
        finally:
            for child in psutil.Process(process_id).children():
                child.kill()


def times(process_id: int, parent_id: int, seconds: float, started: float = 1.0) -> OwnTimes:
    return OwnTimes(Process(process_id, parent_id, "a", started), seconds)


def by_id(*found: OwnTimes) -> dict[int, OwnTimes]:
    return {one.process.process_id: one for one in found}


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        pytest.param(by_id(times(1, 0, 5)), by_id(times(1, 0, 7)), 2, id="it went on"),
        pytest.param(by_id(times(1, 0, 5)), by_id(times(1, 0, 6), times(2, 1, 3)), 4, id="a child was started"),
        pytest.param(
            by_id(times(1, 0, 5)), by_id(times(1, 0, 5), times(2, 1, 1), times(3, 2, 2)), 3, id="and a child's child"
        ),
        pytest.param(by_id(times(1, 0, 5)), by_id(times(1, 0, 6), times(9, 4, 30)), 1, id="a server was named"),
        pytest.param(by_id(times(1, 0, 5), times(2, 1, 3)), by_id(times(1, 0, 9)), 1, id="a child ended"),
        pytest.param(
            by_id(times(1, 0, 5), times(2, 1, 3), times(3, 2, 4)),
            by_id(times(1, 0, 14)),
            2,
            id="with a child of its own",
        ),
        pytest.param(by_id(times(1, 0, 5), times(9, 4, 30)), by_id(times(1, 0, 6)), 1, id="a server ended"),
        pytest.param(
            by_id(times(1, 0, 5), times(2, 7, 9)),
            by_id(times(1, 0, 5), times(2, 7, 1, started=2)),
            0,
            id="id used again",
        ),
    ],
)
def test_what_a_family_used_counts_once(before: dict[int, OwnTimes], now: dict[int, OwnTimes], expected: float) -> None:
    assert own_seconds(before, now, has_childrens_times=True) == expected


def test_an_ended_child_is_left_out_where_parents_do_not_inherit_times() -> None:
    before, now = by_id(times(1, 0, 5), times(2, 1, 3)), by_id(times(1, 0, 6))
    assert own_seconds(before, now, has_childrens_times=False) == 1


def test_this_process_is_its_own() -> None:
    assert os.getpid() in own_process_ids(list_processes(), NO_SERVERS)
