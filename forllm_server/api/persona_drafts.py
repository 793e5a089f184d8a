"""``/api/v1/persona-drafts``: personas that a model writes, until a person accepts or drops them."""

from typing import Any

from flask import Response
from sqlalchemy import Connection

from forllm_server.api.contract import Noun, PageQuery, listing
from forllm_server.api.creating import IDEMPOTENCY_KEY, create
from forllm_server.api.schemas_llm import PersonaOut
from forllm_server.api.schemas_persona import (
    AcceptanceIn,
    PersonaDraftOut,
    PersonaDraftsIn,
    PersonaDraftsOut,
    RegenerationIn,
)
from forllm_server.clock import now
from forllm_server.jobs.draft_asking import Wish, ask_again, ask_drafts, drop
from forllm_server.personas import draft_store, drafting
from forllm_server.personas.draft_model import PersonaDraft
from forllm_server.queue.chunk_store import list_partials
from forllm_server.queue.line_store import list_llm_requests_by_ids
from forllm_server.queue.model import LlmRequest, Partial, Status
from forllm_server.web.current import current, current_user_id
from forllm_server.web.paging import decode_cursor

blueprint = Noun("Persona drafts", "Personas that a model writes. None of them answers before it is accepted.")


@blueprint.route("/persona-drafts", methods=["GET"])
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, listing(PersonaDraftOut))
def show_list(query: dict[str, Any]) -> dict[str, Any]:
    """List the drafts that nobody has decided about, newest first."""
    cursor, limit = decode_cursor(query.get("after"), int), query["limit"]
    with current().database.read() as connection:
        found = draft_store.list_open_drafts(connection, limit=limit + 1, before_id=cursor[0] if cursor else None)
        items = _describe(connection, found[:limit])
    return {"items": items, "next": (found[limit - 1].id,) if len(found) > limit else None}


@blueprint.route("/persona-drafts", methods=["POST"])
@blueprint.arguments(PersonaDraftsIn)
@blueprint.response(202, PersonaDraftsOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def ask(values: dict[str, Any]) -> Response:
    """Have a model write personas, from a description or for a subforum."""
    wish = Wish(owner_id=current_user_id(), is_run_now=values.pop("run_now"), **values)

    def work(connection: Connection) -> Any:
        drafts = ask_drafts(connection, wish, now())
        return PersonaDraftsOut().dump({"group_id": drafts[0].group_id, "items": _describe(connection, drafts)})

    return create(work, status=202, location="/api/v1/persona-drafts")


@blueprint.route("/persona-drafts/<int:draft_id>", methods=["GET"])
@blueprint.response(200, PersonaDraftOut)
def show(draft_id: int) -> dict[str, Any]:
    """Read one draft, dropped or not."""
    with current().database.read() as connection:
        return _describe(connection, [draft_store.get_draft(connection, draft_id)])[0]


@blueprint.route("/persona-drafts/<int:draft_id>", methods=["DELETE"])
@blueprint.response(204)
def delete(draft_id: int) -> str:
    """Drop a draft; what is still to be written for it is called off."""
    with current().database.transaction() as connection:
        drop(connection, draft_id, now())
    return ""


@blueprint.route("/persona-drafts/<int:draft_id>/restoration", methods=["POST"])
@blueprint.response(200, PersonaDraftOut)
def restore(draft_id: int) -> dict[str, Any]:
    """Take a dropped draft back."""
    with current().database.transaction() as connection:
        return _describe(connection, [drafting.restore_draft(connection, draft_id)])[0]


@blueprint.route("/persona-drafts/<int:draft_id>/acceptance", methods=["POST"])
@blueprint.arguments(AcceptanceIn)
@blueprint.response(201, PersonaOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def accept(values: dict[str, Any], draft_id: int) -> Response:
    """Make a persona of a draft. Its own name gets a number when that is taken."""

    def work(connection: Connection) -> Any:
        persona = drafting.accept_draft(connection, draft_id, owner_id=current_user_id(), now=now(), **values)
        return PersonaOut().dump(persona)

    return create(work, location="/api/v1/personas/{id}")


@blueprint.route("/persona-drafts/<int:draft_id>/regenerations", methods=["POST"])
@blueprint.arguments(RegenerationIn)
@blueprint.response(202, PersonaDraftOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def write_again(values: dict[str, Any], draft_id: int) -> Response:
    """Have a draft written once more, as a draft of its own."""
    is_run_now = values.pop("run_now")

    def work(connection: Connection) -> Any:
        draft = ask_again(connection, draft_id, is_run_now=is_run_now, now=now(), **values)
        return PersonaDraftOut().dump(_describe(connection, [draft])[0])

    return create(work, status=202, location="/api/v1/persona-drafts/{id}")


def _describe(connection: Connection, drafts: list[PersonaDraft]) -> list[dict[str, Any]]:
    ids = [draft.llm_request_id for draft in drafts if draft.llm_request_id is not None]
    requests = {each.id: each for each in list_llm_requests_by_ids(connection, ids)}
    partials = list_partials(connection, ids)
    personas = draft_store.list_accepted_persona_ids(connection, drafts)
    return [
        _values(draft, requests.get(draft.llm_request_id or 0), partials.get(draft.llm_request_id or 0))
        | {"persona_id": personas.get(draft.id)}
        for draft in drafts
    ]


def _values(draft: PersonaDraft, asked: LlmRequest | None, partial: Partial | None) -> dict[str, Any]:
    steps = dict.fromkeys(each for each in (draft.expansion_llm_request_id, draft.llm_request_id) if each is not None)
    has_failed = not draft.is_written and asked is not None and asked.status is Status.FAILED
    return {
        "id": draft.id,
        "status": _status(draft, asked),
        "group_id": draft.group_id,
        "number": draft.number,
        "total": draft.total,
        "description_asked": draft.brief.text,
        "name_asked": draft.brief.wished_name,
        "subforum_id": draft.brief.subforum_id,
        "remark": draft.remark,
        "previous_id": draft.previous_id,
        "llm_request_ids": list(steps),
        "problem": asked.cause_detail if asked and has_failed else None,
        "answer": draft.answer or (partial.text if partial and has_failed else ""),
        "name": draft.text.name,
        "description": draft.text.description,
        "instructions": draft.text.instructions,
        "model_name": draft.model_name,
        "created_at": draft.created_at,
        "written_at": draft.written_at,
    }


def _status(draft: PersonaDraft, asked: LlmRequest | None) -> str:
    if not draft.is_open:
        return "accepted" if draft.is_accepted else "dropped" if draft.is_dropped else "replaced"
    if draft.is_written:
        return "written"
    return asked.status.value if asked else Status.FAILED.value
