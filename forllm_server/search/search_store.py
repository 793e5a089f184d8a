"""Posts that are found: which, in pages, and then everything that is shown of them.

The statements are written out, not composed: which table is read first decides whether they take a millisecond or a
second, and on SQLite only CROSS JOIN holds that order.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, String, TextClause, bindparam, text

from forllm_server.db.types import UtcDateTime
from forllm_server.search.matching import (
    MATCH_BEGINS,
    MATCH_ENDS,
    Fragment,
    absence_of,
    matching_of,
    snippet_columns,
)
from forllm_server.search.model import Found, Hit, Narrowing, Order, Piece, Place
from forllm_server.search.query import Query

_IS_THERE = "p.deleted_at IS NULL AND t.deleted_at IS NULL AND s.deleted_at IS NULL"
_JOINS = "CROSS JOIN topics t CROSS JOIN subforums s"
_JOINED = "t.id = p.topic_id AND s.id = t.subforum_id"
_STATES = {
    # Not child_count: that counts deleted replies too.
    "unanswered": "p.author_kind = 'person' AND NOT EXISTS"
    " (SELECT 1 FROM posts r WHERE r.parent_id = p.id AND r.deleted_at IS NULL)",
    "failed": "p.id IN (SELECT f.post_id FROM llm_requests f WHERE f.status = 'failed' AND f.post_id IS NOT NULL)",
    "bookmarked": "p.id IN (SELECT b.post_id FROM bookmarks b WHERE b.user_id = :reader)",
}
_CONTENTS = {
    "code": "(p.content LIKE '%```%' OR p.content LIKE '%~~~%')",
    "file": "EXISTS (SELECT 1 FROM attachments a WHERE a.post_id = p.id AND a.deleted_at IS NULL)",
}
#: How much of a post's beginning is read where nothing in it was searched for.
_OPENING_CHARS = 1_600


def count_matches(connection: Connection, query: Query, *, most: int) -> int:
    """How many posts hold what is wanted, filters and the trash left aside; counting ends at ``most``."""
    matching = matching_of(connection, query)
    statement = (
        f"SELECT count(*) FROM (SELECT {matching.post_id} FROM {matching.source}"
        f" WHERE {matching.condition.sql} LIMIT :most) AS matches"
    )
    values = matching.condition.values | {"most": most}
    return int(connection.execute(_bound(statement, values), values).scalar_one())


def list_hits(
    connection: Connection,
    query: Query,
    narrowing: Narrowing,
    *,
    reader_id: int,
    order: Order,
    limit: int,
    after: Place | None = None,
) -> list[Hit]:
    """A page of the posts that hold what ``query`` wants, as far as ``narrowing`` leaves them."""
    matching = matching_of(connection, query)
    conditions = [matching.condition, _place(matching.rank, matching.post_id, order, after)]
    conditions += _conditions(connection, narrowing, reader_id)
    is_ranked = order is Order.RELEVANCE
    statement = (
        f"SELECT {matching.post_id} AS id, {matching.rank if is_ranked else '0.0'} AS rank"
        f" FROM {matching.source} CROSS JOIN posts p {_JOINS}"
        f" WHERE p.id = {matching.post_id} AND {_JOINED} AND {_IS_THERE} AND {_all(conditions)}"
        f" ORDER BY {matching.by_rank if is_ranked else matching.by_newest} LIMIT :limit"
    )
    return _hits(connection, statement, conditions, limit)


def list_newest(
    connection: Connection,
    query: Query,
    narrowing: Narrowing,
    *,
    reader_id: int,
    limit: int,
    below_id: int,
    least_id: int,
) -> list[Hit]:
    """The newest posts that ``narrowing`` leaves and that hold nothing unwanted, with ids in [least_id, below_id)."""
    conditions = [
        Fragment("p.id < :below AND p.id >= :least", {"below": below_id, "least": least_id}),
        *_conditions(connection, narrowing, reader_id),
    ]
    if query.unwanted:
        conditions.append(absence_of(connection, query))
    statement = (
        f"SELECT p.id AS id, 0.0 AS rank FROM posts p {_JOINS}"
        f" WHERE {_JOINED} AND {_IS_THERE} AND {_all(conditions)} ORDER BY p.id DESC LIMIT :limit"
    )
    return _hits(connection, statement, conditions, limit)


def list_found(connection: Connection, hits: Sequence[Hit], query: Query) -> list[Found]:
    """Everything that is shown of these posts, in their order; what is wanted is marked in title and text."""
    if not hits:
        return []
    ids = [hit.post_id for hit in hits]
    matching = matching_of(connection, query) if query.wanted else None
    source = f"{matching.source} CROSS JOIN posts p" if matching else "posts p"
    joined = f"{matching.condition.sql} AND p.id = {matching.post_id} AND {matching.post_id}" if matching else "p.id"
    marked = snippet_columns(connection) if matching else "NULL AS marked_title, NULL AS marked_text"
    values = (matching.condition.values if matching else {}) | {"ids": ids}
    statement = _bound(
        "SELECT p.id, p.topic_id, p.parent_id, t.title, t.subforum_id, s.name AS subforum_name,"
        " coalesce(p.persona_name, u.name) AS author_name, p.author_kind, v.persona_id,"
        " v.number AS persona_version_number, p.model_name, p.created_at, p.is_partial,"
        f" substr(p.content, 1, {_OPENING_CHARS}) AS opening, {marked}"
        f" FROM {source} CROSS JOIN topics t CROSS JOIN subforums s CROSS JOIN users u"
        " LEFT JOIN persona_versions v ON v.id = p.persona_version_id"
        f" WHERE {_JOINED} AND u.id = p.owner_id AND {joined} IN :ids",
        values,
    )
    rows = connection.execute(statement.columns(created_at=UtcDateTime()), values)
    found = {row.id: _found(row) for row in rows}
    return [found[post_id] for post_id in ids if post_id in found]


def find_newest_id(connection: Connection) -> int:
    """The id of the post written last; 0 when there is none."""
    return int(connection.execute(text("SELECT coalesce(max(id), 0) FROM posts")).scalar_one())


def count_posts_of_subforums(connection: Connection, subforum_ids: Collection[int]) -> int:
    """How many posts there are in subforums."""
    statement = text(
        "SELECT coalesce(sum(post_count), 0) FROM topics WHERE deleted_at IS NULL AND subforum_id IN :subforums"
    ).bindparams(bindparam("subforums", expanding=True))
    return int(connection.execute(statement, {"subforums": list(subforum_ids)}).scalar_one())


def _bound(statement: str, values: dict[str, Any]) -> TextClause:
    """``statement`` with its parameters. What is wanted is written into it, quoted: PostgreSQL's planner must see it.

    ``values`` that are lists become lists in the statement too.
    """
    written: list[BindParameter[Any]] = [
        bindparam(name, type_=String(), literal_execute=True) for name in ("wanted", "unwanted") if name in values
    ]
    lists: list[BindParameter[Any]] = [
        bindparam(name, expanding=True) for name, value in values.items() if isinstance(value, list)
    ]
    return text(statement).bindparams(*written, *lists)


def _hits(connection: Connection, statement: str, conditions: list[Fragment], limit: int) -> list[Hit]:
    values: dict[str, Any] = {"limit": limit}
    for condition in conditions:
        values |= condition.values
    moments: list[Any] = [bindparam(name, type_=UtcDateTime()) for name in values if name.startswith("moment")]
    rows = connection.execute(_bound(statement, values).bindparams(*moments), values)
    return [Hit(row.id, float(row.rank)) for row in rows]


def _place(rank: str, post_id: str, order: Order, after: Place | None) -> Fragment:
    if after is None:
        return Fragment("1 = 1", {})
    values = {"place_id": after.post_id}
    if order is Order.NEWEST:
        return Fragment(f"{post_id} < :place_id", values)
    # Of equal rank both databases deliver the older post first.
    further = f"({rank} > :place_rank OR ({rank} = :place_rank AND {post_id} > :place_id))"
    return Fragment(further, values | {"place_rank": after.rank})


def _conditions(connection: Connection, narrowing: Narrowing, reader_id: int) -> list[Fragment]:
    """What ``narrowing`` says of a post ``p`` in a topic ``t``."""
    conditions = [_condition(narrowing, "0", reader_id)]
    for number, without in enumerate(narrowing.without, start=1):
        condition = _condition(without, str(number), reader_id)
        # A post without a model has none to be left out for: NULL must not decide.
        conditions.append(Fragment(f"NOT coalesce({condition.sql}, {_false(connection)})", condition.values))
    return conditions


def _condition(narrowing: Narrowing, mark: str, reader_id: int) -> Fragment:
    parts: list[str] = []
    values: dict[str, Any] = {}

    def demand(sql: str, name: str, value: Any) -> None:
        if value is not None:
            parts.append(sql.replace(":value", f":{name}_{mark}"))
            values[f"{name}_{mark}"] = sorted(value) if isinstance(value, frozenset) else value

    demand("t.subforum_id IN :value", "subforums", narrowing.subforum_ids)
    demand("p.persona_version_id IN :value", "versions", narrowing.persona_version_ids)
    demand("p.model_name IN :value", "models", narrowing.model_names)
    demand("p.created_at >= :value", "moment_since", narrowing.since)
    demand("p.created_at < :value", "moment_until", narrowing.until)
    demand("p.author_kind = 'person' AND p.owner_id = :value", "author", narrowing.author_id)
    for state in sorted(narrowing.states):
        parts.append("p.is_partial = :yes" if state == "partial" else _STATES[state])
        values |= {"yes": True} if state == "partial" else {"reader": reader_id} if state == "bookmarked" else {}
    parts += [_CONTENTS[content] for content in sorted(narrowing.contents)]
    return Fragment("(" + " AND ".join(parts) + ")" if parts else "1 = 1", values)


def _false(connection: Connection) -> str:
    return "0" if connection.dialect.name == "sqlite" else "FALSE"


def _all(conditions: list[Fragment]) -> str:
    return " AND ".join(condition.sql for condition in conditions)


def _found(row: Row[Any]) -> Found:
    title, snippet = row.marked_title, row.marked_text
    return Found(
        post_id=row.id,
        topic_id=row.topic_id,
        # Only the first post's document holds the title.
        title=_pieces(title) if title and row.parent_id is None else (Piece(row.title),),
        subforum_id=row.subforum_id,
        subforum_name=row.subforum_name,
        author_name=row.author_name,
        is_by_persona=row.author_kind == "persona",
        persona_id=row.persona_id,
        persona_version_number=row.persona_version_number,
        model_name=row.model_name,
        created_at=row.created_at,
        is_partial=bool(row.is_partial),
        is_root=row.parent_id is None,
        snippet=_pieces(snippet) if snippet else (Piece(row.opening),),
    )


def _pieces(marked: str) -> tuple[Piece, ...]:
    """The pieces of a text with marks. Marks that the text itself brought along fall out, whatever their order."""
    pieces: list[Piece] = []
    is_match = False
    for part in marked.replace(MATCH_BEGINS, f"\0{MATCH_BEGINS}").replace(MATCH_ENDS, f"\0{MATCH_ENDS}").split("\0"):
        if part.startswith((MATCH_BEGINS, MATCH_ENDS)):
            is_match = part.startswith(MATCH_BEGINS)
            part = part[1:]
        if part:
            pieces.append(Piece(part, is_match))
    return tuple(pieces)
