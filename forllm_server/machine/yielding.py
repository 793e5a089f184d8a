"""When to make way for others: a function of what was read of the machine, without clock and without files.

Over a limit for ``busy_seconds`` without a break: busy. Busy ends only after ``quiet_minutes`` without one reading
over a limit. With a reading every ``SAMPLE_SECONDS`` busy comes within ``PROMISE_SECONDS`` of the beginning: the
beginning may fall into one interval whose average stays under the limit, the end into the middle of another.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from forllm_server.errors import Invalid
from forllm_server.machine.model import Load, NotAvailable, Share

SAMPLE_SECONDS = 5
PROMISE_SECONDS = 30
MOST_BUSY_SECONDS = PROMISE_SECONDS - 2 * SAMPLE_SECONDS
#: After a longer silence between readings, or when the clock was set back, both counts begin anew.
GAP_SECONDS = 60


@dataclass(frozen=True)
class YieldRules:
    """When others' use counts. Raises Invalid, with the field's name, for what cannot be meant."""

    #: 0.0 to 1.0 of all cores; None: the CPU does not count
    cpu_share_limit: float | None = None
    #: 0.0 to 1.0 of the busiest card; None: cards do not count
    gpu_share_limit: float | None = None
    #: programs that count as soon as they run; see ``LoadReader.read``
    programs: tuple[str, ...] = ()
    busy_seconds: int = 15
    quiet_minutes: int = 10

    def __post_init__(self) -> None:
        for name in ("cpu_share_limit", "gpu_share_limit"):
            limit = getattr(self, name)
            if limit is not None and not 0 <= limit < 1:
                raise Invalid("The limit is a share of the whole: 0 % or more, and less than 100 %.", field=name)
        if not 0 <= self.busy_seconds <= MOST_BUSY_SECONDS:
            raise Invalid(
                f"Between 0 and {MOST_BUSY_SECONDS} seconds: others are made way for within {PROMISE_SECONDS} seconds.",
                field="busy_seconds",
            )
        if not 0 <= self.quiet_minutes <= 24 * 60:
            raise Invalid("Between 0 minutes and a day (1,440 minutes).", field="quiet_minutes")

    @property
    def is_on(self) -> bool:
        """Whether anything counts; else the machine need not be read at all."""
        return self.cpu_share_limit is not None or self.gpu_share_limit is not None or bool(self.programs)


@dataclass(frozen=True)
class Quiet:
    """The machine is free for the models."""


@dataclass(frozen=True)
class Busy:
    """Others use the machine: make way."""

    #: for people, e.g. ``GPU in use by others (87 %)``; the latest there was
    reason: str
    since: datetime
    #: when it ends if no one uses the machine until then; None while someone does
    resumes_at: datetime | None = None


Decision = Quiet | Busy


@dataclass(frozen=True)
class YieldState:
    """What is remembered from one reading to the next. Begin with ``YieldState()``."""

    decision: Decision = Quiet()
    read_at: datetime | None = None
    #: since when every reading was over a limit
    over_since: datetime | None = None
    #: since when none was
    quiet_since: datetime | None = None


def advance(state: YieldState, rules: YieldRules, load: Load) -> YieldState:
    """The state after one more reading; its ``decision`` tells what holds now."""
    if not rules.is_on:
        return YieldState(read_at=load.at)
    reason = reason_to_yield(rules, load)
    began_at = _interval_start(state, load.at)
    # After a gap nothing is known of the time between, so that no count goes on.
    earlier = state if began_at is not None else YieldState(state.decision)
    if reason:
        over_since = earlier.over_since or began_at or load.at
        decision = _when_over(state.decision, rules, load.at, over_since, reason)
        return YieldState(decision, load.at, over_since=over_since)
    quiet_since = earlier.quiet_since or load.at
    decision = _when_quiet(state.decision, rules, load.at, quiet_since)
    return YieldState(decision, load.at, quiet_since=quiet_since)


def reason_to_yield(rules: YieldRules, load: Load) -> str:
    """What in this reading is over a limit, for people; empty when nothing is. What is not known is not over."""
    reasons = [f"{name} is running" for name in load.programs]
    if _is_over(load.gpu_others_share, rules.gpu_share_limit):
        reasons.append(f"GPU in use by others ({_percent(load.gpu_others_share)})")
    if _is_over(load.cpu_others_share, rules.cpu_share_limit):
        reasons.append(f"CPU in use by others ({_percent(load.cpu_others_share)})")
    return ", ".join(reasons)


def _interval_start(state: YieldState, at: datetime) -> datetime | None:
    """Where the time that this reading speaks for begins: at the one before, if that can be relied on."""
    if state.read_at is None or not timedelta(0) <= at - state.read_at <= timedelta(seconds=GAP_SECONDS):
        return None
    return state.read_at


def _when_over(decision: Decision, rules: YieldRules, at: datetime, over_since: datetime, reason: str) -> Decision:
    if isinstance(decision, Busy):
        return Busy(reason, decision.since)
    if at - over_since >= timedelta(seconds=rules.busy_seconds):
        return Busy(reason, at)
    return decision


def _when_quiet(decision: Decision, rules: YieldRules, at: datetime, quiet_since: datetime) -> Decision:
    if isinstance(decision, Quiet):
        return decision
    resumes_at = quiet_since + timedelta(minutes=rules.quiet_minutes)
    return Quiet() if at >= resumes_at else Busy(decision.reason, decision.since, resumes_at)


def _is_over(share: Share, limit: float | None) -> bool:
    return limit is not None and not isinstance(share, NotAvailable) and share > limit


def _percent(share: Share) -> str:
    return str(share) if isinstance(share, NotAvailable) else f"{share * 100:.0f} %"
