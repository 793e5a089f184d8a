"""Rows of ``batch_verdicts``: which answers a judge was asked about, and what it said of them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, func, insert, or_, select, update

from forllm_server.batches.model import Batch, Verdict
from forllm_server.batches.tables import batch_cells, batch_verdicts, joined_verdicts, judges
from forllm_server.db.types import metadata
from forllm_server.queue.model import LIVE

_c = batch_cells.c
_v = batch_verdicts.c
_LIVE = tuple(status.value for status in LIVE)

#: (line's number, place of the ask, question's post, answer's post)
Unjudged = tuple[int, int, int, int]


def list_unjudged(connection: Connection, batch: Batch, *, limit: int) -> list[Unjudged]:
    """Answers that no judge was asked about yet, in the order of the grid."""
    requests = metadata.tables["llm_requests"]
    query = (
        joined_verdicts(
            select(_c.number, _c.ask, requests.c.post_id, requests.c.reply_post_id)
            .select_from(batch_cells)
            .join(requests, requests.c.id == _c.llm_request_id)
        )
        .where(_c.batch_id == batch.id, _c.number > batch.settled_count)
        .where(requests.c.status == "succeeded", requests.c.reply_post_id.is_not(None), _v.llm_request_id.is_(None))
        .order_by(_c.number, _c.ask)
        .limit(limit)
    )
    return [(row[0], row[1], row[2], row[3]) for row in connection.execute(query)]


def insert_verdict(connection: Connection, batch_id: int, number: int, ask: int, *, llm_request_id: int) -> None:
    """Note that the judge is asked about an answer; it has not said anything yet."""
    values = {"batch_id": batch_id, "number": number, "ask": ask, "llm_request_id": llm_request_id}
    connection.execute(insert(batch_verdicts).values(values))


def update_verdict(connection: Connection, llm_request_id: int, verdict: Verdict, said: str) -> None:
    """Keep what the judge said. Of a batch deleted meanwhile nothing is kept."""
    statement = update(batch_verdicts).where(_v.llm_request_id == llm_request_id)
    connection.execute(statement.values(word=verdict.value, said=said))


def count_live_verdicts(connection: Connection, batch: Batch) -> int:
    """How many of the judge's LLM requests have no end yet, among the lines not settled as far as is known."""
    query = _asked(func.count()).where(_v.batch_id == batch.id, _v.number > batch.settled_count)
    return int(connection.execute(query.where(judges().c.status.in_(_LIVE))).scalar_one())


def list_verdict_request_ids(
    connection: Connection, batch_id: int, statuses: Sequence[str], *, limit: int | None = None
) -> list[int]:
    """The judge's LLM requests that are in one of ``statuses``, in the order of ids."""
    query = _asked(_v.llm_request_id).where(_v.batch_id == batch_id, judges().c.status.in_(list(statuses)))
    return list(connection.execute(query.order_by(_v.llm_request_id).limit(limit)).scalars())


def find_first_judged_by(connection: Connection, batch_id: int, llm_request_ids: Sequence[int]) -> int | None:
    """The first line about whose answers these LLM requests ask the judge."""
    query = select(func.min(_v.number)).where(_v.batch_id == batch_id, _v.llm_request_id.in_(list(llm_request_ids)))
    found: int | None = connection.execute(query).scalar_one()
    return found


def delete_undecided(connection: Connection, batch_id: int) -> list[int]:
    """Forget what the judge said unreadably, or will never say, so that it is asked again; the lines of these.

    A failed LLM request is not forgotten: it can be tried again itself.
    """
    may_speak_yet = [*_LIVE, "failed"]
    requests = metadata.tables["llm_requests"].c
    speaking = select(requests.id).where(requests.status.in_(may_speak_yet), requests.id == _v.llm_request_id)
    is_over = or_(_v.word == Verdict.UNREADABLE.value, and_(_v.word == "", ~speaking.exists()))
    statement = delete(batch_verdicts).where(_v.batch_id == batch_id, is_over).returning(_v.number)
    return list(connection.execute(statement).scalars())


def _asked(*columns: Any) -> Select[Any]:
    return select(*columns).select_from(batch_verdicts).join(judges(), judges().c.id == _v.llm_request_id)
