"""Where LLM requests stand, in words a person understands: place in line, cause of waiting, what is being done.

Composed from the queue, the catalog and the schedule; the pages and the API show the same sentences.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from forllm_server.catalog import backend_store
from forllm_server.catalog.model import BackendRecord
from forllm_server.queue import llm_request_store
from forllm_server.queue.backend_state_store import list_backend_states
from forllm_server.queue.model import BackendState, Cause, Lane, LlmRequest, Pause, Status
from forllm_server.queue.pause_store import list_pauses
from forllm_server.queue.pausing import find_pause
from forllm_server.queue.plan_store import list_positions
from forllm_server.schedule.gate import Gate, read_gate
from forllm_server.schedule.words import duration_words, moment_words
from forllm_server.settings.values import read_settings

#: The cause of one that waits for nothing but its turn.
IN_LINE = "in_line"
BACKEND_DISABLED = "backend_disabled"
PAUSED = "paused"
#: Causes beside :class:`Cause` that hold for as long as something else does, and are stored with no request.
MOMENTARY_CAUSES = (BACKEND_DISABLED, PAUSED)
#: What holds for all that wait for a backend alike.
_OBSTACLES = (*MOMENTARY_CAUSES, Cause.WINDOW_CLOSED, Cause.BACKEND_DOWN, Cause.NO_MODEL, Cause.MODEL_GONE)


@dataclass(frozen=True)
class Standing:
    """``label``: the state in a word or two. ``cause``: a code for programs. ``sentence``: why, and what comes next."""

    label: str
    sentence: str
    cause: str | None = None
    position: int | None = None
    next_at: datetime | None = None
    needs_person: bool = False


@dataclass(frozen=True)
class _Surroundings:
    """What surrounds the requests, read once for all of them."""

    now: datetime
    gate: Gate
    backends: Mapping[int, BackendRecord]
    states: Mapping[int, BackendState]
    positions: Mapping[int, int]
    pauses: Mapping[int, Pause]

    def moment(self, at: datetime) -> str:
        return moment_words(at, self.now, self.gate.plan.default_zone)


def list_standings(connection: Connection, requests: Sequence[LlmRequest], now: datetime) -> dict[int, Standing]:
    """The standing of each request, by id. A fixed number of queries, however many requests."""
    return _list_standings(connection, requests, now, has_positions=True)


def list_obstacles(connection: Connection, llm_request_ids: Collection[int], now: datetime) -> list[tuple[int, str]]:
    """What keeps these LLM requests from being served, other than their turn: how many, and the sentence that says it.

    A fixed number of queries, and none that orders the line."""
    numbers = llm_request_store.count_like_first(connection, llm_request_ids)
    firsts = list(llm_request_store.list_by_ids(connection, numbers).values())
    found: Counter[str] = Counter()
    for first_id, standing in _list_standings(connection, firsts, now, has_positions=False).items():
        if standing.cause in _OBSTACLES:
            found[standing.sentence] += numbers[first_id]
    return [(number, sentence) for sentence, number in found.items()]


def _list_standings(
    connection: Connection, requests: Sequence[LlmRequest], now: datetime, *, has_positions: bool
) -> dict[int, Standing]:
    if not requests:
        return {}
    queued_on = {each.backend_id for each in requests if each.status is Status.QUEUED and each.backend_id is not None}
    surroundings = _Surroundings(
        now=now,
        gate=read_gate(connection, now, read_settings(connection).zone),
        backends={record.id: record for record in backend_store.list_backends(connection)},
        states=list_backend_states(connection),
        positions=list_positions(connection, now, backend_ids=queued_on) if queued_on and has_positions else {},
        pauses=list_pauses(connection) if queued_on else {},
    )
    return {request.id: _standing(request, surroundings) for request in requests}


def _standing(request: LlmRequest, around: _Surroundings) -> Standing:
    match request.status:
        case Status.QUEUED:
            return _queued(request, around)
        case Status.WAITING:
            return _waiting(request, around)
        case Status.HELD:
            return Standing("on hold", "Set aside until it is released.", Cause.HELD)
        case Status.RUNNING:
            return _running(request, around)
        case Status.SUCCEEDED:
            return Standing("answered", "The reply is posted." if request.reply_post_id else "It is done.")
        case Status.CANCELLED:
            is_chain = request.cause is Cause.QUESTION_UNANSWERED
            sentence = request.cause_detail or "" if is_chain else "Called off."
            return Standing("cancelled", sentence, request.cause if is_chain else Cause.CANCELLED)
        case Status.FAILED:
            return Standing("failed", request.cause_detail or "It failed.", request.cause, needs_person=True)


def _queued(request: LlmRequest, around: _Surroundings) -> Standing:
    if request.backend_id is None:
        sentence = "Waits for a model: none is there yet. Add a backend, and it goes on by itself."
        return Standing("no model", sentence, Cause.NO_MODEL, needs_person=True)
    backend = around.backends.get(request.backend_id)
    position = around.positions.get(request.id)
    if backend is None:
        return Standing("backend gone", "Its backend was deleted. Ask another model.", Cause.MODEL_GONE)
    if not backend.is_enabled:
        sentence = f"The backend {backend.name} is disabled. Enable it, or ask another model."
        return Standing("backend off", sentence, BACKEND_DISABLED, position, needs_person=True)
    paused = find_pause(around.pauses, backend.id, around.now)
    if paused is not None:
        return Standing("paused", _pause_sentence(paused, around), PAUSED, position, paused.until)
    state = around.states.get(backend.id)
    if state is not None and state.open_until is not None and state.open_until > around.now:
        when = around.moment(state.open_until)
        sentence = f"{backend.name} cannot be reached; next try {when}. {state.last_error or ''}".strip()
        return Standing("backend unreachable", sentence, Cause.BACKEND_DOWN, position, state.open_until)
    if request.lane is Lane.NIGHT and not around.gate.is_open(backend.id):
        return _outside(backend, position, around)
    return Standing(place_words(position), _line_sentence(position, backend), IN_LINE, position)


def _pause_sentence(paused: Pause, around: _Surroundings) -> str:
    return f"{pause_words(paused, around.now, around.gate.plan.default_zone)}."


def pause_words(paused: Pause, now: datetime, zone: ZoneInfo) -> str:
    """``Paused until 23:00: GPU in use``, ``Paused until it is resumed``."""
    forever = "the machine is quiet again" if paused.is_by_machine else "it is resumed"
    until = moment_words(paused.until, now, zone) if paused.until else forever
    return f"Paused until {until}: {paused.reason}" if paused.reason else f"Paused until {until}"


def _outside(backend: BackendRecord, position: int | None, around: _Surroundings) -> Standing:
    opening = around.gate.next_opening(backend.id)
    if opening is None:
        sentence = "The schedule has no opening in sight. Change it, or run this now."
        return Standing("window closed", sentence, Cause.WINDOW_CLOSED, position, needs_person=True)
    sentence = f"Window opens {around.moment(opening)}, in {duration_words(opening - around.now)}."
    return Standing(place_words(position), sentence, Cause.WINDOW_CLOSED, position, opening)


def place_words(position: int | None) -> str:
    """1 → "next in line", 2 → "2nd in line" …"""
    if position is None:
        return "in line"
    if position == 1:
        return "next in line"
    suffix = "th" if 10 <= position % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(position % 10, "th")
    return f"{position:,}{suffix} in line"


def _line_sentence(position: int | None, backend: BackendRecord) -> str:
    if position == 1:
        return f"Starts as soon as {backend.name} is free."
    return f"Waits for those before it on {backend.name}."


def _waiting(request: LlmRequest, around: _Surroundings) -> Standing:
    when = around.moment(request.due_at) if request.due_at else "soon"
    why = request.cause_detail or ""
    if request.cause is Cause.WAITS_FOR_ANSWER:
        return _in_chain(request)
    if request.cause is Cause.BACKEND_DOWN:
        return Standing("backend unreachable", f"{why} Next try {when}.", request.cause, None, request.due_at)
    sentence = f"Attempt {request.attempts} of {request.max_attempts} failed: {why} Next try {when}."
    return Standing("tries again", sentence, request.cause or Cause.RETRY, None, request.due_at)


def _in_chain(request: LlmRequest) -> Standing:
    """``waits for @skeptic's answer``; its place in the chain, which says how many answers come before it."""
    before = request.input.get("waits_for") or "the one before it"
    link, length = request.input.get("link"), request.input.get("chain_length")
    place = f" It is {link} of {length} in its chain." if link and length else ""
    return Standing(
        f"waits for {before}’s answer", f"Answers {before} as soon as that reply is there.{place}", request.cause
    )


def _running(request: LlmRequest, around: _Surroundings) -> Standing:
    if request.is_cancel_requested:
        return Standing("stopping", "Being called off.", Cause.CANCELLED)
    if request.first_token_at is None:
        # A time of day: what is said stays true on a page that has nothing new to fetch.
        since = f" since {around.moment(request.started_at)}" if request.started_at else ""
        return Standing("reading", f"The model has been loading or reading the prompt{since}.", "reading")
    seconds = (around.now - request.first_token_at).total_seconds()
    pace = f", {request.output_tokens / seconds:.1f} a second" if seconds >= 1 else ""
    return Standing("writing", f"{request.output_tokens:,} tokens{pace}.", "writing")
