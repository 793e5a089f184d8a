"""Calling off the LLM requests whose answers nobody can read any more.

LLM requests are written before posts, and posts before topics: a worker that posts an answer does it in that order
too, so that the two never wait for each other.
"""

from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.errors import Conflict
from forllm_server.queue.control import cancel_llm_request
from forllm_server.queue.llm_request_store import list_llm_requests
from forllm_server.queue.model import LIVE

_BATCH = 500


def cancel_pending(
    connection: Connection, now: datetime, *, topic_id: int | None = None, post_id: int | None = None
) -> None:
    """Cancel every live LLM request of a topic, or of one post."""
    before_id = None
    while True:
        live = list_llm_requests(
            connection,
            statuses=LIVE,
            topic_id=topic_id,
            post_id=post_id,
            before_id=before_id,
            limit=_BATCH,
        )
        for llm_request in live:
            # It may have ended since it was read: then there is nothing to call off.
            with suppress(Conflict):
                cancel_llm_request(connection, llm_request.id, now)
        if len(live) < _BATCH:
            return
        before_id = live[-1].id
