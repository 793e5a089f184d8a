"""The plan of the night for ``forllm queue plan``: its order, its groups and the times foretold."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from forllm_server.cli.queue_rows import Row, table
from forllm_server.jobs.forecast import Forecast, done_by_words
from forllm_server.queue.line_store import list_llm_requests_by_ids
from forllm_server.queue.llm_request_store import list_llm_requests, list_without_backend
from forllm_server.queue.model import LlmRequest, Status
from forllm_server.schedule.words import moment_words

HEADINGS = ("ID", "STATE", "PERSONA", "QUESTION", "WHEN")


def list_planned(connection: Connection, foretold: Forecast, limit: int) -> list[LlmRequest]:
    """What runs, what is queued in the order of work, what waits for its next try or for a model; ``limit`` at most."""
    running = list_llm_requests(connection, statuses=[Status.RUNNING], limit=limit)[::-1]
    queued = list_llm_requests_by_ids(connection, [placed.id for placed in foretold.plan[: limit - len(running)]])
    waiting = list_llm_requests(connection, statuses=[Status.WAITING], limit=limit)[::-1]
    return [*running, *queued, *waiting, *list_without_backend(connection, limit=limit)][:limit]


def times_of(foretold: Forecast, llm_request_id: int) -> dict[str, Any]:
    """For programs: when it begins and when it is done, ISO 8601; null what is unknown."""
    starts_at, done_by = foretold.starts_at.get(llm_request_id), foretold.done_by.get(llm_request_id)
    return {
        "starts_at": starts_at.isoformat() if starts_at else None,
        "done_by": done_by.middle_at.isoformat() if done_by else None,
        "done_by_low": done_by.low_at.isoformat() if done_by else None,
        "done_by_high": done_by.high_at.isoformat() if done_by else None,
    }


def plan_lines(foretold: Forecast, rows: Sequence[Row]) -> Iterator[str]:
    """The whole in a line, then each group under its heading."""
    yield summary_words(foretold)
    opens_at = {placed.id: placed.opens_at for placed in foretold.plan}
    for heading, group in groupby(rows, key=lambda row: _heading(row, foretold, opens_at)):
        yield ""
        yield heading
        yield from (f"  {line}" for line in table((_cells(row, foretold) for row in group), HEADINGS))


def summary_words(foretold: Forecast) -> str:
    """``12 to be answered, done by 04:50 (03:55-05:40)``, and what is not known of it."""
    number = live_count(foretold)
    words = f"{number:,} to be answered"
    if foretold.all_done_by:
        return f"{words}, {done_by_words(foretold.all_done_by, foretold.at, foretold.zone)}"
    if foretold.known_done_by:
        words += f", {number - foretold.unknown_count:,} of them"
        words += f" {done_by_words(foretold.known_done_by, foretold.at, foretold.zone)}"
    return f"{words}; when the whole is done cannot be foretold yet"


def live_count(foretold: Forecast) -> int:
    """How many are to be answered, held ones aside."""
    return sum(foretold.counts.get(status, 0) for status in (Status.QUEUED, Status.RUNNING, Status.WAITING))


def _heading(row: Row, foretold: Forecast, opens_at: dict[int, Any]) -> str:
    model = f"{row.model_words} on {row.backend_name}" if row.backend_name else row.model_words
    if row.llm_request.status is not Status.QUEUED:
        return f"{model}, {row.llm_request.status.value}"
    opening = opens_at.get(row.llm_request.id)
    return f"{model}, from {moment_words(opening, foretold.at, foretold.zone)}" if opening else model


def _cells(row: Row, foretold: Forecast) -> tuple[str, ...]:
    when = foretold.words(row.llm_request.id) or row.standing.sentence
    return (str(row.llm_request.id), row.standing.label, row.persona_name, row.question, when)
