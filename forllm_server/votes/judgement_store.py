"""Rows of ``judgements``: what a judge is asked about two replies, in one order, and what it said."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from forllm_server.db.types import metadata
from forllm_server.votes.model import Choice, Pair
from forllm_server.votes.tables import judgements

_c = judgements.c


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of a judge that counts as no vote, and why."""

    low_post_id: int
    high_post_id: int
    reason: str


def insert_judgement(
    connection: Connection,
    pair: Pair,
    *,
    llm_request_id: int,
    judge_version_id: int,
    judge_model_name: str,
    is_low_first: bool,
) -> None:
    """Keep what a judge is asked; it has not answered yet."""
    values = {
        "llm_request_id": llm_request_id,
        "judge_version_id": judge_version_id,
        "judge_model_name": judge_model_name,
        "low_post_id": pair.low_id,
        "high_post_id": pair.high_id,
        "low_version_id": pair.low.version_id,
        "low_model_name": pair.low.model_name,
        "high_version_id": pair.high.version_id,
        "high_model_name": pair.high.model_name,
        "choice": "",
        "is_low_first": is_low_first,
    }
    connection.execute(insert(judgements).values(values))


def update_judged(connection: Connection, llm_request_id: int, choice: Choice, reason: str, now: datetime) -> None:
    """Keep what the judge said."""
    said = {"choice": choice.value, "reason": reason, "judged_at": now}
    connection.execute(update(judgements).where(_c.llm_request_id == llm_request_id).values(said))


def delete_abandoned(connection: Connection, judge_version_id: int) -> int:
    """Forget the pairs whose request failed or was called off before it answered, so that they can be asked again."""
    requests = metadata.tables["llm_requests"]
    ended = select(requests.c.id).where(requests.c.status.in_(["failed", "cancelled"]))
    unanswered = (_c.judge_version_id == judge_version_id, _c.choice == "", _c.llm_request_id.in_(ended))
    return connection.execute(delete(judgements).where(*unanswered)).rowcount


def count_by_state(connection: Connection, judge_version_id: int) -> Mapping[str, int]:
    """How many answers there are by choice; an empty choice: not answered yet."""
    query = select(_c.choice, func.count()).where(_c.judge_version_id == judge_version_id).group_by(_c.choice)
    return {choice: int(number) for choice, number in connection.execute(query)}


def list_refusals(connection: Connection, judge_version_id: int, *, limit: int) -> list[Refusal]:
    """The newest answers that count as no vote."""
    query: Any = (
        select(_c.low_post_id, _c.high_post_id, _c.reason)
        .where(_c.judge_version_id == judge_version_id, _c.choice == Choice.NONE.value)
        .order_by(_c.id.desc())
        .limit(limit)
    )
    return [Refusal(*row) for row in connection.execute(query)]
