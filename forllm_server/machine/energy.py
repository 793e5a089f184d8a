"""What a span of work cost in energy: measured where the machine tells, else estimated, and always said which.

meter = EnergyMeter(*find_sources(meter_command=""))
meter.tick()                     # every few seconds, by a timer
begun = meter.mark()             # at once, from any thread
...
reading = energy_between(begun, meter.mark(), estimated_watts=120)
"""

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from forllm_server import clock
from forllm_server.errors import Invalid
from forllm_server.machine.commands import command_environment, parse_command
from forllm_server.machine.model import NotAvailable
from forllm_server.machine.nvidia import read_nvidia_watts
from forllm_server.machine.rapl import POWERCAP, RaplSource
from forllm_server.machine.tools import Rests, ask_tool

_JOULES_PER_WATT_HOUR = 3600.0
_WATT_HOURS_PER_KILOWATT_HOUR = 1000.0
#: Between readings further apart nothing is known of the power in between.
GAP_SECONDS = 60.0
#: A span counts as measured when at least so much of it was.
MEASURED_SHARE = 0.9
#: What no meter of one machine shows: it printed something else, as kilowatt-hours or a time.
MOST_WATTS = 20_000.0


@dataclass(frozen=True)
class EnergyReading:
    """The energy of a span."""

    watt_hours: float
    #: False: from a wattage, wholly or in part
    is_measured: bool
    #: for people, e.g. ``RAPL (processor) + nvidia-smi`` or ``estimated from 120 W``
    source: str
    seconds: float


@dataclass(frozen=True)
class EnergyMark:
    """Where the meter stood at a moment. Two marks of one meter make a reading."""

    at_seconds: float
    joules: float
    measured_seconds: float
    source: str


class Source(Protocol):
    """Something that measures."""

    @property
    def name(self) -> str: ...

    def joules(self, at_seconds: float) -> float | NotAvailable:
        """What was used since the reading before, in 2 s at most. ``at_seconds``: when it is read."""


class PowerSource:
    """Energy from readings of power: the mean of two readings counts for the time between them."""

    def __init__(self, name: str, read_watts: Callable[[], float | NotAvailable]) -> None:
        self.name = name
        self._read_watts = read_watts
        self._rests = Rests[float]()
        self._before: tuple[float, float] | None = None

    def joules(self, at_seconds: float) -> float | NotAvailable:
        """Joules since the reading before; nothing yet at the first, or after a gap."""
        watts = self._rests.ask(at_seconds, self._read_watts)
        before = self._before
        if isinstance(watts, NotAvailable):
            self._before = None
            return watts
        self._before = (at_seconds, watts)
        if before is None or not 0 < at_seconds - before[0] <= GAP_SECONDS:
            return NotAvailable("this is the first reading; the next one tells")
        return (watts + before[1]) / 2 * (at_seconds - before[0])


def find_sources(
    meter_command: str = "", *, powercap: Path = POWERCAP
) -> tuple[tuple[Source, ...], tuple[NotAvailable, ...]]:
    """What can measure on this machine, and why other things cannot. Takes 2 s at most.

    ``meter_command``: prints the watts of the whole machine, and then counts alone. Raises Invalid for one that cannot
    be read.
    """
    if meter_command.strip():
        argv = parse_command(meter_command, field="meter_command")
        return (PowerSource("meter command", lambda: read_meter(argv)),), ()
    found: list[Source] = []
    missing: list[NotAvailable] = []
    processor = RaplSource(powercap)
    candidates: tuple[tuple[Source, object], ...] = (
        (processor, processor.check()),
        (PowerSource("nvidia-smi", read_nvidia_watts), read_nvidia_watts()),
    )
    for source, tried in candidates:
        if isinstance(tried, NotAvailable):
            missing.append(tried)
        else:
            found.append(source)
    return tuple(found), tuple(missing)


def read_meter(argv: Sequence[str]) -> float | NotAvailable:
    """The watts that a person's meter command prints: a number, perhaps with a W behind it; in 2 s at most."""
    said = ask_tool(argv, environment=command_environment("energy.metered", {}))
    if isinstance(said, NotAvailable):
        return said
    text = said.strip().removesuffix("W").removesuffix("w").strip().replace(",", ".")
    try:
        watts = float(text)
    except ValueError:
        return NotAvailable(f"the meter command printed “{text[:40]}” where a number of watts was expected")
    if not 0 <= watts <= MOST_WATTS:
        return NotAvailable(f"the meter command printed {watts:g}, which cannot be a machine's watts")
    return watts


class EnergyMeter:
    """Adds up what its sources tell. ``tick`` from one thread, ``mark`` from any."""

    def __init__(self, sources: Sequence[Source], *, now_seconds: Callable[[], float] = clock.monotonic) -> None:
        self._sources = tuple(sources)
        self._now_seconds = now_seconds
        self._lock = threading.Lock()
        self._ticked_at: float | None = None
        self._joules = 0.0
        self._measured_seconds = 0.0
        #: of the last tick that all sources answered; what is assumed until the next
        self._watts: float | None = None
        self._why = NotAvailable("nothing measures energy on this machine")

    @property
    def problem(self) -> NotAvailable | None:
        """Why the last tick measured nothing, or None."""
        with self._lock:
            return None if self._watts is not None else self._why

    def tick(self) -> None:
        """Read all sources; every few seconds, at most GAP_SECONDS apart. Takes 2 s at most."""
        now = self._now_seconds()
        told = [source.joules(now) for source in self._sources]
        missing = next((reading for reading in told if isinstance(reading, NotAvailable)), None)
        with self._lock:
            before, self._ticked_at = self._ticked_at, now
            if missing is not None or not told or before is None or now <= before:
                # A sum without one of its parts would be taken for less than it was.
                self._watts, self._why = None, missing or self._why
                return
            used = sum(reading for reading in told if not isinstance(reading, NotAvailable))
            self._joules += used
            self._measured_seconds += now - before
            self._watts = used / (now - before)

    def mark(self) -> EnergyMark:
        """Where it stands now. Does not wait: since the last tick, its power is taken to have gone on."""
        with self._lock:
            now = self._now_seconds()
            joules, measured = self._joules, self._measured_seconds
            if self._watts is not None and self._ticked_at is not None:
                since = min(max(0.0, now - self._ticked_at), GAP_SECONDS)
                joules, measured = joules + self._watts * since, measured + since
        return EnergyMark(now, joules, measured, " + ".join(source.name for source in self._sources))


def energy_between(begun: EnergyMark, ended: EnergyMark, *, estimated_watts: float) -> EnergyReading:
    """The energy of the span between two marks of one meter.

    What was not measured of it is taken to have drawn ``estimated_watts``: the wattage that a person told. A span of
    which less than MEASURED_SHARE was measured counts as estimated.
    """
    seconds = max(0.0, ended.at_seconds - begun.at_seconds)
    measured = min(seconds, max(0.0, ended.measured_seconds - begun.measured_seconds))
    joules = max(0.0, ended.joules - begun.joules)
    estimate = f"estimated from {estimated_watts:g} W"
    if measured <= 0:
        return EnergyReading(estimated_watts * seconds / _JOULES_PER_WATT_HOUR, False, estimate, seconds)
    if measured >= MEASURED_SHARE * seconds:
        # The little that is missing went on like the rest.
        return EnergyReading(joules * seconds / measured / _JOULES_PER_WATT_HOUR, True, ended.source, seconds)
    joules += estimated_watts * (seconds - measured)
    source = f"{ended.source} for {measured / seconds * 100:.0f} % of the time, else {estimate}"
    return EnergyReading(joules / _JOULES_PER_WATT_HOUR, False, source, seconds)


def energy_cost(watt_hours: float, price_per_kilowatt_hour: float) -> float:
    """What energy costs, in the currency of the price. Raises Invalid for a price that is none."""
    if not math.isfinite(price_per_kilowatt_hour) or price_per_kilowatt_hour < 0:
        raise Invalid("A price is a number, 0 or more.", field="price_per_kilowatt_hour")
    return watt_hours / _WATT_HOURS_PER_KILOWATT_HOUR * price_per_kilowatt_hour
