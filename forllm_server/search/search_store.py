"""Posts that are found: which, in pages, and then everything that is shown of them.

The statements are written out, not composed: which table is read first decides whether they take a millisecond or a
second, and on SQLite only CROSS JOIN holds that order.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, String, TextClause, bindparam, text

from forllm_server.db.types import UtcDateTime
from forllm_server.search.marking_store import MARKER, MATCH_BEGINS, MATCH_ENDS, Document
from forllm_server.search.matching import (
    Fragment,
    Matching,
    absence_of,
    fts5_expression,
    headline_columns,
    matching_of,
    tsquery_expression,
)
from forllm_server.search.model import Found, Hit, Narrowing, Piece, Place, Span
from forllm_server.search.query import Query

_IS_THERE = "p.deleted_at IS NULL AND t.deleted_at IS NULL AND s.deleted_at IS NULL"
_JOINS = "CROSS JOIN topics t CROSS JOIN subforums s"
_JOINED = "t.id = p.topic_id AND s.id = t.subforum_id"
#: Lead to the posts of a state by an index.
_STATE_SOURCES = {
    "partial": "SELECT f.id FROM posts f WHERE f.is_partial = :yes",
    "failed": "SELECT f.post_id FROM llm_requests f WHERE f.status = 'failed' AND f.post_id IS NOT NULL",
    "bookmarked": "SELECT f.post_id FROM bookmarks f WHERE f.user_id = :reader",
}
_FILE_SOURCE = "SELECT f.post_id FROM attachments f WHERE f.post_id IS NOT NULL AND f.deleted_at IS NULL"
_STATES = {
    # Not child_count: that counts deleted replies too.
    "unanswered": "p.author_kind = 'person' AND NOT EXISTS"
    " (SELECT 1 FROM posts r WHERE r.parent_id = p.id AND r.deleted_at IS NULL)",
    "partial": "p.is_partial = :yes",
    "failed": f"p.id IN ({_STATE_SOURCES['failed']})",
    "bookmarked": f"p.id IN ({_STATE_SOURCES['bookmarked']})",
}
_CONTENTS = {
    "code": "(p.content LIKE '%```%' OR p.content LIKE '%~~~%')",
    "file": f"p.id IN ({_FILE_SOURCE})",
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
    return int(connection.execute(_bound(connection, statement, values), values).scalar_one())


def find_least_match(connection: Connection, query: Query, *, below_id: int, most: int) -> int:
    """The oldest of the ``most`` newest posts below ``below_id`` that hold what is wanted; 0 when there are fewer."""
    matching = matching_of(connection, query)
    statement = (
        f"SELECT count(*) AS number, min(id) AS least FROM (SELECT {matching.post_id} AS id FROM {matching.source}"
        f" WHERE {matching.condition.sql} AND {matching.post_id} < :below"
        f" ORDER BY {matching.by_newest} LIMIT :most) AS matches"
    )
    values = matching.condition.values | {"below": below_id, "most": most}
    row = connection.execute(_bound(connection, statement, values), values).one()
    return int(row.least) if row.number == most else 0


def list_best(
    connection: Connection,
    query: Query,
    narrowing: Narrowing,
    *,
    reader_id: int,
    limit: int,
    after: Place | None = None,
    few: str = "",
    span: Span | None = None,
) -> list[Hit]:
    """A page of the posts that hold what ``query`` wants, as far as ``narrowing`` leaves them, the best first."""
    matching = matching_of(connection, query)
    conditions = [matching.condition, _place(matching.rank, matching.post_id, after)]
    conditions += _conditions(connection, narrowing, reader_id)
    conditions += _membership(connection, matching, narrowing, reader_id, few)
    if span is not None:
        conditions.append(_between(matching.post_id, span))
    statement = (
        f"SELECT {matching.post_id} AS id, {matching.rank} AS rank FROM {matching.source} CROSS JOIN posts p {_JOINS}"
        f" WHERE p.id = {matching.post_id} AND {_JOINED} AND {_IS_THERE} AND {_all(conditions)}"
        f" ORDER BY {matching.by_rank} LIMIT :limit"
    )
    return _hits(connection, statement, conditions, limit)


def list_newest(
    connection: Connection,
    query: Query,
    narrowing: Narrowing,
    *,
    reader_id: int,
    limit: int,
    span: Span,
    few: str = "",
) -> list[Hit]:
    """The newest posts of ``span`` with what ``query`` wants and without what it does not."""
    conditions = _conditions(connection, narrowing, reader_id)
    source, post_id, by_newest = "posts p", "p.id", "p.id DESC"
    if query.wanted:
        matching = matching_of(connection, query)
        source, post_id, by_newest = f"{matching.source} CROSS JOIN posts p", matching.post_id, matching.by_newest
        conditions += [matching.condition, Fragment(f"p.id = {post_id}", {})]
        conditions += _membership(connection, matching, narrowing, reader_id, few)
    elif query.unwanted:
        conditions.append(absence_of(connection, query))
    conditions.append(_between(post_id, span))
    statement = (
        f"SELECT {post_id} AS id, 0.0 AS rank FROM {source} {_JOINS}"
        f" WHERE {_JOINED} AND {_IS_THERE} AND {_all(conditions)} ORDER BY {by_newest} LIMIT :limit"
    )
    return _hits(connection, statement, conditions, limit)


def find_few(connection: Connection, narrowing: Narrowing, *, reader_id: int, most: int) -> str:
    """The first filter of ``narrowing`` that leaves at most ``most`` posts, as far as an index tells; empty: none."""
    for name, source in _sources(connection, narrowing, reader_id).items():
        values = source.values | {"most": most + 1}
        statement = f"SELECT count(*) FROM ({source.sql} LIMIT :most) AS few"
        if connection.execute(_bound(connection, statement, values), values).scalar_one() <= most:
            return name
    return ""


def list_found(connection: Connection, hits: Sequence[Hit], query: Query) -> list[Found]:
    """Everything that is shown of these posts, in their order; what is wanted is marked in title and text."""
    if not hits:
        return []
    ids = [hit.post_id for hit in hits]
    values: dict[str, Any] = {"ids": ids}
    is_sqlite = connection.dialect.name == "sqlite"
    text_columns = f"substr(p.content, 1, {_OPENING_CHARS}) AS opening"
    if query.wanted and is_sqlite:
        text_columns = "p.content AS opening"
    elif query.wanted:
        values["wanted"] = tsquery_expression(query)
        text_columns += f", {headline_columns()}"
    statement = _bound(
        connection,
        "SELECT p.id, p.topic_id, p.parent_id, t.title, t.subforum_id, s.name AS subforum_name,"
        " coalesce(p.persona_name, u.name) AS author_name, p.author_kind, v.persona_id,"
        f" v.number AS persona_version_number, p.model_name, p.created_at, p.is_partial, {text_columns}"
        f" FROM posts p {_JOINS} CROSS JOIN users u LEFT JOIN persona_versions v ON v.id = p.persona_version_id"
        f" WHERE {_JOINED} AND u.id = p.owner_id AND p.id IN :ids",
        values,
    )
    rows = connection.execute(statement.columns(created_at=UtcDateTime()), values).all()
    if query.wanted:
        marked = _marked(rows, query) if is_sqlite else {r.id: (r.marked_title, r.marked_text) for r in rows}
    else:
        marked = {}
    found = {row.id: _found(row, *marked.get(row.id, ("", ""))) for row in rows}
    return [found[post_id] for post_id in ids if post_id in found]


def _marked(rows: Sequence[Row[Any]], query: Query) -> dict[int, tuple[str, str]]:
    # The title belongs to the document of a topic's first post.
    documents = [Document(row.id, row.title if row.parent_id is None else "", row.opening) for row in rows]
    return MARKER.mark(fts5_expression(query), documents)


def find_newest_id(connection: Connection) -> int:
    """The id of the newest post here; 0 when there is none."""
    return int(connection.execute(text("SELECT coalesce(max(id), 0) FROM posts")).scalar_one())


def find_newest_id_before(connection: Connection, until: datetime) -> int:
    """The greatest id of a post that was written before ``until``; 0 when there is none."""
    # The sum keeps the databases from walking back through the posts: the index of times holds every id.
    statement = "SELECT coalesce(max(id + 0), 0) FROM posts WHERE created_at < :moment"
    values = {"moment": until}
    return int(connection.execute(_bound(connection, statement, values), values).scalar_one())


def find_span(connection: Connection, narrowing: Narrowing, *, most: int) -> Span | None:
    """Which ids posts of the time of ``narrowing`` have. None: it gives no time, or more than ``most`` are of it."""
    values: dict[str, Any] = {"moment_since": narrowing.since, "moment_until": narrowing.until}
    values = {name: moment for name, moment in values.items() if moment}
    if not values:
        return None
    signs = {"moment_since": ">=", "moment_until": "<"}
    is_then = " AND ".join(f"created_at {signs[name]} :{name}" for name in values)
    values["most"] = most + 1
    statement = (
        "SELECT count(*) AS number, coalesce(min(id), 0) AS least, coalesce(max(id), -1) + 1 AS below"
        f" FROM (SELECT id FROM posts WHERE {is_then} LIMIT :most) AS few"
    )
    row = connection.execute(_bound(connection, statement, values), values).one()
    return Span(row.least, row.below) if row.number <= most else None


def count_posts_of_subforums(connection: Connection, subforum_ids: Collection[int]) -> int:
    """How many posts there are in subforums."""
    statement = text(
        "SELECT coalesce(sum(post_count), 0) FROM topics WHERE deleted_at IS NULL AND subforum_id IN :subforums"
    ).bindparams(bindparam("subforums", expanding=True))
    return int(connection.execute(statement, {"subforums": list(subforum_ids)}).scalar_one())


def _bound(connection: Connection, statement: str, values: dict[str, Any]) -> TextClause:
    """``statement`` with its parameters; ``values`` that are lists become lists in it.

    On PostgreSQL what is wanted is written into it, quoted: its planner must see it.
    """
    is_written = connection.dialect.name != "sqlite"
    return _built(
        statement,
        tuple(name for name in ("wanted", "unwanted") if is_written and name in values),
        tuple(name for name, value in values.items() if isinstance(value, list)),
        tuple(name for name in values if name.startswith("moment")),
    )


@lru_cache(maxsize=256)
def _built(statement: str, written: tuple[str, ...], lists: tuple[str, ...], moments: tuple[str, ...]) -> TextClause:
    parameters: list[BindParameter[Any]] = [
        *(bindparam(name, type_=String(), literal_execute=True) for name in written),
        *(bindparam(name, expanding=True) for name in lists),
        *(bindparam(name, type_=UtcDateTime()) for name in moments),
    ]
    return text(statement).bindparams(*parameters)


def _hits(connection: Connection, statement: str, conditions: list[Fragment], limit: int) -> list[Hit]:
    values: dict[str, Any] = {"limit": limit}
    for condition in conditions:
        values |= condition.values
    rows = connection.execute(_bound(connection, statement, values), values)
    return [Hit(row.id, float(row.rank)) for row in rows]


def _between(post_id: str, span: Span) -> Fragment:
    return Fragment(f"{post_id} >= :least AND {post_id} < :below", {"least": span.least, "below": span.below})


def _place(rank: str, post_id: str, after: Place | None) -> Fragment:
    if after is None:
        return Fragment("1 = 1", {})
    # Of equal rank both databases deliver the older post first.
    further = f"({rank} > :place_rank OR ({rank} = :place_rank AND {post_id} > :place_id))"
    return Fragment(further, {"place_id": after.post_id, "place_rank": after.rank})


def _sources(connection: Connection, narrowing: Narrowing, reader_id: int) -> dict[str, Fragment]:
    """The ids of the posts that each filter leaves, where an index leads to them."""
    sources: dict[str, Fragment] = {}
    for state in sorted(narrowing.states & _STATE_SOURCES.keys()):
        values: dict[str, Any] = {"reader": reader_id} if state == "bookmarked" else {}
        sources[state] = Fragment(_STATE_SOURCES[state].replace(":yes", _true(connection)), values)
    if "file" in narrowing.contents:
        sources["file"] = Fragment(_FILE_SOURCE, {})
    if narrowing.persona_version_ids:
        values = {"few_versions": sorted(narrowing.persona_version_ids)}
        sources["versions"] = Fragment("SELECT f.id FROM posts f WHERE f.persona_version_id IN :few_versions", values)
    if narrowing.model_names:
        values = {"few_models": sorted(narrowing.model_names)}
        sources["models"] = Fragment("SELECT f.id FROM posts f WHERE f.model_name IN :few_models", values)
    return sources


def _membership(
    connection: Connection, matching: Matching, narrowing: Narrowing, reader_id: int, few: str
) -> list[Fragment]:
    """The condition that a match is among the few posts of the filter ``few``, asked before its post is read."""
    if not few:
        return []
    source = _sources(connection, narrowing, reader_id)[few]
    # The plus keeps SQLite from asking the index about each of the few on its own, which is dear.
    return [Fragment(f"+{matching.post_id} IN ({source.sql})", source.values)]


def _conditions(connection: Connection, narrowing: Narrowing, reader_id: int) -> list[Fragment]:
    """What ``narrowing`` says of a post ``p`` in a topic ``t``."""
    conditions = [_condition(connection, narrowing, "0", reader_id)]
    for number, without in enumerate(narrowing.without, start=1):
        condition = _condition(connection, without, str(number), reader_id)
        # A post without a model has none to be left out for: NULL must not decide.
        conditions.append(Fragment(f"NOT coalesce({condition.sql}, {_false(connection)})", condition.values))
    return conditions


def _condition(connection: Connection, narrowing: Narrowing, mark: str, reader_id: int) -> Fragment:
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
        # Written out, not as a parameter: only then is the index of partial answers used.
        parts.append(_STATES[state].replace(":yes", _true(connection)))
        values |= {"reader": reader_id} if state == "bookmarked" else {}
    parts += [_CONTENTS[content] for content in sorted(narrowing.contents)]
    return Fragment("(" + " AND ".join(parts) + ")" if parts else "1 = 1", values)


def _false(connection: Connection) -> str:
    return "0" if connection.dialect.name == "sqlite" else "FALSE"


def _true(connection: Connection) -> str:
    return "1" if connection.dialect.name == "sqlite" else "TRUE"


def _all(conditions: list[Fragment]) -> str:
    return " AND ".join(condition.sql for condition in conditions)


def _found(row: Row[Any], title: str, snippet: str) -> Found:
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
        snippet=_pieces(snippet) if snippet else (Piece(row.opening[:_OPENING_CHARS]),),
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
