"""The processes of the machine: which are FORLLM's own, which are its model servers', which were looked for."""

import fnmatch
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import psutil

from forllm_server.machine.model import ModelServers


@dataclass(frozen=True)
class Process:
    """One process as it was seen."""

    process_id: int
    parent_id: int
    name: str
    #: seconds since the epoch: tells it from a later one with the same id
    started: float
    #: it has ended, and its parent has not asked how
    is_zombie: bool = False


def list_processes() -> dict[int, Process]:
    """All processes that can be seen, by id. About 20 ms for 300 of them."""
    found: dict[int, Process] = {}
    for process in psutil.process_iter():
        try:
            with process.oneshot():
                is_zombie = process.status() == psutil.STATUS_ZOMBIE
                seen = Process(process.pid, process.ppid(), process.name(), process.create_time(), is_zombie)
        except psutil.Error:
            # It ended meanwhile, or the system does not tell of it.
            continue
        found[seen.process_id] = seen
    return found


def own_process_ids(processes: dict[int, Process], servers: ModelServers) -> frozenset[int]:
    """This process, the model servers, and the descendants of both."""
    patterns = _prepared(servers.names)
    roots = {os.getpid(), *servers.process_ids}
    roots |= {process.process_id for process in processes.values() if _is_one_of(process.name, patterns)}
    return _with_descendants(roots & processes.keys(), processes.values())


def programs_running(
    processes: dict[int, Process], patterns: Iterable[str], *, besides: Collection[int]
) -> tuple[str, ...]:
    """The names of running programs that match, sorted, each once; processes of ``besides`` are not meant.

    Patterns may hold ``*`` and ``?``; case and a final ``.exe`` do not count.
    """
    prepared = _prepared(patterns)
    if not prepared:
        return ()
    meant = (process for process in processes.values() if process.process_id not in besides and not process.is_zombie)
    return tuple(sorted({process.name for process in meant if _is_one_of(process.name, prepared)}))


def process_ids_listening_on(ports: Collection[int]) -> frozenset[int]:
    """Who accepts TCP connections on these ports of this machine, as far as the system tells: on most systems it
    names the processes of the same user only, to all but an administrator."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return frozenset()
    return frozenset(
        connection.pid
        for connection in connections
        if connection.status == psutil.CONN_LISTEN and connection.pid and _port(connection.laddr) in ports
    )


def _port(address: tuple[object, ...]) -> object:
    """The port of a (host, port) pair; None for an address without."""
    return address[1] if len(address) > 1 else None


def _with_descendants(roots: Collection[int], processes: Iterable[Process]) -> frozenset[int]:
    children: dict[int, list[int]] = {}
    for process in processes:
        children.setdefault(process.parent_id, []).append(process.process_id)
    found: set[int] = set()
    ahead = list(roots)
    while ahead:
        process_id = ahead.pop()
        if process_id not in found:
            found.add(process_id)
            ahead += children.get(process_id, ())
    return frozenset(found)


def _prepared(patterns: Iterable[str]) -> tuple[str, ...]:
    return tuple(plain for pattern in patterns if (plain := _plain(pattern)))


def _is_one_of(name: str, prepared: Sequence[str]) -> bool:
    plain = _plain(name)
    return any(fnmatch.fnmatchcase(plain, pattern) for pattern in prepared)


def _plain(name: str) -> str:
    return name.strip().casefold().removesuffix(".exe")
