"""What a run of a reply works on, and what it sends: read in one transaction, before the model is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from forllm_server.backends.base import GenerationRequest, Message
from forllm_server.catalog import backend_store, model_store
from forllm_server.catalog.model import BackendRecord, Model
from forllm_server.catalog.naming import read_model_names
from forllm_server.errors import NotFound
from forllm_server.jobs.discussing import discussion_of
from forllm_server.jobs.discussion_prompts import as_discussed
from forllm_server.jobs.prompting import ContextSize, Question, read_question
from forllm_server.jobs.resuming import Beginning, find_beginning
from forllm_server.personas import version_store
from forllm_server.prompts.assemble import PERSONA_FIRST, THREAD_FIRST, Assembled
from forllm_server.queue.job import Hopeless
from forllm_server.queue.llm_request_store import count_personas_asked
from forllm_server.queue.model import Cause, LlmRequest
from forllm_server.settings.values import Settings, read_settings

#: Of ``llm_requests.input``: the post is asked about without the thread around it, as the lines of a batch are.
ALONE = "is_alone"


@dataclass(frozen=True)
class Subject:
    """What a run works on. ``beginning``: what an earlier run had written when it was broken off."""

    question: Question
    record: BackendRecord
    model: Model
    settings: Settings
    layout: str
    beginning: Beginning | None = None


def read_model(connection: Connection, request: LlmRequest) -> tuple[BackendRecord, Model]:
    """Where and by which model it is to be done, or Hopeless when one of them is gone."""
    record = backend_store.find_backend(connection, request.backend_id or 0)
    model = model_store.find_model(connection, request.model_id or 0)
    if record is None or record.deleted_at is not None or model is None:
        raise Hopeless(
            f"The model {read_model_names(connection).words(request.model_name)} or its backend is no longer there. "
            "Ask another model.",
            cause=Cause.MODEL_GONE,
        )
    return record, model


def read_subject(connection: Connection, request: LlmRequest) -> Subject:
    """What the request is about, or Hopeless when it is gone."""
    settings = read_settings(connection)
    record, model = read_model(connection, request)
    version = version_store.get_version(connection, request.persona_version_id or 0)
    try:
        is_alone = bool(request.input.get(ALONE))
        question = read_question(
            connection,
            post_id=request.post_id or 0,
            version=version,
            parameters=request.parameters,
            is_alone=is_alone,
        )
        question = as_discussed(connection, request, question)
    except NotFound as error:
        raise Hopeless("The topic was deleted while this waited.", cause=Cause.SUBJECT_GONE) from error
    if question.posts[-1].is_deleted:
        raise Hopeless("The post was deleted while this waited.", cause=Cause.SUBJECT_GONE)
    beginning = find_beginning(connection, request)
    layout = beginning.layout if beginning else _layout(connection, request)
    return Subject(question, record, model, settings, layout, beginning)


def _layout(connection: Connection, request: LlmRequest) -> str:
    """Several personas on one post share the thread when it comes first; one persona's threads share the persona."""
    if discussion_of(request) is not None:
        # Its task comes last, and all who discuss share the thread.
        return THREAD_FIRST
    if request.input.get(ALONE):
        return PERSONA_FIRST
    asked = count_personas_asked(connection, post_id=request.post_id or 0, model_id=request.model_id)
    return THREAD_FIRST if asked > 1 else PERSONA_FIRST


def generation_request(
    model: Model, prompt: Assembled, context: ContextSize, parameters: Mapping[str, Any]
) -> GenerationRequest:
    """The prompt with the persona's parameters, as a backend takes it."""
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


def continued(request: GenerationRequest, text: str, tokens: int) -> GenerationRequest:
    """The same request with ``text``, of so many ``tokens``, as the answer's beginning: the server writes the rest."""
    expected, most = request.expected_prompt_tokens, request.max_tokens
    return replace(
        request,
        messages=(*request.messages, Message("assistant", text)),
        max_tokens=None if most is None else max(most - tokens, 1),
        expected_prompt_tokens=None if expected is None else expected + tokens,
        continues_prefix=True,
    )
