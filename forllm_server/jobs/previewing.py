"""What a prompt would look like before it is asked: for the bar beside the editor. Nothing is stored or sent."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from forllm_server.catalog.choosing import choose_model
from forllm_server.forum import post_store, topic_store
from forllm_server.jobs.asking import default_parameters
from forllm_server.jobs.forecast import NewAsk
from forllm_server.jobs.prompting import (
    Question,
    build_prompt,
    context_of,
    counter_for,
    instructions_of,
    read_question,
)
from forllm_server.personas.choosing import choose
from forllm_server.personas.model import PersonaVersion
from forllm_server.personas.parameters import merge
from forllm_server.prompts.budget import Breakdown, DoesNotFit
from forllm_server.prompts.thread import ThreadPost
from forllm_server.prompts.tokens import TokenCounter
from forllm_server.settings.values import read_settings


@dataclass(frozen=True)
class Draft:
    """A text being written: a reply to ``parent_id``, or the first post of a topic in ``subforum_id``."""

    text: str
    title: str = ""
    parent_id: int | None = None
    subforum_id: int | None = None
    persona_id: int | None = None
    model_id: int | None = None


@dataclass(frozen=True)
class Estimate:
    """``text_tokens`` of the draft alone; ``breakdown`` of the whole prompt, or ``problem`` why it does not fit.

    ``model_name`` is None when there is no model yet; then only the text is counted. ``new_ask``: what the forecast
    needs to tell when it would be answered.
    """

    text_tokens: int
    persona_name: str
    model_name: str | None = None
    context_tokens: int | None = None
    breakdown: Breakdown | None = None
    problem: str | None = None
    new_ask: NewAsk | None = None


def estimate(connection: Connection, draft: Draft) -> Estimate:
    """Count a draft as its question would be sent. Raises NotFound and Invalid as asking would."""
    settings = read_settings(connection)
    choice = choose(
        connection,
        asked_persona_id=draft.persona_id,
        subforum_id=_subforum_of(connection, draft),
        default_persona_id=settings.default_persona_id,
    )
    chosen = choose_model(
        connection,
        asked_model_id=draft.model_id,
        persona_model_id=choice.version.model_id,
        fallback_model_ids=choice.version.fallback_model_ids,
        default_model_id=settings.default_model_id,
    )
    if chosen is None:
        return Estimate(TokenCounter().count(draft.text), choice.persona.name)
    counter = counter_for(chosen.model)
    parameters = merge(default_parameters(settings), choice.version.parameters)
    context = context_of(chosen.backend.kind, chosen.model, parameters, settings)
    new_ask = NewAsk(
        backend_id=chosen.backend.id,
        model_id=chosen.model.id,
        persona_id=choice.persona.id,
        persona_version_id=choice.version.id,
        topic_id=_topic_of(connection, draft),
        max_tokens=int(parameters["max_tokens"]),
    )
    counted = Estimate(
        counter.count(draft.text), choice.persona.name, chosen.model.name, context.tokens, new_ask=new_ask
    )
    try:
        whole = _with_draft(connection, draft, choice.version, parameters)
        prompt = build_prompt(whole, counter=counter, context=context, parameters=parameters)
    except DoesNotFit as error:
        return replace(counted, problem=error.message)
    new_ask = replace(new_ask, prompt_tokens=prompt.breakdown.prompt_tokens)
    return replace(counted, breakdown=prompt.breakdown, new_ask=new_ask)


def _subforum_of(connection: Connection, draft: Draft) -> int | None:
    if draft.parent_id is None:
        return draft.subforum_id
    parent = post_store.get_post(connection, draft.parent_id)
    return topic_store.get_topic(connection, parent.topic_id).subforum_id


def _topic_of(connection: Connection, draft: Draft) -> int | None:
    return None if draft.parent_id is None else post_store.get_post(connection, draft.parent_id).topic_id


def _with_draft(
    connection: Connection, draft: Draft, version: PersonaVersion, parameters: Mapping[str, Any]
) -> Question:
    own = ThreadPost(0, "You", None, draft.text)
    if draft.parent_id is None:
        settings = read_settings(connection)
        instructions = instructions_of(
            connection, version, settings, subforum_id=draft.subforum_id, topic_title=draft.title
        )
        return Question(draft.title, (own,), 0, version, 1, instructions, settings.custom_instructions)
    above = read_question(
        connection, post_id=draft.parent_id, version=version, parameters=parameters, is_for_reply=True
    )
    return replace(above, posts=(*above.posts, own))
