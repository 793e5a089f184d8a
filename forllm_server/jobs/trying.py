"""Drafts of personas on a post that is there: what exactly would be sent, and asking without posting."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from forllm_server.catalog.choosing import choose_model
from forllm_server.catalog.model import ChosenModel
from forllm_server.catalog.naming import read_model_names
from forllm_server.errors import ForllmError, Invalid, NotFound
from forllm_server.forum import post_store
from forllm_server.jobs.asking import default_parameters
from forllm_server.jobs.prompting import build_prompt, context_of, counter_for, read_question
from forllm_server.personas.editing import clean_content
from forllm_server.personas.model import PersonaContent, PersonaVersion
from forllm_server.personas.parameters import merge
from forllm_server.prompts.assemble import Assembled
from forllm_server.queue.llm_request_store import insert_llm_request
from forllm_server.queue.model import Lane, LlmRequest, NewLlmRequest
from forllm_server.settings.values import Settings, read_settings

#: The name of the kind of job that performs it (jobs/trial.py).
TRIAL = "trial"


@dataclass(frozen=True)
class Draft:
    """A version that is not saved yet. ``persona_id``: whose next one it would be; None: of a new persona.

    ``post_id`` None: no post was chosen, which is told beside the form.
    """

    content: PersonaContent
    post_id: int | None
    persona_id: int | None = None


@dataclass(frozen=True)
class Previewed:
    """The exact prompt, or ``problem`` why there is none and in which ``field`` of the form it lies, if in one.

    ``model_words``: which model would answer, and why.
    """

    prompt: Assembled | None = None
    model_words: str = ""
    problem: str = ""
    field: str | None = None


def preview(connection: Connection, read_draft: Callable[[], Draft], now: datetime) -> Previewed:
    """What the draft would be sent about the post. What is wrong is told, not raised, also by ``read_draft``."""
    try:
        draft = read_draft()
        content, settings = clean_content(connection, draft.content), read_settings(connection)
        chosen = _choose(connection, content, settings)
        parameters = merge(default_parameters(settings), content.parameters)
        question = read_question(
            connection,
            post_id=_post_id(connection, draft),
            version=as_version(content, draft.persona_id, now),
            parameters=parameters,
        )
        prompt = build_prompt(
            question,
            counter=counter_for(chosen.model),
            context=context_of(chosen.backend.kind, chosen.model, parameters, settings),
            parameters=parameters,
        )
    except ForllmError as error:
        return Previewed(problem=error.message, field=error.field)
    called = read_model_names(connection).words(chosen.model.name)
    return Previewed(prompt, f"{called} on {chosen.backend.name} ({chosen.reason})")


def ask_trial(connection: Connection, draft: Draft, *, owner_id: int, now: datetime) -> LlmRequest:
    """Queue the draft's answer in the live lane; it is kept for the page of the trial and never becomes a post.

    Raises Invalid with the field named (also ``post_id``), and NotFound.
    """
    content, settings = clean_content(connection, draft.content), read_settings(connection)
    post = post_store.get_post(connection, _post_id(connection, draft))
    chosen = _choose(connection, content, settings)
    asked = insert_llm_request(
        connection,
        NewLlmRequest(
            owner_id=owner_id,
            kind=TRIAL,
            # Without a post of its own: the thread shows what will become a reply, and this will not.
            topic_id=post.topic_id,
            persona_id=draft.persona_id,
            backend_id=chosen.backend.id,
            model_id=chosen.model.id,
            model_name=chosen.model.name,
            lane=Lane.LIVE,
            max_attempts=settings.max_attempts,
            parameters=merge(default_parameters(settings), content.parameters),
            input={
                "post_id": post.id,
                "name": content.name,
                "instructions": content.instructions,
                "model_id": content.model_id,
                "fallback_model_ids": list(content.fallback_model_ids),
                "parameters": dict(content.parameters),
                "model_reason": chosen.reason,
            },
        ),
        now,
    )
    if asked is None:
        raise NotFound("The trial could not be queued. Try again.")
    return asked


def draft_of(request_input: Mapping[str, Any]) -> PersonaContent:
    """The draft that a trial's request holds."""
    return PersonaContent(
        name=str(request_input.get("name", "")),
        instructions=str(request_input.get("instructions", "")),
        model_id=request_input.get("model_id"),
        parameters=request_input.get("parameters") or {},
        fallback_model_ids=tuple(request_input.get("fallback_model_ids") or ()),
    )


def as_version(content: PersonaContent, persona_id: int | None, now: datetime) -> PersonaVersion:
    """A draft as prompts take it: nothing of it is stored."""
    return PersonaVersion(
        id=0,
        persona_id=persona_id or 0,
        number=0,
        name=content.name,
        instructions=content.instructions,
        model_id=content.model_id,
        parameters=content.parameters,
        note="",
        created_at=now,
        created_by=0,
        fallback_model_ids=content.fallback_model_ids,
    )


def _choose(connection: Connection, content: PersonaContent, settings: Settings) -> ChosenModel:
    chosen = choose_model(
        connection,
        asked_model_id=None,
        persona_model_id=content.model_id,
        fallback_model_ids=content.fallback_model_ids,
        default_model_id=settings.default_model_id,
    )
    if chosen is None:
        raise Invalid("No model is there yet. Add a backend that has one.", field="model_id")
    return chosen


def _post_id(connection: Connection, draft: Draft) -> int:
    if draft.post_id is None:
        raise Invalid("Choose a post to try it on.", field="post_id")
    try:
        post = post_store.get_post(connection, draft.post_id)
    except NotFound as error:
        raise Invalid(f"There is no post {draft.post_id}. Choose another one.", field="post_id") from error
    if post.is_deleted:
        raise Invalid("This post is in the trash. Choose another one.", field="post_id")
    return post.id
