"""The tables of batches: the template once, a row for each line, for each cell that was asked, for each verdict.

Cells hold no state of their own but what the checks said: it is joined from ``llm_requests``. A line or cell that has
not been asked yet has no cells, so that 50,000 lines are 50,000 rows and nothing else.
"""

from functools import cache
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    FromClause,
    Index,
    Integer,
    Select,
    Table,
    Text,
    and_,
    case,
    false,
    or_,
    text,
)
from sqlalchemy.sql import ColumnElement

from forllm_server.batches.model import Verdict
from forllm_server.db.types import Id, Json, UtcDateTime, metadata
from forllm_server.queue.model import LIVE

batches = Table(
    "batches",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, ForeignKey("users.id"), nullable=False),
    # No foreign keys: the trash erases subforums, topics and posts for good, and a batch outlives its answers.
    Column("subforum_id", Id, nullable=False),
    Column("topic_id", Id),
    Column("root_post_id", Id),
    Column("place", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("columns", Json, nullable=False),
    Column("asks", Json, nullable=False),
    Column("checks", Json, nullable=False),
    Column("is_run_now", Boolean, nullable=False, server_default=false()),
    Column("state", Text, nullable=False),
    Column("problem", Text),
    Column("line_count", Integer, nullable=False),
    Column("asked_count", Integer, nullable=False, server_default="0"),
    Column("settled_count", Integer, nullable=False, server_default="0"),
    Column("fingerprint", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    # Who judges the answers by which rubric; null: nobody.
    Column("judge", Json),
    Index("ix_batches_fingerprint", "fingerprint"),
    Index(
        "ix_batches_unfinished",
        "id",
        sqlite_where=text("finished_at IS NULL"),
        postgresql_where=text("finished_at IS NULL"),
    ),
    # A deleted batch's number is never given to another one.
    sqlite_autoincrement=True,
)

batch_lines = Table(
    "batch_lines",
    metadata,
    Column("batch_id", Id, ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("texts", Json, nullable=False),
    Column("post_id", Id),
)

batch_cells = Table(
    "batch_cells",
    metadata,
    Column("batch_id", Id, ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("ask", Integer, primary_key=True),
    Column("llm_request_id", Id, nullable=False),
    # What of the checks the answer fails, in words; null: not checked yet.
    Column("failed_checks", Text),
    Index("ix_batch_cells_llm_request_id", "llm_request_id"),
)

batch_verdicts = Table(
    "batch_verdicts",
    metadata,
    Column("batch_id", Id, ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("ask", Integer, primary_key=True),
    # Of the LLM request that asks the judge; while the word is empty, its state tells whether one will come.
    Column("llm_request_id", Id, nullable=False),
    Column("word", Text, nullable=False, server_default=""),
    Column("said", Text, nullable=False, server_default=""),
    CheckConstraint("word IN ('', 'pass', 'fail', 'unreadable')", name="word"),
    Index("ix_batch_verdicts_llm_request_id", "llm_request_id"),
)

_c = batch_cells.c
_v = batch_verdicts.c
_LIVE = tuple(status.value for status in LIVE)


@cache
def judges() -> FromClause:
    """``llm_requests`` as those that ask the judge, beside those that ask the cells."""
    return metadata.tables["llm_requests"].alias("verdict_requests")


def joined_verdicts(query: Select[Any]) -> Select[Any]:
    """A query of cells with their verdicts, where there are any, and with the LLM requests that ask for them."""
    is_of_cell = and_(_v.batch_id == _c.batch_id, _v.number == _c.number, _v.ask == _c.ask)
    return query.outerjoin(batch_verdicts, is_of_cell).outerjoin(judges(), judges().c.id == _v.llm_request_id)


def verdict_column() -> ColumnElement[str]:
    """The value of a :class:`Verdict`, or null where no judge was asked; for a query of :func:`joined_verdicts`."""
    return case(
        (_v.llm_request_id.is_(None), None),
        (_v.word != "", _v.word),
        (judges().c.status.in_(_LIVE), Verdict.AWAITED.value),
        else_=Verdict.MISSING.value,
    )


def is_undecided_yet() -> ColumnElement[bool]:
    """Whether a judge has still to be asked or to answer; for a query of :func:`joined_verdicts`."""
    is_awaited = and_(_v.word == "", judges().c.status.in_(_LIVE))
    return or_(_v.llm_request_id.is_(None), is_awaited)
