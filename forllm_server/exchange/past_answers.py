"""Replies that were given elsewhere or earlier: posted with the succeeded LLM request that every reply has."""

from datetime import datetime

from sqlalchemy import Connection

from forllm_server.forum.editing import add_answer
from forllm_server.forum.model import Answer, Post
from forllm_server.queue import llm_request_store
from forllm_server.queue.model import LlmRequest, Status


def post_past_answer(
    connection: Connection, request: LlmRequest, answer: Answer, *, posted_at: datetime, finished_at: datetime
) -> Post:
    """Post what was answered then, and settle its request, which no worker may hold. Raises like ``add_answer``."""
    reply = add_answer(connection, answer, posted_at)
    usage = None if answer.usage is None else dict(answer.usage)
    llm_request_store.update_status(
        connection,
        request.id,
        from_statuses=(request.status,),
        values={
            "status": Status.SUCCEEDED.value,
            "cause": None,
            "cause_detail": None,
            "started_at": request.started_at or request.created_at,
            "finished_at": finished_at,
            "attempts": 1,
            "run": 1,
            "usage": usage,
            "output_tokens": (usage or {}).get("completion_tokens") or 0,
            "finish_reason": answer.finish_reason,
            "reply_post_id": reply.id,
        },
    )
    return reply
