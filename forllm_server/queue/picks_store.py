"""The line of a backend as a claim sees it: the first of it, and the few that its order chooses among.

Every read is a step into a partial index of queued requests: it costs the same with ten waiting and with 100,000.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Float, Select, literal_column, select, text

from forllm_server.db.types import UtcDateTime
from forllm_server.queue.dispatch import Candidate, LastServed, Picks
from forllm_server.queue.model import Lane

# These statements run for every request, so they are put together once, from text: no builder of statements knows of
# SQLite's "INDEXED BY". Only their columns are named to SQLAlchemy, which then remembers what a result looks like. The
# status stands in them as a literal: a bound one would keep PostgreSQL from the partial indexes.
_NAMES = ("id", "lane", "priority", "model_id", "persona_version_id", "topic_id", "created_at", "pinned", "owner_id")
_COLUMNS = ", ".join(f"q.{name}" for name in _NAMES)
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


def _by(index: str, dialect: str) -> str:
    """The table, read by one index: statistics of a long line would mislead SQLite to another. PostgreSQL has no such
    clause, and needs none: it goes by the order that is asked for."""
    return f"llm_requests q INDEXED BY {index}" if dialect == "sqlite" else "llm_requests q"


def _first_statement(dialect: str, condition: str) -> Select[Any]:
    return (
        select(
            *_columns_of("q"),
            literal_column("at_work.number"),
            *(literal_column(f"s.{name}") for name in ("failures", "last_model_id", "last_persona_version_id")),
            *(literal_column(f"s.{name}") for name in ("last_topic_id", "last_owner_id", "passed_over", "in_turn")),
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


def _columns_of(table: str) -> list[ColumnElement[Any]]:
    types: dict[str, Any] = {"created_at": UtcDateTime(), "pinned": Float()}
    return [literal_column(f"{table}.{name}", types.get(name)) for name in _NAMES]


def _picks_statement(dialect: str, *conditions: str) -> Select[Any]:
    queued = "q.status = 'queued' AND q.pinned IS NULL AND q.backend_id = :backend_id AND q.lane = :lane"
    peer = " AND ".join((f"{queued} AND q.priority = :priority", *conditions))
    same = f"{peer} AND coalesce(q.model_id, 0) = :model_id"
    persona, topic = "coalesce(q.persona_version_id, 0)", "q.topic_id = :topic_id"
    by_thread, by_turn = _by("ix_llm_requests_thread", dialect), _by("ix_llm_requests_turn", dialect)

    def first_owner(condition: str) -> str:
        return f"(SELECT q.owner_id FROM {by_turn} WHERE {same}{condition} ORDER BY q.owner_id LIMIT 1)"

    turn = f"q.owner_id = coalesce({first_owner(' AND q.owner_id > :owner_id')}, {first_owner('')})"
    wanted = {
        "same_prompt": (by_thread, f"{same} AND {topic} AND {persona} = :persona_version_id", "q.id"),
        "same_thread": (by_thread, f"{same} AND {topic}", f"{persona}, q.id"),
        "next_persona": (by_turn, f"{same} AND {turn} AND {persona} = :persona_version_id", "q.id"),
        "next_first": (by_turn, f"{same} AND {turn}", f"{persona}, q.id"),
    }
    if conditions:
        # Without them the oldest is the first of the line, which is known already.
        wanted["oldest"] = (_by("ix_llm_requests_claim", dialect), f"{peer} AND (q.pinned IS NULL) = (1 = 1)", "q.id")
    parts = (
        f"SELECT * FROM (SELECT '{name}' AS pick, {_COLUMNS} FROM {source} "
        f"WHERE {where} ORDER BY {order} LIMIT 1) AS {name}"
        for name, (source, where, order) in wanted.items()
    )
    return select(literal_column("found.pick"), *_columns_of("found")).select_from(
        text(f"({' UNION ALL '.join(parts)}) AS found")
    )


_DIALECTS = ("sqlite", "postgresql")
_FIRST = {
    (each, fans_out): _first_statement(each, _IS_READY if fans_out else _IS_ALONE)
    for each in _DIALECTS
    for fans_out in (True, False)
}
_FIRST_LIVE = {each: _first_statement(each, "q.lane = 'live'") for each in _DIALECTS}
_PICKS = {each: (_picks_statement(each),) for each in _DIALECTS}
#: Where others run: what nobody is at comes before a second one on the same thread, if that may run at all.
_PICKS_BESIDE = {
    (each, fans_out): (
        _picks_statement(each, _IS_UNSHARED),
        _picks_statement(each, _IS_READY if fans_out else _IS_ALONE),
    )
    for each in _DIALECTS
    for fans_out in (True, False)
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


def find_queued(connection: Connection, backend_id: int, *, only_live: bool, fans_out: bool = True) -> Queued | None:
    """The first of a backend's line that may begin beside what runs there; None when there is none.

    Locks the backend's row first where writers are not alone (PostgreSQL), so that the count of running requests
    still holds when the claim is written.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(_LOCK_BACKEND, {"backend_id": backend_id})
    dialect = connection.dialect.name
    statement = _FIRST_LIVE[dialect] if only_live else _FIRST[dialect, fans_out]
    rows = connection.execute(statement, {"backend_id": backend_id}).all()
    if not rows:
        return None
    first = rows[0]
    has_peers = len(rows) > 1 and (first[1], first[2], first[7]) == (rows[1][1], rows[1][2], rows[1][7])
    running_count, failures, model_id, persona_version_id, topic_id, owner_id, passed_over, in_turn = first[9:17]
    last = None
    if owner_id is not None:
        last = LastServed(model_id, persona_version_id, topic_id, owner_id, passed_over, in_turn)
    return Queued(_candidate(first[:9]), has_peers, running_count, failures or 0, first[17], last)


def find_picks(
    connection: Connection, backend_id: int, queued: Queued, last: LastServed | None, *, fans_out: bool = True
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
    dialect = connection.dialect.name
    for statement in _PICKS_BESIDE[dialect, fans_out] if queued.running_count else _PICKS[dialect]:
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
