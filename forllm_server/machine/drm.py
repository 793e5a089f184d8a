"""AMD and Intel cards under Linux, from files of the kernel.

``/sys/class/drm/card*/device/gpu_busy_percent`` (amdgpu) is the whole card's. What each process used of a card's
engines is in ``/proc/PID/fdinfo/FD`` (kernel documentation, gpu/drm-usage-stats): ``drm-pdev``, ``drm-client-id``
and ``drm-engine-NAME: N ns``. Games are found there; ROCm's compute queues are not.
"""

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from forllm_server.machine.model import GpuLoad, NotAvailable, Share

DRM = Path("/sys/class/drm")
PROC = Path("/proc")
_DEVICES = "/dev/dri/"
_CARD = re.compile(r"card\d+")
_NAMES = {"0x1002": "AMD", "0x8086": "Intel", "0x10de": "NVIDIA"}
_NANOSECONDS = 1e9

#: (card's PCI address, client) → engine → nanoseconds used
Engines = dict[tuple[str, str], dict[str, float]]


class DrmReader:
    """Each ``read`` tells of the time since the one before. Not for several threads at once."""

    def __init__(self, drm: Path = DRM, proc: Path = PROC) -> None:
        self._drm = drm
        self._proc = proc
        self._before: Engines | None = None
        self._read_at = 0.0

    def read(self, own: Collection[int], at_seconds: float, *, is_working: bool) -> tuple[GpuLoad, ...] | NotAvailable:
        """The cards' load by others than the processes ``own``. ``at_seconds``: of a clock that never runs back.

        ``is_working``: whether own models work just now; while none does, all that a card does is others'.
        """
        cards = {address: _busy_share(device) for address, device in self._cards()}
        if not cards:
            return NotAvailable("there is no AMD or Intel card that the kernel tells of")
        shares = self._shares(own, at_seconds)
        loads = []
        for address, (name, busy) in cards.items():
            others: Share = shares.get(address, NotAvailable("no process of others is seen on this card"))
            if not is_working and not isinstance(busy, NotAvailable):
                others = max(busy, others) if isinstance(others, float) else busy
            loads.append(GpuLoad(name, busy, others))
        return tuple(loads)

    def _cards(self) -> Iterator[tuple[str, Path]]:
        if not self._drm.is_dir():
            return
        for card in sorted(self._drm.iterdir()):
            vendor = _line(card / "device" / "vendor")
            # Another reader knows more of NVIDIA's.
            if _CARD.fullmatch(card.name) and vendor is not None and _NAMES.get(vendor) != "NVIDIA":
                yield (card / "device").resolve().name, card / "device"

    def _shares(self, own: Collection[int], at_seconds: float) -> dict[str, float]:
        """The share of each card's busiest engine that others used since the reading before, by PCI address."""
        engines = self._engines(own)
        before, since = self._before, at_seconds - self._read_at
        self._before, self._read_at = engines, at_seconds
        used: dict[tuple[str, str], float] = {}
        for client, times in engines.items():
            # One that was not there before may have used all that it did since.
            earlier = (before or {}).get(client, {})
            for engine, nanoseconds in times.items():
                of_card = (client[0], engine)
                used[of_card] = used.get(of_card, 0.0) + max(0.0, nanoseconds - earlier.get(engine, 0.0))
        if before is None or since <= 0:
            return {}
        shares: dict[str, float] = {}
        for (address, _engine), nanoseconds in used.items():
            share = min(1.0, nanoseconds / _NANOSECONDS / since)
            shares[address] = max(share, shares.get(address, 0.0))
        return shares

    def _engines(self, own: Collection[int]) -> Engines:
        found: Engines = {}
        for folder in self._proc.iterdir() if self._proc.is_dir() else ():
            if not folder.name.isdigit() or int(folder.name) in own:
                continue
            # Other users' processes are closed to all but an administrator, and any may end meanwhile.
            with suppress(OSError):
                for handle in (folder / "fd").iterdir():
                    with suppress(OSError):
                        if str(handle.readlink()).startswith(_DEVICES):
                            _add_client(found, (folder / "fdinfo" / handle.name).read_text())
        return found


def _add_client(found: Engines, text: str) -> None:
    """One open file. Duplicates of it tell of the same client again."""
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
    client = (facts.get("drm-pdev", ""), facts.get("drm-client-id", ""))
    if not all(client):
        return
    times = found.setdefault(client, {})
    for name, value in facts.items():
        number, _, unit = value.partition(" ")
        if name.startswith("drm-engine-") and unit == "ns" and number.isdigit():
            times[name] = float(number)


def _busy_share(device: Path) -> tuple[str, Share]:
    name = _NAMES.get(_line(device / "vendor") or "", "GPU")
    percent = _line(device / "gpu_busy_percent")
    if percent is None or not percent.isdigit():
        return name, NotAvailable(f"the driver of this {name} card tells no utilisation")
    return name, min(1.0, int(percent) / 100)


def _line(file: Path) -> str | None:
    try:
        return file.read_text().strip()
    except OSError:
        # Also of a card that sleeps.
        return None
