"""How busy others keep the machine."""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from functools import partial
from typing import Protocol

from forllm_server import clock
from forllm_server.machine.cpu import CpuReader
from forllm_server.machine.drm import DrmReader
from forllm_server.machine.model import GpuLoad, Load, ModelServers, NotAvailable, Share
from forllm_server.machine.nvidia import read_nvidia
from forllm_server.machine.processes import list_processes, own_process_ids, programs_running
from forllm_server.machine.tools import Rests

_HIDDEN = NotAvailable("the processes of a model server that works here cannot be seen, nor told from others'")


class NvidiaReader(Protocol):
    """See ``forllm_server.machine.nvidia.read_nvidia``."""

    def __call__(self, own: Collection[int], *, is_working: bool) -> tuple[GpuLoad, ...] | NotAvailable: ...


class LoadReader:
    """Ask it every few seconds: each answer tells of the time since the one before. For one thread at a time."""

    def __init__(
        self,
        *,
        cpu: CpuReader | None = None,
        nvidia: NvidiaReader = read_nvidia,
        drm: DrmReader | None = None,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._cpu = cpu or CpuReader()
        self._nvidia = nvidia
        self._rests = Rests[tuple[GpuLoad, ...]]()
        self._drm = drm or DrmReader()
        self._now = now

    def read(
        self,
        programs: Iterable[str] = (),
        *,
        servers: ModelServers | None = None,
        is_working: bool = False,
        has_gpu_wish: bool = True,
    ) -> Load:
        """The load just now, in 2 s at most; the first reading knows no CPU share.

        ``programs``: names to look for, with ``*`` and ``?``. ``is_working``: whether own models work just now.
        ``has_gpu_wish``: False saves asking the cards, which keeps some of them from sleeping.
        """
        servers = servers or ModelServers()
        processes = list_processes()
        own = own_process_ids(processes, servers)
        cpu: Share = self._cpu.read(processes, own)
        gpus: tuple[GpuLoad, ...] | NotAvailable = NotAvailable("it was not asked for")
        if has_gpu_wish:
            gpus = self._gpus(own, is_working=is_working)
        gpu = _busiest(gpus)
        if servers.is_hidden and is_working:
            cpu, gpu = _HIDDEN, _HIDDEN
        found = programs_running(processes, programs, besides=own)
        return Load(self._now(), cpu, gpu, found, () if isinstance(gpus, NotAvailable) else gpus)

    def _gpus(self, own: Collection[int], *, is_working: bool) -> tuple[GpuLoad, ...] | NotAvailable:
        nvidia = self._rests.ask(clock.monotonic(), partial(self._nvidia, own, is_working=is_working))
        others = self._drm.read(own, clock.monotonic(), is_working=is_working)
        if isinstance(nvidia, NotAvailable) and isinstance(others, NotAvailable):
            return NotAvailable(f"{nvidia.why}; {others.why}")
        return tuple(gpu for found in (nvidia, others) if not isinstance(found, NotAvailable) for gpu in found)


def _busiest(gpus: tuple[GpuLoad, ...] | NotAvailable) -> Share:
    """The largest known share of others; else why there is none."""
    if isinstance(gpus, NotAvailable):
        return gpus
    known = [gpu.others_share for gpu in gpus if not isinstance(gpu.others_share, NotAvailable)]
    if known:
        return max(known)
    return next((gpu.others_share for gpu in gpus), NotAvailable("there is no card"))
