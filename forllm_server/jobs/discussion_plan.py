"""How long a debate or a council takes: before it is begun, and what is left of it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from forllm_server.catalog import backend_store
from forllm_server.catalog.choosing import choose_model
from forllm_server.discussions.course import RANKING_ATTEMPTS, planned_of
from forllm_server.discussions.making import DiscussionDraft, SeatDraft, check
from forllm_server.discussions.model import Discussion, Kind, Step, StepKind
from forllm_server.errors import Invalid
from forllm_server.jobs.asking import default_parameters
from forllm_server.jobs.discussing import get_post_to_ask
from forllm_server.jobs.forecast import NewAsk, done_by_words, forecast_for_new
from forllm_server.personas import persona_store, version_store
from forllm_server.personas.model import PersonaVersion
from forllm_server.personas.parameters import merge
from forllm_server.schedule.words import duration_words
from forllm_server.settings.values import Settings, read_settings


def plan_words(connection: Connection, draft: DiscussionDraft, now: datetime) -> str:
    """What beginning it would add to the queue, in a sentence. Nothing is stored. Raises as beginning it."""
    draft = check(draft)
    post = get_post_to_ask(connection, draft.post_id)
    seats = list(draft.seats)
    closing = [draft.closer] if draft.closer else []
    if draft.kind is Kind.COUNCIL:
        plan = [*seats, *seats, *closing]
    else:
        turns = draft.limits.turns or 0
        plan = [*(seats[number % len(seats)] for number in range(turns)), *closing]
    settings = read_settings(connection)
    found: dict[SeatDraft, NewAsk | None] = {}
    for seat in dict.fromkeys(plan):
        asked = replace(seat, role="")
        found[seat] = _new_ask(
            connection, asked, _current(connection, seat), settings, post.topic_id, is_run_now=draft.is_run_now
        )
    asks = [found[seat] for seat in plan]
    if draft.kind is Kind.DEBATE:
        words = f"Asks for up to {len(asks)} answers of models"
    else:
        most = len(asks) + len(seats) * (RANKING_ATTEMPTS - 1)
        words = f"Asks for {len(asks)} answers of models, {most} at most if rankings must be asked for again"
    return _words(connection, words, asks, now)


def remaining_words(connection: Connection, discussion: Discussion, steps: Sequence[Step], now: datetime) -> str:
    """What is still to come of it, in a sentence; empty when nothing is."""
    live = [(step.kind, step.seat) for step in steps if step.is_live]
    planned = planned_of(discussion, steps)
    if not planned and not live:
        return ""
    settings = read_settings(connection)
    asks = []
    for _, place in planned:
        seat = discussion.seat(place)
        version = version_store.get_version(connection, seat.persona_version_id)
        draft = SeatDraft(seat.persona_id, seat.model_id)
        try:
            asks.append(
                _new_ask(connection, draft, version, settings, discussion.topic_id, is_run_now=discussion.is_run_now)
            )
        except Invalid:
            asks.append(None)
    number = len(planned) + len(live)
    is_most = discussion.kind is Kind.DEBATE and any(kind is StepKind.TURN for kind, _ in planned)
    words = f"{'Up to ' if is_most else ''}{number} {'answer' if number == 1 else 'answers'} still to come"
    return f"{words}." if not planned else _words(connection, words, asks, now)


def _words(connection: Connection, words: str, asks: Sequence[NewAsk | None], now: datetime) -> str:
    known = [each for each in asks if each is not None]
    if len(known) < len(asks) or not known:
        return f"{words}. They wait until a model is there."
    addition = forecast_for_new(connection, known, now)
    if addition.machine_seconds is None:
        return f"{words}; how long that takes is unknown until one reply of each model has finished."
    words += f", about {duration_words(timedelta(seconds=addition.machine_seconds))} on this machine"
    # Each waits for the one before it. Where several are answered at once, the end of a line says nothing of that.
    if addition.done_by is not None and _is_one_line(connection, known):
        words += f", {done_by_words(addition.done_by, addition.at, addition.zone)}"
    return f"{words}."


def _is_one_line(connection: Connection, asks: Sequence[NewAsk]) -> bool:
    backend_ids = {each.backend_id for each in asks}
    return len(backend_ids) == 1 and backend_store.get_backend(connection, backend_ids.pop()).replies_at_once == 1


def _current(connection: Connection, seat: SeatDraft) -> PersonaVersion:
    persona = persona_store.find_persona(connection, seat.persona_id)
    if persona is None or persona.is_deleted:
        raise Invalid("One of the personas is not there any more. Choose again.", field="seats")
    return persona.version


def _new_ask(
    connection: Connection,
    seat: SeatDraft,
    version: PersonaVersion,
    settings: Settings,
    topic_id: int | None,
    *,
    is_run_now: bool,
) -> NewAsk | None:
    """What asking it would mean for the queue; None while no model is there. Raises Invalid (seats)."""
    try:
        chosen = choose_model(
            connection,
            asked_model_id=seat.model_id,
            persona_model_id=version.model_id,
            fallback_model_ids=version.fallback_model_ids,
            default_model_id=settings.default_model_id,
        )
    except Invalid as error:
        raise Invalid(error.message, field="seats") from error
    if chosen is None:
        return None
    return NewAsk(
        backend_id=chosen.backend.id,
        model_id=chosen.model.id,
        persona_id=seat.persona_id,
        persona_version_id=version.id,
        topic_id=topic_id,
        max_tokens=int(merge(default_parameters(settings), version.parameters)["max_tokens"]),
        is_run_now=is_run_now,
    )
