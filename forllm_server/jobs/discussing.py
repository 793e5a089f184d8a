"""Debates and councils: begun, gone on with step by step, and stopped.

The next step is put into the queue in the transaction that settles the one before it, so that no kill can stand
between the two. What ends otherwise (it failed, it was called off, its backend was deleted) is found every few seconds
by :func:`tend_discussions`. Nothing of a discussion is kept anywhere but in the database.

Locks are taken in one order: posts, topics, the discussion, LLM requests, versions.
"""

import random
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from forllm_server import log
from forllm_server.catalog.choosing import choose_model
from forllm_server.catalog.model import ChosenModel
from forllm_server.db import Database
from forllm_server.discussions import discussion_store as store
from forllm_server.discussions.course import Over, ToAsk, next_of
from forllm_server.discussions.making import DiscussionDraft, SeatDraft, check
from forllm_server.discussions.model import Discussion, Ending, Kind, NewDiscussion, Seat, StepKind
from forllm_server.discussions.ranking import REPLY_TOKENS
from forllm_server.errors import Conflict, Invalid, NotFound, TopicLocked
from forllm_server.forum import post_store
from forllm_server.jobs.asking import REPLY, TooManyAsked, default_parameters
from forllm_server.jobs.fanning import GROUP_ID, new_group_id
from forllm_server.personas import persona_store, version_store
from forllm_server.personas.parameters import merge
from forllm_server.queue.asking_store import PostAsked, count_waiting, find_post_asked
from forllm_server.queue.bulk import Action, change_many
from forllm_server.queue.llm_request_store import count_answers, insert_llm_request
from forllm_server.queue.model import Lane, LlmRequest, NewLlmRequest
from forllm_server.queue.version_store import bump_versions
from forllm_server.settings.values import Settings, read_settings

#: The name of the kind of job that ranks answers (jobs/ranking.py).
RANKING = "ranking"
#: In ``llm_requests.input``: the discussion that it is a step of.
DISCUSSION = "discussion_id"
_MOST_SEED = 2**62
#: How often the number of an answer is counted anew.
_TRIES = 3


def begin(connection: Connection, draft: DiscussionDraft, *, owner_id: int, now: datetime) -> Discussion:
    """Begin a debate or a council about a post. Sent twice with one ``group_id``, it is one.

    Raises NotFound (post), TopicLocked, Invalid (what is wrong in the draft, with its field) and TooManyAsked.
    """
    if draft.group_id and not GROUP_ID.fullmatch(draft.group_id):
        raise Invalid("This form is damaged. Open it again.", field="group_id")
    known = store.find_discussion_of_group(connection, draft.group_id) if draft.group_id else None
    if known is not None:
        return known
    draft = check(draft)
    post = get_post_to_ask(connection, draft.post_id)
    new = NewDiscussion(
        owner_id=owner_id,
        kind=draft.kind,
        post_id=post.post_id,
        group_id=draft.group_id or new_group_id(),
        seats=tuple(_seat(connection, seat, "seats") for seat in draft.seats),
        closer=_seat(connection, draft.closer, "closer") if draft.closer else None,
        motion=draft.motion,
        limits=draft.limits,
        is_run_now=draft.is_run_now,
        seed=random.SystemRandom().randrange(_MOST_SEED),
    )
    _refuse_flood(connection, owner_id, length_of(draft))
    discussion = store.insert_discussion(connection, new, now)
    advance(connection, discussion.id, now)
    log.event("discussion.begun", discussion=discussion.id, kind=discussion.kind.value, seats=len(discussion.seats))
    return store.get_discussion(connection, discussion.id)


def length_of(discussed: DiscussionDraft | Discussion) -> int:
    """How many LLM requests it makes at most, rankings asked for twice aside."""
    if discussed.kind is Kind.COUNCIL:
        return 2 * len(discussed.seats) + 1
    return (discussed.limits.turns or 0) + (discussed.closer is not None)


def get_post_to_ask(connection: Connection, post_id: int) -> PostAsked:
    """The post as asking sees it. Raises NotFound and TopicLocked."""
    found = find_post_asked(connection, post_id)
    if found is None or found.is_deleted:
        post_store.get_post(connection, post_id)
        raise NotFound("This post is in the trash. Restore it before asking about it.")
    if found.is_locked:
        raise TopicLocked()
    return found


def advance(connection: Connection, discussion_id: int, now: datetime) -> int:
    """Ask what comes next, or end the discussion; how many LLM requests were made. Safe to be called at any time."""
    discussion = store.get_discussion_to_change(connection, discussion_id)
    if not discussion.is_open:
        return 0
    gone = [place for place, seat in enumerate(discussion.seats) if not _is_there(connection, seat)]
    coming = next_of(discussion, store.list_steps(connection, discussion_id), gone=gone)
    if not isinstance(coming, Over):
        coming = _hindrance(connection, discussion, coming) or coming
    if isinstance(coming, Over):
        _end(connection, discussion, _as_told(connection, discussion, coming), now)
        return 0
    for each in coming:
        if each.ending is not None:
            store.update_ending(connection, discussion.id, each.ending, ended_at=None)
        _ask(connection, discussion, each, now)
    return len(coming)


def stop(connection: Connection, discussion_id: int, now: datetime) -> Discussion:
    """End it: what waits is called off, what runs is stopped by its worker. What was said stays. Raises NotFound."""
    discussion = store.get_discussion_to_change(connection, discussion_id)
    if discussion.is_open:
        live = [step.llm_request_id for step in store.list_steps(connection, discussion_id) if step.is_live]
        _end(connection, discussion, Over(Ending.STOPPED), now)
        change_many(connection, Action.CANCEL, live, now)
        bump_versions(connection, discussion.topic_id)
    return store.get_discussion(connection, discussion_id)


def tend_discussions(database: Database, now: datetime) -> int:
    """Go on with those whose last step ended otherwise than well. How many LLM requests were made. A chore."""
    with database.read() as connection:
        open_ids = store.list_open_ids(connection)
        steps = store.list_steps_of(connection, open_ids)
    made = 0
    for discussion_id in open_ids:
        if not any(step.is_live for step in steps[discussion_id]):
            made += _tend(database, discussion_id, now)
    return made


def _tend(database: Database, discussion_id: int, now: datetime) -> int:
    with database.read() as connection:
        discussion = store.get_discussion(connection, discussion_id)
        gone = [place for place, seat in enumerate(discussion.seats) if not _is_there(connection, seat)]
        if next_of(discussion, store.list_steps(connection, discussion_id), gone=gone) == ():
            return 0
    with database.transaction() as connection:
        made = advance(connection, discussion_id, now)
        bump_versions(connection, discussion.topic_id)
    return made


def _hindrance(connection: Connection, discussion: Discussion, asks: Sequence[ToAsk]) -> Over | None:
    """Why what comes next cannot be asked."""
    for each in asks:
        post = find_post_asked(connection, each.post_id or discussion.post_id)
        if post is None or post.is_deleted:
            return Over(Ending.GONE)
        if post.is_locked:
            return Over(Ending.LOCKED)
        seat = discussion.seat(each.seat)
        if not _is_there(connection, seat):
            return Over(Ending.PERSONA_GONE, f"{seat.name} was deleted")
        try:
            _choose_model(connection, seat, read_settings(connection))
        except Invalid as error:
            return Over(Ending.MODEL_GONE, error.message)
    return None


def _as_told(connection: Connection, discussion: Discussion, over: Over) -> Over:
    """A topic that goes to the trash takes its LLM requests along: that is why, and not that they were called off."""
    if over.ending in (Ending.CALLED_OFF, Ending.TOO_FEW):
        post = find_post_asked(connection, discussion.post_id)
        if post is None or post.is_deleted:
            return Over(Ending.GONE)
    return over


def _end(connection: Connection, discussion: Discussion, over: Over, now: datetime) -> None:
    store.update_ending(connection, discussion.id, over.ending, detail=over.detail, ended_at=now)
    log.event("discussion.ended", discussion=discussion.id, ending=over.ending.value)


def _ask(connection: Connection, discussion: Discussion, ask: ToAsk, now: datetime) -> None:
    made = None
    for _ in range(_TRIES):
        # Its number among the answers is a new one, unless a person has just asked the same of the same.
        made = made or insert_llm_request(connection, _new_request(connection, discussion, ask), now)
    if made is None:
        raise Conflict()
    store.insert_step(
        connection,
        discussion.id,
        kind=ask.kind,
        seat=ask.seat,
        attempt=ask.attempt,
        llm_request_id=made.id,
        shown=ask.shown,
    )


def _new_request(connection: Connection, discussion: Discussion, ask: ToAsk) -> NewLlmRequest:
    settings, seat = read_settings(connection), discussion.seat(ask.seat)
    version = version_store.get_version(connection, seat.persona_version_id)
    chosen = _choose_model(connection, seat, settings)
    model_id = chosen.model.id if chosen else None
    parameters = merge(default_parameters(settings), version.parameters)
    if ask.kind is StepKind.RANKING:
        # Not in the persona's manner, but as sure as it can be; the second time otherwise, or it would say the same.
        parameters = _sober(parameters, is_again=ask.attempt > 1)
    elif ask.most_tokens is not None:
        parameters["max_tokens"] = min(int(parameters["max_tokens"]), ask.most_tokens)
    number = 1
    if ask.post_id is not None:
        named = {"persona_id": seat.persona_id, "model_id": model_id}
        number = count_answers(connection, post_id=ask.post_id, **named) + 1
    return NewLlmRequest(
        owner_id=discussion.owner_id,
        kind=RANKING if ask.kind is StepKind.RANKING else REPLY,
        topic_id=discussion.topic_id,
        post_id=ask.post_id,
        persona_id=seat.persona_id,
        persona_version_id=version.id,
        backend_id=chosen.backend.id if chosen else None,
        model_id=model_id,
        model_name=chosen.model.name if chosen else None,
        lane=Lane.LIVE if discussion.is_run_now else Lane.NIGHT,
        max_attempts=settings.max_attempts,
        parameters=parameters,
        input={
            "persona_reason": "asked",
            "model_reason": chosen.reason if chosen else None,
            DISCUSSION: discussion.id,
        },
        answer_number=number,
        group_id=discussion.group_id,
    )


def _sober(parameters: dict[str, Any], *, is_again: bool) -> dict[str, Any]:
    most = max(int(parameters["max_tokens"]), REPLY_TOKENS)
    kept = {name: value for name, value in parameters.items() if name not in ("stop", "top_p")}
    return kept | {"temperature": 0.4 if is_again else 0.0, "max_tokens": most}


def _choose_model(connection: Connection, seat: Seat, settings: Settings) -> ChosenModel | None:
    version = version_store.get_version(connection, seat.persona_version_id)
    return choose_model(
        connection,
        asked_model_id=seat.model_id,
        persona_model_id=version.model_id,
        fallback_model_ids=version.fallback_model_ids,
        default_model_id=settings.default_model_id,
    )


def _seat(connection: Connection, draft: SeatDraft, field: str) -> Seat:
    """Who sits there, with the version that the persona has now. Raises Invalid."""
    persona = persona_store.find_persona(connection, draft.persona_id)
    if persona is None or persona.is_deleted:
        raise Invalid("One of the personas is not there any more. Choose again.", field=field)
    seat = Seat(persona.id, persona.version.id, persona.name, persona.version.number, draft.model_id, draft.role)
    try:
        _choose_model(connection, seat, read_settings(connection))
    except Invalid as error:
        raise Invalid(error.message, field=field) from error
    return seat


def _is_there(connection: Connection, seat: Seat) -> bool:
    persona = persona_store.find_persona(connection, seat.persona_id)
    return persona is not None and not persona.is_deleted


def _refuse_flood(connection: Connection, owner_id: int, number: int) -> None:
    settings = read_settings(connection)
    if number > settings.max_asked_at_once:
        raise TooManyAsked(
            f"That asks for {number:,} answers of models, and {settings.max_asked_at_once:,} are allowed at once. Ask "
            "for fewer, or raise “Most replies asked for at once” (max_asked_at_once) in the settings.",
            field="seats",
            asked=number,
            limit=settings.max_asked_at_once,
        )
    waiting = count_waiting(connection, owner_id)
    if waiting + number > settings.max_waiting:
        raise TooManyAsked(
            f"{waiting:,} of your LLM requests wait already, and {settings.max_waiting:,} may. Let some of them be "
            "answered or cancel some, or raise “Most LLM requests waiting” (max_waiting) in the settings.",
            field="seats",
            waiting=waiting,
            limit=settings.max_waiting,
        )


def discussion_of(request: LlmRequest) -> int | None:
    """The discussion that an LLM request is a step of; None: of none."""
    found = request.input.get(DISCUSSION)
    return found if type(found) is int else None
