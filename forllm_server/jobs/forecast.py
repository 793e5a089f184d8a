"""When the queue will be done: the plan in its order, walked through hours, pauses and slots at the rates learned.

Composed from the queue, the catalog and the schedule. Nothing is foretold of a model before one of its replies has
finished, and nothing of what stands behind such a request on the same backend.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from forllm_server.accounts.local import LOCAL_USER_ID
from forllm_server.db import Database
from forllm_server.jobs.lines import Walked, length_of, read_lines, walk_line
from forllm_server.queue import estimate_store, plan_store, rate_store
from forllm_server.queue.dispatch import Candidate
from forllm_server.queue.estimate import DoneBy, last_of
from forllm_server.queue.estimate_store import Score
from forllm_server.queue.llm_request_store import count_by_status
from forllm_server.queue.model import Lane, LlmRequest, Status
from forllm_server.queue.plan import LONGEST_PLAN, Group, Placed, grouped
from forllm_server.queue.plan_store import InLine
from forllm_server.schedule.words import duration_words, ending_words

#: Behind a longer line a request is not foretold while it is asked, but a little later, together with others.
ESTIMATED_AHEAD = 50
#: Where the ids of requests begin that are not asked yet: behind all that are.
_FIRST_NEW_ID = 1 << 62


@dataclass(frozen=True)
class Forecast:
    """What is foretold of the queue as it stands at ``at``. Keys are ids of LLM requests; what is missing is unknown.

    ``plan``: the queued ones in the order of service, one backend after another, and ``groups``: the same by window
    and model. ``unknown_count``: the live ones, held ones aside, of which nothing can be foretold; ``known_done_by``:
    when the others are done. ``machine_seconds``: the work of the others in all. ``zone``: that of the times shown.
    """

    at: datetime
    starts_at: Mapping[int, datetime]
    done_by: Mapping[int, DoneBy]
    plan: tuple[Placed, ...]
    groups: tuple[Group, ...]
    known_done_by: DoneBy | None
    unknown_count: int
    machine_seconds: float
    score: Score
    counts: Mapping[Status, int]
    zone: ZoneInfo

    @property
    def all_done_by(self) -> DoneBy | None:
        """When everything is done; None when that is unknown, or when there is nothing to do."""
        return None if self.unknown_count else self.known_done_by

    def words(self, llm_request_id: int) -> str:
        """``done by 04:50 (03:55-05:40)`` of a request; empty when it is unknown."""
        found = self.done_by.get(llm_request_id)
        return done_by_words(found, self.at, self.zone) if found else ""


@dataclass(frozen=True)
class NewAsk:
    """A question that is not asked yet, as far as its place and length depend on it.

    ``prompt_tokens`` None: as usual for the persona and the model.
    """

    backend_id: int
    model_id: int
    persona_id: int | None = None
    persona_version_id: int | None = None
    topic_id: int | None = None
    prompt_tokens: int | None = None
    max_tokens: int | None = None
    is_run_now: bool = False
    owner_id: int = LOCAL_USER_ID


@dataclass(frozen=True)
class Addition:
    """What asking adds. ``machine_seconds`` None: no reply of one of the models has finished yet.

    ``done_by`` None while that is so, or while nobody knows when they begin (a pause without an end, no hours).
    """

    number: int
    machine_seconds: float | None
    done_by: DoneBy | None
    at: datetime
    zone: ZoneInfo

    @property
    def words(self) -> str:
        """``adds 3 replies, about 40 min on this machine, done by 04:50 (03:55-05:40)``."""
        return self.words_for(f"{self.number} {'reply' if self.number == 1 else 'replies'}")

    def words_for(self, what: str) -> str:
        """The same of something else than replies."""
        adds = f"adds {what}"
        if self.machine_seconds is None:
            return f"{adds}; how long that takes is unknown until one reply of the model has finished"
        adds += f", about {duration_words(timedelta(seconds=self.machine_seconds))} on this machine"
        if self.done_by is None:
            return f"{adds}; when it will be done is not known now"
        return f"{adds}, {done_by_words(self.done_by, self.at, self.zone)}"


def forecast(connection: Connection, now: datetime) -> Forecast:
    """Foretell the whole queue. Of a very long line the end is only counted, so that this stays quick."""
    lines, around = read_lines(connection, now)
    walked = [walk_line(line, around) for line in lines]
    foretold = {key: each for line in walked for key, each in line.foretold.items()}
    counts = count_by_status(connection)
    live_count = sum(counts.get(status, 0) for status in (Status.QUEUED, Status.RUNNING, Status.WAITING))
    plan = tuple(placed for line in walked for placed in line.placed(now))
    return Forecast(
        at=now,
        starts_at={key: each.starts_at for key, each in foretold.items()},
        done_by={key: each.done_by for key, each in foretold.items()},
        plan=plan,
        groups=tuple(grouped(plan)),
        known_done_by=_last(walked),
        unknown_count=live_count - len(foretold) - sum(line.rest_count for line in walked),
        machine_seconds=sum(line.seconds for line in walked),
        score=estimate_store.read_score(connection),
        counts=counts,
        zone=around.gate.plan.default_zone,
    )


def _last(walked: Sequence[Walked]) -> DoneBy | None:
    ranges = [each.done_by for line in walked for each in line.foretold.values()]
    return last_of(ranges + [done_by for line in walked for done_by in line.rest_done_by if done_by is not None])


def forecast_for_new(connection: Connection, asks: Sequence[NewAsk], now: datetime) -> Addition:
    """What asking these would add, for the composer to show before it is done. Nothing is stored."""
    contexts = {like: _context_to_load(connection, like) for like in {_like(ask) for ask in asks}}
    extra = [_as_if_asked(ask, _FIRST_NEW_ID + number, contexts[_like(ask)], now) for number, ask in enumerate(asks)]
    lines, around = read_lines(connection, now, extra=extra)
    backend_ids = {ask.backend_id for ask in asks}
    walked = [walk_line(line, around) for line in lines if line.record.id in backend_ids]
    foretold = {key: each for line in walked for key, each in line.foretold.items()}
    lengths = [length_of(each, around, is_loaded=True) for each in extra]
    known = [length.p50 for length in lengths if length]
    ranges = [foretold[each.id].done_by for each in extra if each.id in foretold]
    return Addition(
        number=len(asks),
        machine_seconds=sum(known) if len(known) == len(asks) else None,
        done_by=last_of(ranges) if len(ranges) == len(asks) else None,
        at=now,
        zone=around.gate.plan.default_zone,
    )


def _like(ask: NewAsk) -> tuple[int, int, int | None]:
    """What the context that it is loaded with depends on."""
    return (ask.backend_id, ask.model_id, ask.persona_version_id)


def _context_to_load(connection: Connection, like: tuple[int, int, int | None]) -> int | None:
    backend_id, model_id, version_id = like
    return plan_store.find_context_to_load(
        connection, backend_id=backend_id, model_id=model_id, persona_version_id=version_id
    )


def _as_if_asked(ask: NewAsk, number: int, context_tokens: int | None, now: datetime) -> InLine:
    lane = Lane.LIVE if ask.is_run_now else Lane.NIGHT
    return InLine(
        candidate=Candidate(
            number,
            lane,
            0,
            ask.model_id,
            ask.persona_version_id,
            ask.topic_id,
            now,
            owner_id=ask.owner_id,
            context_tokens=context_tokens,
        ),
        status=Status.QUEUED,
        backend_id=ask.backend_id,
        persona_id=ask.persona_id,
        due_at=None,
        started_at=None,
        max_tokens=ask.max_tokens,
        prompt_tokens=ask.prompt_tokens,
    )


def estimate_when_asked(connection: Connection, request: LlmRequest, now: datetime) -> None:
    """Keep what is foretold of a request just asked, to be compared with what comes; not behind a long line."""
    if request.backend_id is None or request.model_id is None:
        return
    if rate_store.find_rates(connection, request.model_id) is None:
        return
    if plan_store.has_more_queued(connection, request.backend_id, ESTIMATED_AHEAD):
        return
    lines, around = read_lines(connection, now, backend_id=request.backend_id)
    foretold = walk_line(lines[0], around).foretold.get(request.id) if lines else None
    if foretold is not None:
        estimate_store.insert_estimates(connection, {request.id: foretold.done_by}, now)


def estimate_waiting(database: Database, now: datetime) -> int:
    """Foretell the queued requests of which that was not done when they were asked. Returns how many. A chore."""
    with database.read() as connection:
        lacking = set(estimate_store.list_ids_without_estimate(connection, limit=LONGEST_PLAN))
        if not lacking or not rate_store.list_rates(connection):
            return 0
        done_by = forecast(connection, now).done_by
    found = {key: done_by[key] for key in lacking & done_by.keys()}
    if found:
        with database.transaction() as connection:
            estimate_store.insert_estimates(connection, found, now)
    return len(found)


def done_by_words(done_by: DoneBy, now: datetime, zone: ZoneInfo) -> str:
    """``done by 04:50 (03:55-05:40)``; without the range when it is within a minute."""
    low, middle, high = (
        ending_words(moment, now, zone) for moment in (done_by.low_at, done_by.middle_at, done_by.high_at)
    )
    return f"done by {middle}" if low == high else f"done by {middle} ({low}-{high})"
