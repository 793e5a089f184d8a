"""Who a worker is: host, boot, process and start, so that a later process knows that it is gone."""

import hashlib
import os
import socket
import uuid
from functools import cache
from pathlib import Path

import psutil

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def worker_identity() -> str:
    """``host/boot.machine/pid/start`` of this process; see :func:`_boot`, :func:`_start` and :func:`_machine`."""
    since = f"{_boot()}.{_machine()}".rstrip(".")
    return f"{socket.gethostname()}/{since}/{os.getpid()}/{_start(psutil.Process())}"


def is_gone(identity: str) -> bool:
    """Whether the process of that identity certainly no longer runs: only ever said of this machine.

    Of a machine that only has the same host name nothing is known: there its lease decides.
    """
    host, since, pid, start = [*identity.split("/"), "", "", ""][:4]
    boot, _, machine = since.partition(".")
    is_here = host == socket.gethostname() and ("" in (machine, _machine()) or machine == _machine())
    if not is_here or not pid.isdigit():
        return False
    if not _is_same_boot(boot, _boot()):
        return True
    try:
        process = psutil.Process(int(pid))
        return abs(_start(process) - int(start or 0)) > 2 or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def _boot() -> str:
    """What tells this start of the machine from its other ones: Linux numbers them; elsewhere the second it began."""
    try:
        return hashlib.sha256(BOOT_ID.read_bytes().strip()).hexdigest()[:8]
    except OSError:
        return str(int(psutil.boot_time()))


def _is_same_boot(one: str, other: str) -> bool:
    # The second may come out one earlier or later from call to call.
    return one == other or (one.isdigit() and other.isdigit() and abs(int(one) - int(other)) <= 5)


def _start(process: psutil.Process) -> int:
    """When it was started, in seconds since the machine was: a clock that is set changes nothing about it."""
    return int(process.create_time() - psutil.boot_time())


@cache
def _machine() -> str:
    """What tells machines and containers of one host name apart: made from the address of a network card.

    Eight hexadecimal digits, the same in all processes of a machine; empty where there is no card. The address itself
    is not told to others.
    """
    node = uuid.getnode()
    # Without a card Python makes up another one for each process, marked as a group's address (RFC 9562, 6.10).
    if node >> 40 & 1:
        return ""
    return hashlib.sha256(node.to_bytes(8, "big")).hexdigest()[:8]
