"""What ``forllm queue`` shows of LLM requests: a line each for people, an object each for programs."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from forllm_server.catalog.backend_store import list_backends
from forllm_server.jobs.listing import list_in_words
from forllm_server.jobs.standing import Standing
from forllm_server.queue.model import LlmRequest

QUESTION_CHARS = 40


@dataclass(frozen=True)
class Row:
    """An LLM request as it is shown. ``backend_name`` is empty while it has none."""

    llm_request: LlmRequest
    standing: Standing
    persona_name: str
    backend_name: str
    question: str

    @property
    def model_words(self) -> str:
        return self.llm_request.model_name or "no model yet"

    def cells(self) -> tuple[str, ...]:
        """The columns of the table; the last may be long."""
        label = self.standing.label
        return (
            str(self.llm_request.id),
            label,
            self.persona_name,
            self.model_words,
            self.question,
            self.standing.sentence,
        )

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        asked = self.llm_request
        return {
            "id": asked.id,
            "status": asked.status.value,
            "label": self.standing.label,
            "sentence": self.standing.sentence,
            "cause": self.standing.cause,
            "position": self.standing.position,
            "lane": asked.lane.value,
            "priority": asked.priority,
            "persona": self.persona_name,
            "model": asked.model_name,
            "backend": self.backend_name or None,
            "topic_id": asked.topic_id,
            "post_id": asked.post_id,
            "question": self.question,
            "created_at": _iso(asked.created_at),
            "finished_at": _iso(asked.finished_at),
            "reply_post_id": asked.reply_post_id,
        }


HEADINGS = ("ID", "STATE", "PERSONA", "MODEL", "QUESTION", "WHAT NEXT")


def read_rows(connection: Connection, requests: Sequence[LlmRequest], now: datetime) -> list[Row]:
    """The rows of these LLM requests, in their order; a fixed number of queries."""
    backends = {backend.id: backend.name for backend in list_backends(connection)}
    return [
        Row(
            llm_request=each.llm_request,
            standing=each.standing,
            persona_name=each.persona_name,
            backend_name=backends.get(each.llm_request.backend_id or 0, ""),
            question=each.question,
        )
        for each in list_in_words(connection, requests, now, question_characters=QUESTION_CHARS)
    ]


def table(rows: Iterable[Sequence[str]], headings: Sequence[str] = HEADINGS) -> list[str]:
    """Lines with aligned columns; the last column is as long as it is."""
    lines = [tuple(headings), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings) - 1)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(line[:-1], widths, strict=True)), line[-1]]).rstrip()
        for line in lines
    ]


def as_json(value: object) -> str:
    """For ``--json``: one line, readable in any terminal."""
    return json.dumps(value, ensure_ascii=False)


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
