"""Rows of ``batch_cells``, with what became of their LLM requests and the replies (both joined, never copied)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, bindparam, case, false, func, insert, or_, select, text, update
from sqlalchemy.sql import ColumnElement

from forllm_server.batches.model import Batch, Cell, Progress, Verdict
from forllm_server.batches.tables import (
    batch_cells,
    batch_verdicts,
    is_undecided_yet,
    joined_verdicts,
    verdict_column,
)
from forllm_server.db.types import metadata
from forllm_server.queue.model import LIVE

GONE = "gone"
_c = batch_cells.c
_LIVE = tuple(status.value for status in LIVE)

#: (line's number, place of the ask, LLM request's id)
NewCell = tuple[int, int, int]


def insert_cells(connection: Connection, batch_id: int, cells: Sequence[NewCell]) -> None:
    """Note which LLM request each of these cells became."""
    rows = [
        {"batch_id": batch_id, "number": number, "ask": ask, "llm_request_id": llm_request_id}
        for number, ask, llm_request_id in cells
    ]
    if rows:
        connection.execute(insert(batch_cells), rows)


def list_cells(
    connection: Connection, batch_id: int, numbers: Sequence[int], *, text_characters: int | None = None
) -> list[Cell]:
    """The cells of the lines ``numbers``, in the grid's order; of the replies so many characters, or all."""
    if not numbers:
        return []
    posts = metadata.tables["posts"]
    text = posts.c.content if text_characters is None else func.substr(posts.c.content, 1, text_characters)
    requests = metadata.tables["llm_requests"]
    shown = case((posts.c.deleted_at.is_(None), text))
    query = (
        joined_verdicts(_joined(_c.number, _c.ask, _c.llm_request_id, _c.failed_checks, _status().label("status")))
        .add_columns(requests.c.reply_post_id, requests.c.cause_detail, shown.label("text"))
        .add_columns(verdict_column().label("verdict"), batch_verdicts.c.said)
        .add_columns(batch_verdicts.c.llm_request_id.label("verdict_llm_request_id"))
        .outerjoin(posts, posts.c.id == requests.c.reply_post_id)
        .where(_c.batch_id == batch_id, _c.number.in_(list(numbers)))
        .order_by(_c.number, _c.ask)
    )
    return [_cell(dict(row._mapping)) for row in connection.execute(query)]


def read_progress(connection: Connection, batch: Batch) -> Progress:
    """How many cells are in which state."""
    status = metadata.tables["llm_requests"].c.status
    is_failed = case((_c.failed_checks != "[]", 1), else_=0)
    query = _joined(status, func.count(), func.sum(is_failed)).where(_c.batch_id == batch.id).group_by(status)
    rows = connection.execute(query).all()
    by_status = {GONE if status is None else str(status): int(number) for status, number, _ in rows}
    return Progress(
        total=batch.cell_count,
        unasked=batch.cell_count - sum(by_status.values()),
        by_status=by_status,
        failed_checks=sum(int(failed or 0) for _, _, failed in rows),
        by_verdict=_count_verdicts(connection, batch) if batch.judge else {},
    )


def _count_verdicts(connection: Connection, batch: Batch) -> dict[Verdict, int]:
    # By its name: written out twice, with parameters in it, PostgreSQL would take it for two expressions.
    counted: Any = select(verdict_column().label("verdict"), func.count()).select_from(batch_cells)
    query = joined_verdicts(counted).where(_c.batch_id == batch.id).group_by(text("verdict"))
    rows = connection.execute(query)
    return {Verdict(word): int(number) for word, number in rows if word is not None}


def list_numbers(
    connection: Connection,
    batch_id: int,
    *,
    statuses: Sequence[str] = (),
    verdicts: Sequence[Verdict] = (),
    fails_checks: bool = False,
    after: int,
    limit: int,
) -> list[int]:
    """The lines with a cell in one of ``statuses``, or whose answer has one of ``verdicts`` or fails a check.

    Only those after the number ``after``.
    """
    query = _joined(_c.number).where(_c.batch_id == batch_id, _c.number > after)
    is_shown: list[ColumnElement[bool]] = [_status().in_(list(statuses))] if statuses else []
    if fails_checks:
        is_shown.append(_c.failed_checks != "[]")
    if verdicts:
        query = joined_verdicts(query)
        is_shown.append(verdict_column().in_([verdict.value for verdict in verdicts]))
    query = query.where(or_(false(), *is_shown))
    return list(connection.execute(query.group_by(_c.number).order_by(_c.number).limit(limit)).scalars())


def list_llm_request_ids(
    connection: Connection, batch_id: int, statuses: Sequence[str], *, limit: int | None = None
) -> list[int]:
    """The LLM requests of a batch that are in one of ``statuses``, in the order of ids."""
    query = _joined(_c.llm_request_id).where(_c.batch_id == batch_id, _status().in_(list(statuses)))
    return list(connection.execute(query.order_by(_c.llm_request_id).limit(limit)).scalars())


def count_live(connection: Connection, batch: Batch) -> int:
    """How many of its LLM requests have no end yet, among the lines that are not settled as far as is known."""
    query = _joined(func.count()).where(_c.batch_id == batch.id, _c.number > batch.settled_count, _status().in_(_LIVE))
    return int(connection.execute(query).scalar_one())


def find_first_unsettled(connection: Connection, batch: Batch) -> int | None:
    """The first line, after those known to be settled, with a cell without an end or an answer not looked at yet."""
    is_unsettled: ColumnElement[bool] = _status().in_(_LIVE)
    if batch.checks:
        is_unsettled = is_unsettled | ((_status() == "succeeded") & _c.failed_checks.is_(None))
    query = _joined(func.min(_c.number))
    if batch.judge:
        query = joined_verdicts(query)
        is_unsettled = is_unsettled | ((_status() == "succeeded") & is_undecided_yet())
    query = query.where(_c.batch_id == batch.id, _c.number > batch.settled_count, is_unsettled)
    found: int | None = connection.execute(query).scalar_one()
    return found


def find_first_of(connection: Connection, batch_id: int, llm_request_ids: Sequence[int]) -> int | None:
    """The first line among those of these LLM requests."""
    query = select(func.min(_c.number)).where(_c.batch_id == batch_id, _c.llm_request_id.in_(list(llm_request_ids)))
    found: int | None = connection.execute(query).scalar_one()
    return found


def list_unchecked(connection: Connection, batch: Batch, *, limit: int) -> list[tuple[int, int, str]]:
    """(line, ask, text) of answers that the checks have not looked at; a deleted one counts as empty."""
    posts, requests = metadata.tables["posts"], metadata.tables["llm_requests"]
    text = case((posts.c.deleted_at.is_(None), posts.c.content), else_="")
    query = (
        _joined(_c.number, _c.ask, text)
        .outerjoin(posts, posts.c.id == requests.c.reply_post_id)
        .where(_c.batch_id == batch.id, _c.number > batch.settled_count)
        .where(_status() == "succeeded", _c.failed_checks.is_(None))
        .order_by(_c.number, _c.ask)
        .limit(limit)
    )
    return [(row[0], row[1], row[2] or "") for row in connection.execute(query)]


def update_checks(connection: Connection, batch_id: int, failed: Sequence[tuple[int, int, tuple[str, ...]]]) -> None:
    """Note what the answers of these cells (line, ask) fail."""
    statement = (
        update(batch_cells)
        .where(_c.batch_id == batch_id, _c.number == bindparam("line_"), _c.ask == bindparam("ask_"))
        .values(failed_checks=bindparam("failed_"))
    )
    rows = [
        {"line_": number, "ask_": ask, "failed_": json.dumps(list(words), ensure_ascii=False)}
        for number, ask, words in failed
    ]
    if rows:
        connection.execute(statement, rows)


def delete_checks_of(connection: Connection, batch_id: int, llm_request_ids: Sequence[int]) -> None:
    """What the checks said of an answer does not hold for the one that comes."""
    statement = update(batch_cells).where(_c.batch_id == batch_id, _c.llm_request_id.in_(list(llm_request_ids)))
    connection.execute(statement.values(failed_checks=None))


def _joined(*columns: Any) -> Select[Any]:
    requests = metadata.tables["llm_requests"]
    return select(*columns).select_from(batch_cells).outerjoin(requests, requests.c.id == _c.llm_request_id)


def _status() -> ColumnElement[str]:
    return func.coalesce(metadata.tables["llm_requests"].c.status, GONE)


def _cell(row: Mapping[str, Any]) -> Cell:
    failed = row["failed_checks"]
    return Cell(
        number=row["number"],
        ask=row["ask"],
        llm_request_id=row["llm_request_id"],
        status=row["status"],
        reply_post_id=row["reply_post_id"],
        text=row["text"],
        detail=row["cause_detail"],
        failed_checks=None if failed is None else tuple(json.loads(failed)),
        verdict=None if row["verdict"] is None else Verdict(row["verdict"]),
        verdict_said=row["said"] or "",
        verdict_llm_request_id=row["verdict_llm_request_id"],
    )
