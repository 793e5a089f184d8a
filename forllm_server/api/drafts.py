"""``/api/v1/drafts``: texts begun and not sent."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from flask import Response
from marshmallow import Schema, fields
from sqlalchemy import Connection

from forllm_server.api.contract import Input, Noun, PageQuery, listing, page_of
from forllm_server.api.creating import IDEMPOTENCY_KEY, create
from forllm_server.api.fields import Id, Integer, Moment, one_of, text
from forllm_server.clock import now
from forllm_server.errors import Invalid
from forllm_server.forum import draft_store, drafting
from forllm_server.forum.draft_model import Draft, DraftKind, DraftPlace, DraftText
from forllm_server.web.current import current, current_user_id
from forllm_server.web.paging import decode_cursor

blueprint = Noun("Drafts", "Texts begun and not sent. A form or program never writes over one that it has not seen.")


class DraftIn(Input):
    """A draft."""

    kind = one_of(DraftKind, required=True, metadata={"description": "What it would become."})
    target_id = Id(required=True, metadata={"description": "The subforum of a new topic, else the post."})
    title = text(longest=1_000_000, load_default="")
    content = text(longest=10_000_000, required=True)
    post_version = Integer(least=1, allow_none=True, load_default=None)


class DraftChange(Input):
    """What to change; what is left out stays."""

    title = text(longest=1_000_000)
    content = text(longest=10_000_000)
    version = Integer(
        least=1, metadata={"description": "The `version` that was changed; refused with 409 when it is another by now."}
    )


class DraftOut(Schema):
    """A draft."""

    id = fields.Integer(required=True)
    kind = fields.String(required=True)
    target_id = fields.Integer(required=True)
    place = fields.String(required=True, metadata={"description": "The topic's title or the subforum's name."})
    is_place_there = fields.Boolean(required=True)
    title = fields.String(required=True)
    content = fields.String(required=True)
    post_version = fields.Integer(required=True, allow_none=True)
    version = fields.Integer(required=True)
    created_at = Moment(required=True)
    updated_at = Moment(required=True)


@blueprint.route("/drafts", methods=["GET"])
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, listing(DraftOut))
def show_list(query: dict[str, Any]) -> dict[str, Any]:
    """List all drafts, last written first."""
    after = decode_cursor(query.get("after"), datetime, int)
    with current().database.read() as connection:
        found = draft_store.list_drafts(connection, owner_id=current_user_id(), limit=query["limit"] + 1, after=after)
    page = page_of(found, query["limit"], lambda draft: (draft.updated_at, draft.id))
    return page | {"items": [_flat(draft) for draft in page["items"]]}


@blueprint.route("/drafts", methods=["POST"])
@blueprint.arguments(DraftIn)
@blueprint.response(201, DraftOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def add(values: dict[str, Any]) -> Response:
    """Keep a draft, beside those that are kept for that place already."""
    place = DraftPlace(DraftKind(values["kind"]), values["target_id"])
    draft_text = DraftText(values["content"], title=values["title"], post_version=values["post_version"])

    def work(connection: Connection) -> Any:
        saved = drafting.save_draft(connection, place, draft_text, owner_id=current_user_id(), writer="", now=now())
        if saved is None:
            raise Invalid("The draft is empty. Write something.", field="content")
        return DraftOut().dump(_flat(saved.draft))

    return create(work, location="/api/v1/drafts/{id}")


@blueprint.route("/drafts/<int:draft_id>", methods=["GET"])
@blueprint.response(200, DraftOut)
def show(draft_id: int) -> dict[str, Any]:
    """Read one draft."""
    with current().database.read() as connection:
        return _flat(drafting.get_kept_draft(connection, draft_id, owner_id=current_user_id()))


@blueprint.route("/drafts/<int:draft_id>", methods=["PATCH"])
@blueprint.arguments(DraftChange)
@blueprint.response(200, DraftOut)
def change(values: dict[str, Any], draft_id: int) -> dict[str, Any]:
    """Write on in a draft."""
    known_version = values.pop("version", None)
    with current().database.transaction() as connection:
        return _flat(
            drafting.change_draft(
                connection, draft_id, values, owner_id=current_user_id(), known_version=known_version, now=now()
            )
        )


@blueprint.route("/drafts/<int:draft_id>", methods=["DELETE"])
@blueprint.response(204)
def delete(draft_id: int) -> str:
    """Discard a draft."""
    with current().database.transaction() as connection:
        drafting.discard_draft(connection, draft_id, owner_id=current_user_id(), now=now())
    return ""


def _flat(draft: Draft) -> dict[str, Any]:
    written = {"title": draft.text.title, "content": draft.text.content, "post_version": draft.text.post_version}
    place = {"kind": draft.place.kind.value, "target_id": draft.place.target_id, "place": draft.place_name}
    return asdict(draft) | written | place
