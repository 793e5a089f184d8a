"""What hooks are told of LLM requests."""

from datetime import datetime

from sqlalchemy import Connection

from forllm_server.hooks.telling import tell_hooks
from forllm_server.queue.model import Cause, LlmRequest


def tell_failed(connection: Connection, request: LlmRequest, cause: Cause, detail: str, now: datetime) -> None:
    """It ended in an error, until a person acts."""
    facts = {
        "llm_request_id": request.id,
        "topic_id": request.topic_id,
        "post_id": request.post_id,
        "model_name": request.model_name,
        "cause": cause.value,
        "detail": detail,
    }
    tell_hooks(connection, "llm_request.failed", facts, now, answered_post_id=request.post_id)
