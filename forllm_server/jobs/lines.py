"""The lines of the backends, as the forecast walks them: who is served when, and what holds a line up."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection

from forllm_server.catalog import backend_store
from forllm_server.catalog.model import BackendRecord
from forllm_server.queue import plan_store, rate_store
from forllm_server.queue.backend_state_store import list_backend_states, list_last_served
from forllm_server.queue.dispatch import load
from forllm_server.queue.estimate import (
    DoneBy,
    Duration,
    Foretold,
    Habit,
    Hours,
    Opening,
    Rates,
    Step,
    duration,
    last_of,
    remaining,
    walk,
)
from forllm_server.queue.model import BackendState, Lane, Pause, Status
from forllm_server.queue.pause_store import list_pauses
from forllm_server.queue.pausing import find_pause
from forllm_server.queue.plan import LONGEST_PLAN, Placed, order
from forllm_server.queue.plan_store import Crowd, InLine
from forllm_server.schedule.gate import Gate, read_gate
from forllm_server.schedule.windows import Closing, openings
from forllm_server.settings.values import read_settings

#: So many openings are looked at; what needs more of them is not foretold.
OPENINGS = 60


@dataclass(frozen=True)
class Line:
    """The requests of one backend: ``queued`` in the order of service; ``rest``: those behind the longest plan."""

    record: BackendRecord
    running: tuple[InLine, ...]
    queued: tuple[InLine, ...]
    waiting: tuple[InLine, ...]
    rest: tuple[Crowd, ...] = ()


@dataclass(frozen=True)
class Surroundings:
    """What the lines stand in, read once for all of them. ``habits``: by model and persona."""

    now: datetime
    gate: Gate
    states: Mapping[int, BackendState]
    pauses: Mapping[int, Pause]
    rates: Mapping[int, Rates]
    habits: Mapping[tuple[int, int | None], Habit | None]


@dataclass(frozen=True)
class Walked:
    """What is foretold of a line. ``rest_done_by``: of each crowd of the line's rest; ``seconds``: the work in all."""

    line: Line
    hours: Hours
    foretold: Mapping[int, Foretold]
    rest_done_by: tuple[DoneBy | None, ...]
    seconds: float

    @property
    def rest_count(self) -> int:
        """Of those that are only counted, how many are foretold."""
        rest = zip(self.line.rest, self.rest_done_by, strict=True)
        return sum(crowd.number for crowd, done_by in rest if done_by is not None)

    def placed(self, now: datetime) -> list[Placed]:
        """The queued ones with the opening that each waits for."""
        return [
            Placed(each.id, self.line.record.id, each.candidate.model_id, self._opens_at(each, now))
            for each in self.line.queued
        ]

    def _opens_at(self, each: InLine, now: datetime) -> datetime | None:
        if each.candidate.lane is Lane.LIVE:
            return None
        foretold = self.foretold.get(each.id)
        starts_at = foretold.starts_at if foretold else now
        ahead = (opening.start for opening in self.hours.openings if opening.end is None or opening.end > starts_at)
        opens_at = next(ahead, None)
        return opens_at if opens_at is not None and opens_at > now else None


def read_lines(
    connection: Connection,
    now: datetime,
    *,
    backend_id: int | None = None,
    extra: Sequence[InLine] = (),
    crowds: Sequence[Crowd] = (),
) -> tuple[list[Line], Surroundings]:
    """The line of every backend, or of one; ``extra`` stand in it as if they had been asked just now.

    ``crowds``: what will be asked once there is room for it; they stand behind all others of their lane.
    """
    records = [each for each in backend_store.list_backends(connection) if backend_id in (None, each.id)]
    running = plan_store.list_in_line(connection, [Status.RUNNING], limit=LONGEST_PLAN, backend_id=backend_id)
    waiting = plan_store.list_in_line(connection, [Status.WAITING], limit=LONGEST_PLAN, backend_id=backend_id)
    last = list_last_served(connection)
    lines = []
    for record in records:
        queued = plan_store.list_line(connection, record.id, now, limit=LONGEST_PLAN)
        if new := [each for each in extra if each.backend_id == record.id]:
            by_id = {each.id: each for each in (*queued, *new)}
            candidates = [each.candidate for each in by_id.values()]
            ordered = order(candidates, last.get(record.id), now, limit=len(candidates))
            queued = [by_id[each.id] for each in ordered]
        lines.append(Line(record, _of(record, running), tuple(queued), _of(record, waiting)))
    lines = [
        replace(line, rest=line.rest + tuple(crowd for crowd in crowds if crowd.backend_id == line.record.id))
        for line in _with_rest(connection, lines)
    ]
    rates = rate_store.list_rates(connection)
    around = Surroundings(
        now=now,
        gate=read_gate(connection, now, read_settings(connection).zone),
        states=list_backend_states(connection),
        pauses=list_pauses(connection),
        rates=rates,
        habits=rate_store.list_habits(connection, (pair for pair in _pairs(lines) if pair[0] in rates)),
    )
    return lines, around


def _of(record: BackendRecord, requests: Iterable[InLine]) -> tuple[InLine, ...]:
    return tuple(each for each in requests if each.backend_id == record.id)


def _with_rest(connection: Connection, lines: Sequence[Line]) -> list[Line]:
    """Count what stands behind the longest plan; of a line that is read whole nothing does."""
    if all(len(line.queued) < LONGEST_PLAN for line in lines):
        return list(lines)
    crowds = plan_store.list_crowds(connection)
    counted: dict[tuple[int | None, int | None], int] = {}
    for each in (each for line in lines for each in line.queued):
        pair = (each.candidate.model_id, each.persona_id)
        counted[pair] = counted.get(pair, 0) + 1
    rest = [
        replace(crowd, number=crowd.number - counted.get((crowd.model_id, crowd.persona_id), 0)) for crowd in crowds
    ]
    return [
        replace(line, rest=tuple(crowd for crowd in rest if crowd.backend_id == line.record.id and crowd.number > 0))
        for line in lines
    ]


def _pairs(lines: Sequence[Line]) -> set[tuple[int, int | None]]:
    requests = (each for line in lines for each in (*line.running, *line.queued, *line.waiting))
    pairs = {(each.candidate.model_id, each.persona_id) for each in requests if each.candidate.model_id is not None}
    return pairs | {(crowd.model_id, crowd.persona_id) for line in lines for crowd in line.rest}


def walk_line(line: Line, around: Surroundings) -> Walked:
    """Foretell a line: what runs, what is queued, what is counted behind it, and what waits for its next try."""
    hours = _hours(line, around)
    running = [_running_step(each, around) for each in line.running]
    steps = _steps(line, around, hours)
    crowd_steps = _crowd_steps(line, around, hours)
    is_held_up, free_at = _held_up(line, around)
    # What runs now goes before everything that waits for hours, and so do those of it that are only counted.
    crowded = {
        lane: [
            step
            for crowd, members in zip(line.rest, crowd_steps, strict=True)
            if crowd.lane is lane
            for step in members
        ]
        for lane in Lane
    }
    foretold = walk(
        () if is_held_up else [*crowded[Lane.LIVE], *steps, *crowded[Lane.NIGHT]],
        running=running,
        slots=line.record.replies_at_once,
        now=around.now,
        free_at=free_at,
    )
    rest_done_by = tuple(
        last_of(foretold[step.id].done_by for step in members) if all(step.id in foretold for step in members) else None
        for members in crowd_steps
    )
    every = [*running, *steps, *(step for members in crowd_steps for step in members)]
    return Walked(
        line=line,
        hours=hours,
        foretold={key: each for key, each in foretold.items() if key >= 0},
        rest_done_by=rest_done_by,
        seconds=sum(step.length.p50 for step in every if step.length),
    )


def _hours(line: Line, around: Surroundings) -> Hours:
    plan, backend_id = around.gate.plan, line.record.id
    found = islice(openings(plan, backend_id, around.now), OPENINGS)
    closing = around.gate.closing(backend_id)
    return Hours(tuple(Opening(each.start, each.end) for each in found), closing.value)


def _held_up(line: Line, around: Surroundings) -> tuple[bool, datetime | None]:
    """(whether nobody knows when anything new begins, the moment before which nothing does)."""
    paused = find_pause(around.pauses, line.record.id, around.now)
    state = around.states.get(line.record.id)
    moments = [paused.until if paused else None, state.open_until if state else None]
    is_endless = paused is not None and paused.until is None
    return is_endless or not line.record.is_enabled, max((each for each in moments if each), default=None)


def _running_step(each: InLine, around: Surroundings) -> Step:
    whole = length_of(each, around, is_loaded=True)
    elapsed = (around.now - each.started_at).total_seconds() if each.started_at else 0.0
    return Step(each.id, remaining(whole, elapsed) if whole else None)


def _steps(line: Line, around: Surroundings, hours: Hours) -> list[Step]:
    steps = []
    loaded = load(line.running[-1].candidate) if line.running else None
    for each in (*line.queued, *line.waiting):
        length = length_of(each, around, is_loaded=load(each.candidate) == loaded)
        steps.append(Step(each.id, length, each.due_at, None if each.candidate.lane is Lane.LIVE else hours))
        loaded = load(each.candidate)
    return steps


def _crowd_steps(line: Line, around: Surroundings, hours: Hours) -> list[list[Step]]:
    """For each crowd a long step on every slot. Their ids are negative: they stand for nobody in particular.

    A step stands for many requests, each of which may finish or begin again when a window closes: so it goes on at the
    next opening where it was.
    """
    steps = []
    slots = line.record.replies_at_once
    hours = replace(hours, closing=Closing.PAUSE.value)
    for number, crowd in enumerate(line.rest):
        rates, habit = around.rates.get(crowd.model_id), around.habits.get((crowd.model_id, crowd.persona_id))
        one = duration(rates, habit, is_loaded=True)
        share = crowd.number / slots
        each = Duration(one.p50 * share, one.p90 * share) if one else None
        its_hours = None if crowd.lane is Lane.LIVE else hours
        steps.append([Step(-1 - number * slots - slot, each, None, its_hours) for slot in range(slots)])
    return steps


def length_of(each: InLine, around: Surroundings, *, is_loaded: bool) -> Duration | None:
    """How long a request takes, by itself."""
    model_id = each.candidate.model_id
    if model_id is None:
        return None
    return duration(
        around.rates.get(model_id),
        around.habits.get((model_id, each.persona_id)),
        is_loaded=is_loaded,
        prompt_tokens=each.prompt_tokens,
        max_tokens=each.max_tokens,
    )
