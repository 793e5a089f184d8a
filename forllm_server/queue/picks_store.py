"""The line of a backend as a claim sees it: the first of it, and the few that its order chooses among.

Every read is a step into a partial index of queued requests: it costs the same with ten waiting and with 100,000. Where
models are loaded by context size, which no index knows, it is a walk that ends at the first that fits, or after
:data:`LOOKED_AT`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Float, Select, literal_column, select, text

from forllm_server.db.types import UtcDateTime
from forllm_server.queue.context_sql import context_of, no_context, served_last
from forllm_server.queue.dispatch import Candidate, LastServed, Picks
from forllm_server.queue.model import Lane
from forllm_server.queue.plan import LONGEST_PLAN

#: So many of a line are looked at for one with the context size that is loaded: as many as the plan lays out.
LOOKED_AT = LONGEST_PLAN
# These statements run for every request, so they are put together once, from text: no builder of statements knows of
# SQLite's "INDEXED BY". Only their columns are named to SQLAlchemy, which then remembers what a result looks like. The
# status stands in them as a literal: a bound one would keep PostgreSQL from the partial indexes.
_NAMES = ("id", "lane", "priority", "model_id", "persona_version_id", "topic_id", "created_at", "pinned", "owner_id")
_COLUMNS = ", ".join(f"q.{name}" for name in _NAMES)
_WIDTH = len(_NAMES) + 1
_LINE = "q.lane, (q.pinned IS NULL), q.pinned, q.priority DESC, q.id"
_RUNS_ON_SAME = (
    "EXISTS (SELECT 1 FROM llm_requests r WHERE r.status = 'running' AND r.backend_id = q.backend_id "
    "AND r.model_id = q.model_id AND r.topic_id = q.topic_id{})"
)
#: Not on a thread whose prompt is being read just now: it would be read twice, on two places. "Run now" waits for none.
_IS_READY = f"(q.lane = 'live' OR NOT {_RUNS_ON_SAME.format(' AND r.first_token_at IS NULL')})"
#: Not on a thread that somebody is at.
_IS_UNSHARED = f"NOT {_RUNS_ON_SAME.format('')}"
#: The same where threads are not fanned out at all.
_IS_ALONE = f"(q.lane = 'live' OR {_IS_UNSHARED})"


@dataclass(frozen=True)
class LineKind:
    """How a backend's line is read. ``fans_out``: a thread may be read by a second place (:func:`may_fan_out`).

    ``loads_by_context``: its models are loaded with the context size of the request.
    """

    fans_out: bool = True
    loads_by_context: bool = False


def _context(dialect: str, kind: LineKind) -> str:
    return context_of("q", dialect) if kind.loads_by_context else no_context()


def _by(index: str, dialect: str) -> str:
    """The table, read by one index: statistics of a long line would mislead SQLite to another. PostgreSQL has no such
    clause, and needs none: it goes by the order that is asked for."""
    return f"llm_requests q INDEXED BY {index}" if dialect == "sqlite" else "llm_requests q"


def _first_statement(dialect: str, kind: LineKind, condition: str) -> Select[Any]:
    return (
        select(
            *_columns_of("q", _context(dialect, kind)),
            literal_column("at_work.number"),
            *(literal_column(f"s.{name}") for name in ("failures", "last_model_id", "last_persona_version_id")),
            *(literal_column(f"s.{name}") for name in ("last_topic_id", "last_owner_id", "passed_over", "in_turn")),
            literal_column(served_last("s", dialect) if kind.loads_by_context else no_context()),
            literal_column("s.open_until", UtcDateTime()),
        )
        .select_from(
            text(
                f"{_by('ix_llm_requests_claim', dialect)} LEFT JOIN backend_states s ON s.backend_id = q.backend_id "
                "CROSS JOIN (SELECT count(*) AS number FROM llm_requests r "
                "WHERE r.status = 'running' AND r.backend_id = :backend_id) AS at_work"
            )
        )
        .where(text(f"q.status = 'queued' AND q.backend_id = :backend_id AND {condition}"))
        .order_by(text(_LINE))
        .limit(2)
    )


def _columns_of(table: str, context: str) -> list[ColumnElement[Any]]:
    types: dict[str, Any] = {"created_at": UtcDateTime(), "pinned": Float()}
    return [*(literal_column(f"{table}.{name}", types.get(name)) for name in _NAMES), literal_column(context)]


def _picks_statement(dialect: str, kind: LineKind, *conditions: str) -> Select[Any]:
    queued = "q.status = 'queued' AND q.pinned IS NULL AND q.backend_id = :backend_id AND q.lane = :lane"
    peer = " AND ".join((f"{queued} AND q.priority = :priority", *conditions))
    same = f"{peer} AND coalesce(q.model_id, 0) = :model_id"
    persona, topic = "coalesce(q.persona_version_id, 0)", "q.topic_id = :topic_id"
    by_thread, by_turn = _by("ix_llm_requests_thread", dialect), _by("ix_llm_requests_turn", dialect)

    def first_of(columns: str, source: str, where: str, order: str) -> str:
        """The first by an index; where models are loaded by context the first that needs no load."""
        if not kind.loads_by_context:
            chosen = f"{columns}, {no_context()} AS context_tokens"
            return f"SELECT {chosen} FROM {source} WHERE {where} ORDER BY {order} LIMIT 1"
        walked = (
            f"SELECT {columns}, {_context(dialect, kind)} AS context_tokens FROM {source} "
            f"WHERE {where} ORDER BY {order} LIMIT {LOOKED_AT}"
        )
        # SQLite takes the rows of such a walk one by one, in its order, and would sort them all if told to.
        again = f" ORDER BY {order}" if dialect != "sqlite" else ""
        return f"SELECT * FROM ({walked}) q WHERE q.context_tokens = :context_tokens{again} LIMIT 1"

    def first_owner(condition: str) -> str:
        found = first_of("q.owner_id", by_turn, f"{same}{condition}", "q.owner_id")
        return f"(SELECT o.owner_id FROM ({found}) o)"

    turn = f"q.owner_id = coalesce({first_owner(' AND q.owner_id > :owner_id')}, {first_owner('')})"
    wanted = {
        "same_prompt": (by_thread, f"{same} AND {topic} AND {persona} = :persona_version_id", "q.id"),
        "same_thread": (by_thread, f"{same} AND {topic}", f"{persona}, q.id"),
        "next_persona": (by_turn, f"{same} AND {turn} AND {persona} = :persona_version_id", "q.id"),
        "next_first": (by_turn, f"{same} AND {turn}", f"{persona}, q.id"),
    }
    parts = [
        f"SELECT * FROM (SELECT '{name}' AS pick, p.* FROM ({first_of(_COLUMNS, *sought)}) p) AS {name}"
        for name, sought in wanted.items()
    ]
    if conditions:
        # Without them the oldest is the first of the line, which is known already.
        by_claim = _by("ix_llm_requests_claim", dialect)
        parts.append(
            f"SELECT * FROM (SELECT 'oldest' AS pick, {_COLUMNS}, {_context(dialect, kind)} AS context_tokens "
            f"FROM {by_claim} WHERE {peer} AND (q.pinned IS NULL) = (1 = 1) ORDER BY q.id LIMIT 1) AS oldest"
        )
    return select(literal_column("found.pick"), *_columns_of("found", "found.context_tokens")).select_from(
        text(f"({' UNION ALL '.join(parts)}) AS found")
    )


_DIALECTS = ("sqlite", "postgresql")
_KINDS = [
    (dialect, LineKind(fans_out, loads_by_context))
    for dialect in _DIALECTS
    for fans_out in (True, False)
    for loads_by_context in (True, False)
]


def _may_begin(kind: LineKind) -> str:
    return _IS_READY if kind.fans_out else _IS_ALONE


_FIRST = {(dialect, kind): _first_statement(dialect, kind, _may_begin(kind)) for dialect, kind in _KINDS}
_FIRST_LIVE = {(dialect, kind): _first_statement(dialect, kind, "q.lane = 'live'") for dialect, kind in _KINDS}
_PICKS = {(dialect, kind): (_picks_statement(dialect, kind),) for dialect, kind in _KINDS}
#: Where others run: what nobody is at comes before a second one on the same thread, if that may run at all.
_PICKS_BESIDE = {
    (dialect, kind): (
        _picks_statement(dialect, kind, _IS_UNSHARED),
        _picks_statement(dialect, kind, _may_begin(kind)),
    )
    for dialect, kind in _KINDS
}
_LOCK_BACKEND = text("SELECT id FROM backends WHERE id = :backend_id FOR UPDATE")


@dataclass(frozen=True)
class Queued:
    """What a claim sees of a backend that has work: ``oldest``, the first of the line, and ``last``, served last."""

    oldest: Candidate
    has_peers: bool
    running_count: int
    failures: int
    open_until: datetime | None
    last: LastServed | None


def find_queued(
    connection: Connection, backend_id: int, *, only_live: bool, line: LineKind = LineKind()
) -> Queued | None:
    """The first of a backend's line that may begin beside what runs there; None when there is none.

    Locks the backend's row first where writers are not alone (PostgreSQL), so that the count of running requests
    still holds when the claim is written.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(_LOCK_BACKEND, {"backend_id": backend_id})
    dialect = connection.dialect.name
    statement = (_FIRST_LIVE if only_live else _FIRST)[dialect, line]
    rows = connection.execute(statement, {"backend_id": backend_id}).all()
    if not rows:
        return None
    first = rows[0]
    has_peers = len(rows) > 1 and (first[1], first[2], first[7]) == (rows[1][1], rows[1][2], rows[1][7])
    running_count, failures, *served, open_until = first[_WIDTH:]
    # No owner: it has served nothing yet.
    last = None if served[3] is None else LastServed(*served)
    return Queued(_candidate(first[:_WIDTH]), has_peers, running_count, failures or 0, open_until, last)


def find_picks(
    connection: Connection, backend_id: int, queued: Queued, last: LastServed | None, *, line: LineKind = LineKind()
) -> Picks:
    """What the order chooses among. ``last``: what the place that is to work has served last."""
    found = Picks(queued.oldest, queued.has_peers)
    if last is None or queued.oldest.pinned is not None:
        return found
    bound = {
        "backend_id": backend_id,
        "lane": queued.oldest.lane.value,
        "priority": queued.oldest.priority,
        "model_id": last.model_id or 0,
        "persona_version_id": last.persona_version_id or 0,
        "topic_id": last.topic_id,
        "owner_id": last.owner_id,
    }
    if line.loads_by_context:
        bound["context_tokens"] = last.context_tokens
    by_kind = _PICKS_BESIDE if queued.running_count else _PICKS
    for statement in by_kind[connection.dialect.name, line]:
        rows = connection.execute(statement, bound).all()
        if rows:
            return _picks(queued, {row[0]: _candidate(row[1:]) for row in rows})
    return found


def _picks(queued: Queued, found: Mapping[str, Candidate]) -> Picks:
    return Picks(
        found.get("oldest", queued.oldest),
        queued.has_peers,
        same_prompt=found.get("same_prompt"),
        same_thread=found.get("same_thread"),
        next_persona=found.get("next_persona"),
        next_first=found.get("next_first"),
    )


def _candidate(values: Sequence[Any]) -> Candidate:
    return Candidate(values[0], Lane(values[1]), *values[2:])
