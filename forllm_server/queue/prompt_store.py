"""The exact prompt of each LLM request, apart from the queue's rows: it is large and rarely read."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from forllm_server.queue.model import Prompt
from forllm_server.queue.tables import llm_prompts

_c = llm_prompts.c


def replace_prompt(
    connection: Connection,
    llm_request_id: int,
    *,
    layout: str,
    messages: Sequence[Mapping[str, Any]],
    breakdown: Mapping[str, Any],
    now: datetime,
) -> None:
    """Keep the prompt of the newest run; that of an earlier run goes with its text."""
    connection.execute(delete(llm_prompts).where(_c.llm_request_id == llm_request_id))
    connection.execute(
        insert(llm_prompts).values(
            llm_request_id=llm_request_id,
            layout=layout,
            messages=[dict(message) for message in messages],
            breakdown=dict(breakdown),
            created_at=now,
        )
    )


def find_prompt(connection: Connection, llm_request_id: int) -> Prompt | None:
    row = connection.execute(select(llm_prompts).where(_c.llm_request_id == llm_request_id)).mappings().first()
    if row is None:
        return None
    return Prompt(llm_request_id, row["layout"], tuple(row["messages"]), row["breakdown"], row["created_at"])
