"""Asking a model for personas: from a description, or experts for a subforum; once more; and not any more."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from forllm_server.catalog.choosing import choose_model
from forllm_server.catalog.model import ChosenModel
from forllm_server.errors import Conflict, Invalid, NotFound
from forllm_server.forum import subforum_store
from forllm_server.jobs.fanning import new_group_id
from forllm_server.personas import draft_store
from forllm_server.personas.draft_model import Brief, PersonaDraft
from forllm_server.personas.draft_prompts import EXPANSION_TOKENS, REFINEMENT_TOKENS
from forllm_server.personas.drafting import check_count, clean_brief, clean_remark, drop_draft
from forllm_server.queue.control import cancel_llm_request
from forllm_server.queue.llm_request_store import find_llm_request, insert_llm_request
from forllm_server.queue.model import Lane, LlmRequest, NewLlmRequest
from forllm_server.settings.values import Settings, read_settings

#: The name of the kind of job that performs it (jobs/persona_draft.py).
NAME = "persona_draft"
_TITLE_CHARS = 80


class Step(StrEnum):
    """What an LLM request of this kind is for."""

    EXPANSION = "expansion"  #: notes about the persona, in no form
    REFINEMENT = "refinement"  #: the persona, as it can be read


#: the steps with the longest answer of each, in tokens
STEP_TOKENS: Mapping[Step, int] = {Step.EXPANSION: EXPANSION_TOKENS, Step.REFINEMENT: REFINEMENT_TOKENS}


@dataclass(frozen=True)
class Wish:
    """What a person asks for. ``group_id`` names the act: done twice with the same one, it finds what it made."""

    owner_id: int
    description: str = ""
    subforum_id: int | None = None
    name: str = ""
    count: int = 1
    model_id: int | None = None
    is_run_now: bool = False
    group_id: str = ""


def ask_drafts(connection: Connection, wish: Wish, now: datetime) -> list[PersonaDraft]:
    """Have so many personas written. Raises Invalid with the field named, and NotFound for the subforum."""
    brief = clean_brief(_brief(connection, wish))
    count = check_count(wish.count)
    settings = read_settings(connection)
    chosen = choose_writer(connection, wish.model_id, settings)
    group_id = wish.group_id[:100] or new_group_id()
    known = draft_store.list_drafts_of_group(connection, group_id)
    if known:
        return known
    asked = []
    for number in range(1, count + 1):
        draft = draft_store.insert_draft(
            connection,
            owner_id=wish.owner_id,
            group_id=group_id,
            number=number,
            total=count,
            brief=brief,
            now=now,
        )
        asked.append(_ask(connection, draft, Step.EXPANSION, chosen, settings, now, is_run_now=wish.is_run_now))
    return asked


def ask_again(
    connection: Connection,
    draft_id: int,
    *,
    remark: str = "",
    model_id: int | None = None,
    is_run_now: bool = False,
    now: datetime,
) -> PersonaDraft:
    """Have a draft written once more, as a draft of its own instead of that one, which is kept.

    With a ``remark`` the present text is changed accordingly, without one all is thought through anew. Where only the
    writing down failed, only that is done again. Raises NotFound, Conflict and Invalid.
    """
    remark = clean_remark(remark)
    before = draft_store.get_draft_to_change(connection, draft_id)
    if before.is_accepted:
        raise Conflict("This draft is a persona by now.")
    if before.is_replaced:
        raise Conflict("Another one was asked for instead of this draft already.")
    if is_being_written(connection, before):
        raise Conflict("This draft is being written. Wait for it, or cancel its LLM request first.")
    settings = read_settings(connection)
    chosen = choose_writer(connection, model_id, settings)
    is_thought_through = bool(before.expansion) and (bool(remark) or not before.is_written)
    draft = draft_store.insert_draft(
        connection,
        owner_id=before.owner_id,
        group_id=before.group_id,
        number=before.number,
        total=before.total,
        brief=before.brief,
        previous_id=before.id,
        remark=remark,
        expansion=before.expansion if is_thought_through else "",
        now=now,
    )
    draft_store.update_draft(connection, before.id, replaced_at=now, dropped_at=None)
    if is_thought_through:
        draft_store.update_draft(connection, draft.id, expansion_llm_request_id=before.expansion_llm_request_id)
    step = Step.REFINEMENT if is_thought_through else Step.EXPANSION
    return _ask(connection, draft, step, chosen, settings, now, is_run_now=is_run_now)


def drop(connection: Connection, draft_id: int, now: datetime) -> PersonaDraft:
    """Put a draft aside, and call off what was still to be done for it. Raises NotFound and Conflict."""
    draft = drop_draft(connection, draft_id, now)
    request = find_llm_request(connection, draft.llm_request_id or 0)
    if request is not None and request.is_live:
        cancel_llm_request(connection, request.id, now)
    return draft


def is_being_written(connection: Connection, draft: PersonaDraft) -> bool:
    """Whether a step of it waits or runs."""
    request = find_llm_request(connection, draft.llm_request_id or 0)
    return request is not None and request.is_live


def choose_writer(connection: Connection, model_id: int | None, settings: Settings) -> ChosenModel:
    """The model that writes: the one asked for, else the forum's default. Raises Invalid(field="model_id")."""
    chosen = choose_model(
        connection, asked_model_id=model_id, persona_model_id=None, default_model_id=settings.default_model_id
    )
    if chosen is None:
        raise Invalid("No model is there yet. Add a backend that has one.", field="model_id")
    return chosen


def insert_step(
    connection: Connection, draft: PersonaDraft, step: Step, before: LlmRequest, settings: Settings, now: datetime
) -> None:
    """Ask for the next step where the one ``before`` was done: the same model, the same lane."""
    new = NewLlmRequest(
        owner_id=before.owner_id,
        kind=NAME,
        backend_id=before.backend_id,
        model_id=before.model_id,
        model_name=before.model_name,
        lane=before.lane,
        priority=before.priority,
    )
    _insert(connection, draft, step, new, settings, now)


def _brief(connection: Connection, wish: Wish) -> Brief:
    brief = Brief(wish.description, wish.name)
    if wish.subforum_id is None:
        return brief
    try:
        subforum = subforum_store.get_subforum(connection, wish.subforum_id)
    except NotFound as error:
        raise NotFound(error.message, field="subforum_id") from error
    return replace(
        brief, subforum_id=subforum.id, subforum_name=subforum.name, subforum_text=subforum.description.strip()
    )


def _ask(
    connection: Connection,
    draft: PersonaDraft,
    step: Step,
    chosen: ChosenModel,
    settings: Settings,
    now: datetime,
    *,
    is_run_now: bool,
) -> PersonaDraft:
    new = NewLlmRequest(
        owner_id=draft.owner_id,
        kind=NAME,
        backend_id=chosen.backend.id,
        model_id=chosen.model.id,
        model_name=chosen.model.name,
        lane=Lane.LIVE if is_run_now else Lane.NIGHT,
    )
    _insert(connection, draft, step, new, settings, now)
    return draft_store.get_draft(connection, draft.id)


def _insert(
    connection: Connection, draft: PersonaDraft, step: Step, new: NewLlmRequest, settings: Settings, now: datetime
) -> None:
    asked = insert_llm_request(
        connection,
        replace(
            new,
            max_attempts=settings.max_attempts,
            parameters=_parameters(settings, step),
            input={"draft_id": draft.id, "step": step.value, "title": _title(draft)},
        ),
        now,
    )
    if asked is None:
        raise NotFound("The persona could not be queued. Try again.")
    draft_store.update_draft(connection, draft.id, llm_request_id=asked.id)


def _parameters(settings: Settings, step: Step) -> dict[str, Any]:
    return {"temperature": settings.temperature, "max_tokens": STEP_TOKENS[step]}


def _title(draft: PersonaDraft) -> str:
    """What the queue shows of it."""
    words = " ".join((draft.brief.wished_name or draft.brief.words).split())
    place = f"{draft.number} of {draft.total}: " if draft.total > 1 else ""
    cut = words if len(words) <= _TITLE_CHARS else f"{words[: _TITLE_CHARS - 1].rstrip()}…"
    return f"{place}{cut}"
