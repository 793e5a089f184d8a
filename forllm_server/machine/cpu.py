"""Processor time used by others: all that the machine did, less what FORLLM's own processes did.

Not a sum over the others: programs that start and end between two readings, as a compiler's do, would be missed.
"""

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import psutil

from forllm_server.machine.model import NotAvailable, Share
from forllm_server.machine.processes import Process

#: On Linux a parent's times take in those of its ended children; elsewhere these are lost.
_HAS_CHILDRENS_TIMES = sys.platform.startswith("linux")
#: shorter spans measure the grain of the clock
_SHORTEST_SECONDS = 0.2


class CpuReader:
    """Each ``read`` tells of the time since the one before. Not for several threads at once."""

    def __init__(self) -> None:
        self._machine: _MachineTimes | None = None
        self._own: dict[int, OwnTimes] = {}

    def read(self, processes: Mapping[int, Process], own: Collection[int]) -> Share:
        """Others' share of all cores together. Does not wait; the first call knows nothing yet."""
        machine, times = _machine_times(), _own_times(processes, own)
        before, times_before = self._machine, self._own
        if before is not None and machine.total - before.total < _SHORTEST_SECONDS:
            return NotAvailable("the reading before was only a moment ago")
        self._machine, self._own = machine, times
        if before is None:
            return NotAvailable("this is the first reading; the next one tells")
        busy = machine.busy - before.busy
        others = busy - own_seconds(times_before, times, has_childrens_times=_HAS_CHILDRENS_TIMES)
        return min(1.0, max(0.0, others / (machine.total - before.total)))


@dataclass(frozen=True)
class OwnTimes:
    """A process, and the seconds that it and its ended children used."""

    process: Process
    seconds: float


@dataclass(frozen=True)
class _MachineTimes:
    """Seconds over all cores since the machine's start."""

    busy: float
    total: float


def own_seconds(before: Mapping[int, OwnTimes], now: Mapping[int, OwnTimes], *, has_childrens_times: bool) -> float:
    """Processor seconds that these processes used between two readings; ``has_childrens_times``: whether a parent's
    times take in those of its ended children.

    What one used before it was first seen counts only if one of the others started it since.
    """
    spent = 0.0
    for process_id, times in now.items():
        if _is_same(before.get(process_id), times) or _has_ancestor(times, through=now, among=before):
            spent += times.seconds
    for process_id, times in before.items():
        is_inherited = has_childrens_times and _has_ancestor(times, through=before, among=now)
        if _is_same(now.get(process_id), times) or is_inherited:
            spent -= times.seconds
    return max(0.0, spent)


def _is_same(one: OwnTimes | None, other: OwnTimes) -> bool:
    return one is not None and one.process.started == other.process.started


def _has_ancestor(times: OwnTimes, *, through: Mapping[int, OwnTimes], among: Mapping[int, OwnTimes]) -> bool:
    """Whether an ancestor that ``through`` leads to is one of ``among``."""
    met = {times.process.process_id}
    parent = through.get(times.process.parent_id)
    while parent is not None and parent.process.process_id not in met:
        if _is_same(among.get(parent.process.process_id), parent):
            return True
        met.add(parent.process.process_id)
        parent = through.get(parent.process.parent_id)
    return False


def _machine_times() -> _MachineTimes:
    times = psutil.cpu_times()._asdict()
    # Time of guests is in user's and nice's already.
    total = sum(times.values()) - times.get("guest", 0.0) - times.get("guest_nice", 0.0)
    # Stolen time was another machine's on the same host: nothing here used it.
    resting = times["idle"] + times.get("iowait", 0.0) + times.get("steal", 0.0)
    return _MachineTimes(busy=total - resting, total=total)


def _own_times(processes: Mapping[int, Process], own: Collection[int]) -> dict[int, OwnTimes]:
    found: dict[int, OwnTimes] = {}
    for process_id in own:
        try:
            times = psutil.Process(process_id).cpu_times()
        except psutil.Error:
            continue
        seconds = times.user + times.system + times.children_user + times.children_system
        found[process_id] = OwnTimes(processes[process_id], seconds)
    return found
