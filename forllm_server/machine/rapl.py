"""The energy counters of the processor (RAPL) under Linux.

``/sys/class/powercap/intel-rapl:*`` (kernel documentation, power/powercap; AMD's processors appear under the same
name): ``energy_uj`` counts microjoules up to ``max_energy_range_uj`` and begins anew.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from forllm_server.machine.model import NotAvailable

POWERCAP = Path("/sys/class/powercap")
#: packages, and what lies within them
_ZONE = re.compile(r"intel-rapl:\d+(:\d+)?")
_PLATFORM, _PACKAGE, _MEMORY = "psys", "package", "dram"
_MICROJOULES = 1e6
#: More than any machine draws: the counter was set back, not passed over.
_MOST_WATTS = 5_000.0


@dataclass(frozen=True)
class _Counter:
    file: Path
    range_uj: int


class RaplSource:
    """Joules since the reading before. Read it at least every ten minutes: a counter that went round twice in between
    cannot be told from one that went round once. Not for several threads at once."""

    name = "RAPL (processor)"

    def __init__(self, root: Path = POWERCAP) -> None:
        self._counters = _find_counters(root)
        self._before: dict[Path, int] = {}
        self._read_at: float | None = None

    def check(self) -> NotAvailable | None:
        """Why the counters cannot be read, or None."""
        return self._counters if isinstance(self._counters, NotAvailable) else None

    def joules(self, at_seconds: float) -> float | NotAvailable:
        """``at_seconds``: of a clock that never runs back. The first reading gives nothing yet."""
        if isinstance(self._counters, NotAvailable):
            return self._counters
        now: dict[Path, int] = {}
        for counter in self._counters:
            value = _read(counter.file)
            if isinstance(value, NotAvailable):
                self._read_at = None
                return value
            now[counter.file] = value
        before, read_at = self._before, self._read_at
        self._before, self._read_at = now, at_seconds
        if read_at is None or at_seconds <= read_at:
            return NotAvailable("this is the first reading; the next one tells")
        used = sum(
            (now[counter.file] - before[counter.file]) % (counter.range_uj + 1) / _MICROJOULES
            for counter in self._counters
        )
        if used > _MOST_WATTS * (at_seconds - read_at):
            return NotAvailable("the processor's energy counters were set back")
        return used


def _find_counters(root: Path) -> list[_Counter] | NotAvailable:
    """The whole platform's counter where there is one; else those of the packages and of their memory."""
    by_name: dict[str, list[_Counter]] = {}
    for zone in sorted(root.iterdir()) if root.is_dir() else ():
        if not _ZONE.fullmatch(zone.name):
            continue
        name, most = _text(zone / "name"), _read(zone / "max_energy_range_uj")
        if name and isinstance(most, int) and most > 0:
            by_name.setdefault(name.partition("-")[0], []).append(_Counter(zone / "energy_uj", most))
    found = by_name.get(_PLATFORM) or [*by_name.get(_PACKAGE, ()), *by_name.get(_MEMORY, ())]
    if not found:
        return NotAvailable("this machine shows no energy counters of its processor")
    for counter in found:
        value = _read(counter.file)
        if isinstance(value, NotAvailable):
            return value
    return found


def _read(file: Path) -> int | NotAvailable:
    try:
        return int(file.read_text())
    except PermissionError:
        return NotAvailable(f"only an administrator may read {file.name} of the processor")
    except (OSError, ValueError) as error:
        return NotAvailable(f"{file.name} of the processor cannot be read: {error}")


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
