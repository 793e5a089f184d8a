"""``/api/v1/search``: full-text search over posts and the titles of topics."""

from typing import Any

from marshmallow import Schema, fields

from forllm_server.api.contract import Noun, PageQuery
from forllm_server.api.fields import Cursor, Moment, one_of
from forllm_server.clock import now
from forllm_server.search.finding import find
from forllm_server.search.model import Found, Order, Results
from forllm_server.search.places import PARTS, parts_of, place_from
from forllm_server.settings.values import read_settings
from forllm_server.web.current import current, current_user_id
from forllm_server.web.paging import decode_cursor

blueprint = Noun("Search", "Full-text search over posts and the titles of topics. docs/search.md has the language.")


class SearchQuery(PageQuery):
    """What to search for."""

    q = fields.String(required=True, metadata={"description": "As in the search box; see docs/search.md."})
    sort = one_of(
        Order,
        load_default=Order.RELEVANCE.value,
        metadata={"description": "The order wished for; the answer's `sort` is the one that was used."},
    )


class PieceOut(Schema):
    """A part of a text."""

    text = fields.String(required=True)
    is_match = fields.Boolean(required=True, metadata={"description": "Whether it is what was searched for."})


class FoundOut(Schema):
    """A post that was found."""

    post_id = fields.Integer(required=True)
    topic_id = fields.Integer(required=True)
    topic_title = fields.String(required=True)
    subforum_id = fields.Integer(required=True)
    subforum_name = fields.String(required=True)
    author = fields.String(required=True, attribute="author_name")
    author_kind = fields.Function(lambda found: "persona" if found.is_by_persona else "person", required=True)
    persona_id = fields.Integer(required=True, allow_none=True)
    persona_version_number = fields.Integer(required=True, allow_none=True)
    model_name = fields.String(required=True, allow_none=True)
    created_at = Moment(required=True)
    is_partial = fields.Boolean(required=True)
    title = fields.List(fields.Nested(PieceOut), required=True)
    snippet = fields.List(
        fields.Nested(PieceOut), required=True, metadata={"description": "Markdown source around what was found."}
    )


class ResultsOut(Schema):
    """A page of what was found."""

    items: Any = fields.List(fields.Nested(FoundOut), required=True)
    next = Cursor(required=True, allow_none=True)
    sort = fields.String(required=True, metadata={"description": "relevance or newest."})
    is_common = fields.Boolean(
        required=True, metadata={"description": "So much was found that the newest are given instead of the best."}
    )
    hints = fields.List(fields.String(), required=True, metadata={"description": "What was understood otherwise."})
    suggestion = fields.String(required=True, metadata={"description": "A query that finds something, or empty."})


@blueprint.route("/search", methods=["GET"])
@blueprint.arguments(SearchQuery, location="query")
@blueprint.response(200, ResultsOut)
def show(query: dict[str, Any]) -> dict[str, Any]:
    """Find posts by their words and by who wrote them, when, where and with what."""
    after = place_from(decode_cursor(query.get("after"), *PARTS))
    with current().database.read() as connection:
        results = find(
            connection,
            query["q"],
            reader_id=current_user_id(),
            zone=read_settings(connection).zone,
            now=now(),
            order=Order(query["sort"]),
            limit=query["limit"],
            after=after,
        )
    return _out(results)


def _out(results: Results) -> dict[str, Any]:
    items: tuple[Found, ...] = results.items
    return {
        "items": items,
        "next": parts_of(results.next),
        "sort": results.order.value,
        "is_common": results.is_common,
        "hints": results.hints,
        "suggestion": results.suggestion,
    }
