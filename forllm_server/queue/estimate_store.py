"""What was foretold of LLM requests, and how often it came true."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, insert, select, text

from forllm_server.queue.estimate import DoneBy
from forllm_server.queue.tables import llm_estimates, llm_requests

#: How many of the last finished requests are looked at for the score.
SCORED = 200
#: Characters of so many posts above a question are counted; the rest would not fit into a prompt anyway.
COUNTED_POSTS = 200

_c = llm_estimates.c
_r = llm_requests.c


@dataclass(frozen=True)
class Score:
    """Of ``counted`` requests that finished, so many as ``hits`` did so within the range foretold."""

    hits: int
    counted: int

    @property
    def share(self) -> float | None:
        return self.hits / self.counted if self.counted else None


def insert_estimates(connection: Connection, estimates: Mapping[int, DoneBy], made_at: datetime) -> None:
    """Keep what is foretold for requests that have no estimate yet; the first one counts."""
    if not estimates:
        return
    taken = connection.execute(select(_c.llm_request_id).where(_c.llm_request_id.in_(list(estimates)))).scalars()
    new_ids = set(estimates) - set(taken)
    rows = [
        {
            "llm_request_id": llm_request_id,
            "made_at": made_at,
            "low_at": estimates[llm_request_id].low_at,
            "middle_at": estimates[llm_request_id].middle_at,
            "high_at": estimates[llm_request_id].high_at,
        }
        for llm_request_id in sorted(new_ids)
    ]
    if rows:
        connection.execute(insert(llm_estimates), rows)


def find_estimate(connection: Connection, llm_request_id: int) -> DoneBy | None:
    """What was foretold when the request was asked."""
    query = select(_c.low_at, _c.middle_at, _c.high_at).where(_c.llm_request_id == llm_request_id)
    row = connection.execute(query).first()
    return DoneBy(*row) if row else None


def list_ids_without_estimate(connection: Connection, *, limit: int) -> list[int]:
    """Queued requests for which nothing was foretold yet, oldest first."""
    query = (
        select(_r.id)
        .where(text("status = 'queued'"), ~select(_c.llm_request_id).where(_c.llm_request_id == _r.id).exists())
        .order_by(_r.id)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


_LAST_FINISHED = (
    select(_r.id, _r.finished_at)
    # A partial text that a person posted says nothing about how long its answer would have taken.
    .where(_r.status == text("'succeeded'"), _r.finish_reason.is_distinct_from("partial"))
    .order_by(_r.id.desc())
    .limit(bindparam("last"))
    .subquery()
)
_SCORE = select(
    func.count(),
    func.count().filter(_LAST_FINISHED.c.finished_at.between(_c.low_at, _c.high_at)),
).select_from(llm_estimates.join(_LAST_FINISHED, _LAST_FINISHED.c.id == _c.llm_request_id))


def read_score(connection: Connection, *, last: int = SCORED) -> Score:
    """How the estimates of the last requests that were answered have turned out."""
    counted, hits = connection.execute(_SCORE, {"last": last}).one()
    return Score(hits, counted)
