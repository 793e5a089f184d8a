"""A reply to a post by a persona on a model: asked for in the evening, performed by a worker."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from forllm_server.backends.base import Backend, Generation, GenerationRequest, Message
from forllm_server.backends.faults import BackendError
from forllm_server.catalog import backend_store, model_store
from forllm_server.catalog.choosing import choose_model
from forllm_server.catalog.model import BackendRecord, Model
from forllm_server.crypto.sealing import CannotOpen
from forllm_server.errors import Conflict, NotFound
from forllm_server.forum import post_store, topic_store
from forllm_server.forum.editing import answer_post
from forllm_server.forum.model import Answer
from forllm_server.jobs.context import JobContext
from forllm_server.jobs.forecast import estimate_when_asked
from forllm_server.jobs.ledger import Span
from forllm_server.jobs.prompting import ContextSize, Question, build_prompt, context_of, counter_for, read_question
from forllm_server.personas import version_store
from forllm_server.personas.choosing import choose
from forllm_server.personas.model import PersonaVersion
from forllm_server.personas.parameters import merge
from forllm_server.prompts.assemble import PERSONA_FIRST, THREAD_FIRST, Assembled
from forllm_server.prompts.budget import DoesNotFit
from forllm_server.prompts.tokens import DEFAULT_CHARACTERS_PER_TOKEN
from forllm_server.queue.control import run_llm_request_now
from forllm_server.queue.estimate_store import count_characters_above
from forllm_server.queue.job import Hopeless, Interrupted, Job
from forllm_server.queue.llm_request_store import (
    count_answers,
    count_personas_asked,
    find_live_twin,
    insert_llm_request,
)
from forllm_server.queue.model import Cause, Lane, LlmRequest, NewLlmRequest, Status
from forllm_server.queue.rate_store import replace_rates
from forllm_server.settings.values import Settings, read_settings

NAME = "reply"


@dataclass(frozen=True)
class Ask:
    """What a person asks: a reply to a post, perhaps by this persona, perhaps on that model."""

    owner_id: int
    post_id: int
    persona_id: int | None = None
    model_id: int | None = None
    is_run_now: bool = False
    priority: int = 0
    #: ask again on purpose what is being or has been answered already
    is_another: bool = False


@dataclass(frozen=True)
class Asked:
    """The LLM request, and whether this call made it; a double click finds the one that is there."""

    request: LlmRequest
    is_new: bool


def ask(connection: Connection, wish: Ask, now: datetime) -> Asked:
    """Queue a reply. Raises NotFound (post), Invalid (persona_id, model_id)."""
    settings = read_settings(connection)
    post = post_store.get_post(connection, wish.post_id)
    topic = topic_store.get_topic(connection, post.topic_id)
    if post.is_deleted:
        raise NotFound("This post is in the trash. Restore it before asking about it.")
    choice = choose(
        connection,
        asked_persona_id=wish.persona_id,
        subforum_id=topic.subforum_id,
        default_persona_id=settings.default_persona_id,
    )
    chosen = choose_model(
        connection,
        asked_model_id=wish.model_id,
        persona_model_id=choice.version.model_id,
        default_model_id=settings.default_model_id,
    )
    new = NewLlmRequest(
        owner_id=wish.owner_id,
        kind=NAME,
        topic_id=post.topic_id,
        post_id=post.id,
        persona_id=choice.persona.id,
        persona_version_id=choice.version.id,
        backend_id=chosen.backend.id if chosen else None,
        model_id=chosen.model.id if chosen else None,
        model_name=chosen.model.name if chosen else None,
        lane=Lane.LIVE if wish.is_run_now else Lane.NIGHT,
        priority=wish.priority,
        max_attempts=settings.max_attempts,
        parameters=merge(default_parameters(settings), choice.version.parameters),
        input={"persona_reason": choice.reason.value, "model_reason": chosen.reason if chosen else None}
        | (_counted(connection, post.id, choice.version, chosen.model) if chosen else {}),
        answer_number=_answer_number(connection, wish, choice.persona.id, chosen.model.id if chosen else None),
    )
    return _insert(connection, new, now)


def _counted(connection: Connection, post_id: int, version: PersonaVersion, model: Model) -> dict[str, int]:
    """About how long the prompt will be: what the time until it is answered is foretold from."""
    characters = count_characters_above(connection, post_id) + len(version.instructions)
    tokens = math.ceil(characters / (model.characters_per_token or DEFAULT_CHARACTERS_PER_TOKEN))
    return {"prompt_tokens": min(tokens, model.context_tokens or tokens)}


def _answer_number(connection: Connection, wish: Ask, persona_id: int, model_id: int | None) -> int:
    asked = count_answers(connection, post_id=wish.post_id, persona_id=persona_id, model_id=model_id)
    return asked + 1 if wish.is_another else max(asked, 1)


def _insert(connection: Connection, new: NewLlmRequest, now: datetime) -> Asked:
    inserted = insert_llm_request(connection, new, now)
    if inserted is not None:
        estimate_when_asked(connection, inserted, now)
        return Asked(inserted, is_new=True)
    twin = find_live_twin(connection, new)
    if twin is None:
        raise NotFound("The question could not be queued. Try again.")
    if new.lane is Lane.LIVE and twin.lane is Lane.NIGHT and twin.status is not Status.RUNNING:
        twin = run_llm_request_now(connection, twin.id, now)
    return Asked(twin, is_new=False)


def default_parameters(settings: Settings) -> dict[str, Any]:
    """What a persona inherits."""
    return {"temperature": settings.temperature, "max_tokens": settings.reply_max_tokens}


@dataclass(frozen=True)
class _Subject:
    """What a run works on, read in one transaction."""

    question: Question
    record: BackendRecord
    model: Model
    settings: Settings
    layout: str


class ReplyKind:
    """Performs a reply: prompt, generation, post."""

    name = NAME

    def __init__(self, context: JobContext) -> None:
        self._context = context

    def run(self, job: Job) -> None:
        """Raises BackendError, Hopeless and Interrupted for the worker to settle."""
        with self._context.database.read() as connection:
            subject = read_subject(connection, job.request)
        backend = self._connect(subject)
        counter = counter_for(subject.model, backend)
        context = context_of(subject.record.kind, subject.model, job.request.parameters, subject.settings)
        prompt = _prompt(
            subject.question,
            counter=counter,
            context=context,
            parameters=job.request.parameters,
            layout=subject.layout,
        )
        job.raise_if_interrupted()
        messages = [message.as_dict() for message in prompt.messages]
        job.save_prompt(layout=prompt.layout, messages=messages, breakdown=prompt.breakdown.as_dict())
        generation = backend.generate(_generation_request(subject.model, prompt, context, job.request.parameters))
        job.on_interrupt(generation.cancel)
        with self._context.ledger.span(subject.record) as span, generation:
            _follow(job, generation)
        self._post(job, subject, prompt, generation, span)

    def _connect(self, subject: _Subject) -> Backend:
        try:
            return self._context.connections.to(subject.record, subject.settings)
        except CannotOpen as error:
            name = subject.record.name
            message = f"The API key of {name} cannot be read with this key file. Enter it again on the backend's page."
            raise Hopeless(message, cause=Cause.ERROR) from error

    def _post(self, job: Job, subject: _Subject, prompt: Assembled, generation: Generation, span: Span) -> None:
        usage = asdict(generation.usage)
        if generation.truncated_prompt is not None:
            usage["truncated_prompt"] = asdict(generation.truncated_prompt)
        usage["is_complete_thread"] = prompt.breakdown.is_complete
        usage |= span.facts(subject.settings)
        answer = _answer(job.request, subject, generation, usage)

        def write_reply(connection: Connection) -> int:
            post_id = _answer_post(connection, answer, job)
            _learn(connection, subject.model, prompt, generation)
            replace_rates(connection, subject.model.id, _timed(usage, job), job.now())
            return post_id

        job.succeed(
            write_reply,
            usage=usage,
            finish_reason=generation.finish_reason or "stop",
            output_tokens=generation.usage.completion_tokens or job.output_tokens,
        )


def _answer_post(connection: Connection, answer: Answer, job: Job) -> int:
    try:
        return answer_post(connection, answer, job.now())
    except (NotFound, Conflict) as error:
        # Deleted while the model wrote, or answered already by whoever has the lease now: the fence tells which.
        raise Hopeless(error.message, cause=Cause.SUBJECT_GONE) from error


def read_subject(connection: Connection, request: LlmRequest) -> _Subject:
    """What the request is about, or Hopeless when it is gone."""
    settings = read_settings(connection)
    record = backend_store.find_backend(connection, request.backend_id or 0)
    model = model_store.find_model(connection, request.model_id or 0)
    if record is None or record.deleted_at is not None or model is None:
        raise Hopeless(
            f"The model {request.model_name or ''} or its backend is no longer there. Ask another model.",
            cause=Cause.MODEL_GONE,
        )
    try:
        post = post_store.get_post(connection, request.post_id or 0)
        topic_store.get_topic(connection, post.topic_id)
    except NotFound as error:
        raise Hopeless("The topic was deleted while this waited.", cause=Cause.SUBJECT_GONE) from error
    if post.is_deleted:
        raise Hopeless("The post was deleted while this waited.", cause=Cause.SUBJECT_GONE)
    version = version_store.get_version(connection, request.persona_version_id or 0)
    question = read_question(connection, post_id=post.id, version=version)
    return _Subject(question, record, model, settings, _layout(connection, request))


def _layout(connection: Connection, request: LlmRequest) -> str:
    """Several personas on one post share the thread when it comes first; one persona's threads share the persona."""
    asked = count_personas_asked(connection, post_id=request.post_id or 0, model_id=request.model_id)
    return THREAD_FIRST if asked > 1 else PERSONA_FIRST


def _prompt(question: Question, **how: Any) -> Assembled:
    try:
        return build_prompt(question, **how)
    except DoesNotFit as error:
        raise Hopeless(error.message, cause=Cause.PROMPT_TOO_LONG) from error


def _generation_request(
    model: Model, prompt: Assembled, context: ContextSize, parameters: Mapping[str, Any]
) -> GenerationRequest:
    return GenerationRequest(
        model=model.name,
        messages=tuple(Message(message.role, message.content) for message in prompt.messages),
        max_tokens=parameters.get("max_tokens"),
        temperature=parameters.get("temperature"),
        top_p=parameters.get("top_p"),
        seed=parameters.get("seed"),
        stop=tuple(parameters.get("stop") or ()),
        context_tokens=context.tokens,
        extra=parameters.get("extra") or {},
        expected_prompt_tokens=prompt.breakdown.prompt_tokens if prompt.breakdown.is_exact else None,
    )


def _follow(job: Job, generation: Generation) -> None:
    """Write the answer down as it comes. An interruption closes the stream; which one it was, the job knows."""
    try:
        for chunk in generation:
            if chunk.text or chunk.thinking:
                job.write(storable(chunk.text), storable(chunk.thinking))
    except BackendError:
        if job.interruption is not None:
            raise Interrupted() from None
        raise
    job.raise_if_interrupted()


def storable(text: str) -> str:
    """A model may send NUL, which no database column of text holds; it is shown as the character for "unreadable"."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _answer(request: LlmRequest, subject: _Subject, generation: Generation, usage: Mapping[str, Any]) -> Answer:
    return Answer(
        llm_request_id=request.id,
        owner_id=request.owner_id,
        parent_id=request.post_id or 0,
        content=storable(generation.text),
        persona_version_id=subject.question.version.id,
        persona_name=subject.question.version.name,
        model_name=subject.model.name,
        parameters=request.parameters,
        thinking=storable(generation.thinking) or None,
        finish_reason=generation.finish_reason,
        usage=usage,
        question_version=subject.question.question_version,
    )


def _timed(usage: Mapping[str, Any], job: Job) -> Mapping[str, Any]:
    """A usage with the times that its server did not tell, as they were seen from here."""
    started_at, first_at = job.request.started_at, job.first_token_at
    if started_at is None or first_at is None:
        return usage
    seen = {
        "prompt_seconds": (first_at - started_at).total_seconds(),
        "generation_seconds": (job.now() - first_at).total_seconds(),
    }
    return dict(usage) | {name: usage.get(name) or seconds for name, seconds in seen.items()}


def _learn(connection: Connection, model: Model, prompt: Assembled, generation: Generation) -> None:
    """Better estimates next time: how many characters a token of this model has."""
    counted = generation.usage.prompt_tokens
    if counted and not generation.usage.is_estimated:
        characters = sum(len(message.content) for message in prompt.messages)
        model_store.update_characters_per_token(connection, model.id, characters / counted)
