"""Who a worker is: host, boot, process and start, so that a later process knows that it is gone."""

import os
import socket

import psutil


def worker_identity() -> str:
    """``host/boot-second/pid/start-second`` of this process."""
    return _identity(os.getpid(), int(psutil.Process().create_time()))


def is_gone(identity: str) -> bool:
    """Whether the process of that identity certainly no longer runs: only ever said of this host."""
    host, boot, pid, start = [*identity.split("/"), "", "", ""][:4]
    if host != socket.gethostname() or not pid.isdigit():
        return False
    # psutil may place the boot a second earlier or later from call to call.
    if not boot.isdigit() or abs(int(boot) - int(psutil.boot_time())) > 5:
        return True
    try:
        process = psutil.Process(int(pid))
        return abs(int(process.create_time()) - int(start or 0)) > 2 or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def _identity(pid: int, start: int) -> str:
    return f"{socket.gethostname()}/{int(psutil.boot_time())}/{pid}/{start}"
