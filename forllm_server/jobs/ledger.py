"""What each reply cost in energy and money. Told of every reply; read by the thread that keeps the meter.

with ledger.span(backend_record) as span:
    ...                                  # the model works
usage |= span.facts(settings)
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from forllm_server import clock, log
from forllm_server.catalog.model import BackendRecord
from forllm_server.jobs.locality import is_on_this_machine
from forllm_server.machine.energy import GAP_SECONDS, EnergyMark, EnergyMeter, energy_between, energy_cost, find_sources
from forllm_server.settings.values import Settings

_DIGITS = 6


def energy_facts(before: EnergyMark, after: EnergyMark, settings: Settings, share: float = 1.0) -> dict[str, Any]:
    """``watt_hours``, ``is_energy_measured``, ``energy_source``, and with a price ``cost`` and ``currency``.

    ``share``: 0.0 to 1.0, the part of the machine's work in that time that this was. Empty when nothing was measured
    and no wattage is told. What others used of the machine meanwhile is in it.
    """
    watts = settings.estimated_watts
    reading = energy_between(before, after, estimated_watts=watts or 0.0)
    if not reading.is_measured and watts is None:
        return {}
    watt_hours = reading.watt_hours * share
    facts: dict[str, Any] = {
        "watt_hours": round(watt_hours, _DIGITS),
        "is_energy_measured": reading.is_measured,
        "energy_source": reading.source,
    }
    if settings.price_per_kilowatt_hour is not None:
        cost = energy_cost(watt_hours, settings.price_per_kilowatt_hour)
        facts |= {"cost": round(cost, _DIGITS), "currency": settings.currency}
    return facts


class Span:
    """The time in which a model works on one reply."""

    def __init__(self, ledger: "Ledger", *, is_here: bool) -> None:
        self._ledger = ledger
        self._is_here = is_here
        self._meter = ledger.meter
        self._begun = self._meter.mark()
        self._begun_share_seconds = ledger.share_seconds()
        self._ended: tuple[EnergyMark, float] | None = None

    def end(self) -> None:
        """The model has written its last word. Called by the ledger."""
        self._ended = (self._meter.mark(), self._ledger.share_seconds())

    def facts(self, settings: Settings) -> dict[str, Any]:
        """See ``energy_facts``; empty for a model on another machine, whose meter nobody here can read."""
        if not self._is_here:
            return {}
        ended, share_seconds = self._ended or (self._meter.mark(), self._ledger.share_seconds())
        seconds = ended.at_seconds - self._begun.at_seconds
        share = (share_seconds - self._begun_share_seconds) / seconds if seconds > 0 else 1.0
        return energy_facts(self._begun, ended, settings, min(1.0, max(0.0, share)))


class Ledger:
    """One per process. ``span`` from any thread; ``use`` and ``tick`` from one."""

    def __init__(self, *, now_seconds: Callable[[], float] = clock.monotonic) -> None:
        self._now_seconds = now_seconds
        self._guard = threading.Lock()
        self.meter = EnergyMeter((), now_seconds=now_seconds)
        self._command: str | None = None
        self._is_read = False
        self._named = ""
        self._working = 0
        #: seconds of work done, those of several at once divided among them
        self._share_seconds = 0.0
        self._changed_at = now_seconds()
        self._worked_at = float("-inf")
        #: set when the first of perhaps several begins: the meter should be read at once
        self.begun = threading.Event()

    @contextmanager
    def span(self, record: BackendRecord) -> Iterator[Span]:
        """The work of one reply; others at the same time share what the machine used."""
        is_here = is_on_this_machine(record)
        self._change(+1 if is_here else 0)
        span = Span(self, is_here=is_here)
        try:
            yield span
        finally:
            span.end()
            self._change(-1 if is_here else 0)

    def share_seconds(self) -> float:
        """Where the clock stands that runs 1/n as fast while n replies are written at once."""
        with self._guard:
            self._advance()
            return self._share_seconds

    def use(self, meter_command: str) -> None:
        """Measure with this command, or where it is empty with what the machine has. Takes 2 s when it is another."""
        if meter_command != self._command:
            self._command = meter_command
            self._find()

    def tick(self) -> None:
        """Read the meter, while there is work and a little longer: asking keeps some cards from sleeping."""
        with self._guard:
            self._advance()
            is_wanted = self._working > 0 or self._now_seconds() - self._worked_at < GAP_SECONDS
        if is_wanted:
            self._is_read = True
            self.meter.tick()
        elif self._is_read:
            # A counter that was not read for hours would give their energy to the reply that comes next.
            self._find()

    def _find(self) -> None:
        sources, missing = find_sources(self._command or "")
        self.meter = EnergyMeter(sources, now_seconds=self._now_seconds)
        self._is_read = False
        names = " + ".join(source.name for source in sources) or "none"
        if names != self._named:
            log.event("energy.source_chosen", source=names, detail="; ".join(each.why for each in missing))
            self._named = names

    def _change(self, by: int) -> None:
        with self._guard:
            self._advance()
            is_first = by > 0 and self._working == 0
            self._working += by
        if is_first:
            self.begun.set()

    def _advance(self) -> None:
        now = self._now_seconds()
        if self._working:
            self._share_seconds += (now - self._changed_at) / self._working
            self._worked_at = now
        self._changed_at = now
