"""Posting what a cancelled or failed LLM request had written, as a reply that is marked partial: a person's choice."""

from datetime import datetime

from sqlalchemy import Connection

from forllm_server.errors import Conflict, Invalid
from forllm_server.forum import post_store
from forllm_server.forum.editing import add_answer
from forllm_server.forum.model import Answer, Post
from forllm_server.jobs.asking import REPLY
from forllm_server.personas import version_store
from forllm_server.queue import chunk_store
from forllm_server.queue.chain_store import update_children_of_answered
from forllm_server.queue.llm_request_store import get_llm_request, list_for_change, update_status
from forllm_server.queue.model import Happening, LlmRequest, Partial, Status

#: The finish reason of a request whose partial text was posted.
PARTIAL = "partial"
_ENDED = (Status.FAILED, Status.CANCELLED)


def may_post_partial(request: LlmRequest, partial: Partial | None) -> bool:
    """Whether there is something to post: for the button beside the partial text."""
    return request.kind == REPLY and request.status in _ENDED and partial is not None and bool(partial.text.strip())


def post_partial_reply(connection: Connection, llm_request_id: int, now: datetime) -> Post:
    """Post the partial text of a failed or cancelled request, marked partial; the request has succeeded with it.

    Its cause stays and tells how it ended. It cannot be retried any more; another answer can be asked for. Done twice,
    the second call returns the reply that is there. Raises NotFound, Conflict (it has not ended, or the post it answers
    was deleted) and Invalid (nothing was written).
    """
    request = get_llm_request(connection, llm_request_id)
    if request.post_id is not None:
        # Posts before requests, as everybody locks them.
        post_store.get_post_to_change(connection, request.post_id)
    list_for_change(connection, [llm_request_id])
    request = get_llm_request(connection, llm_request_id)
    if request.finish_reason == PARTIAL and request.reply_post_id is not None:
        return post_store.get_post(connection, request.reply_post_id)
    if request.kind != REPLY or request.status not in _ENDED:
        raise Conflict(
            "Only the partial text of a reply that failed or was cancelled can be posted.", status=request.status.value
        )
    partial = chunk_store.find_partial(connection, llm_request_id)
    if partial is None or not partial.text.strip():
        raise Invalid("Nothing of an answer was written that could be posted.")
    reply = add_answer(connection, _answer(connection, request, partial), now)
    settled = update_status(
        connection,
        llm_request_id,
        from_statuses=_ENDED,
        values={"status": Status.SUCCEEDED.value, "finish_reason": PARTIAL, "reply_post_id": reply.id},
        event=(Happening.SUCCEEDED, now),
    )
    if settled is None:
        raise Conflict("This LLM request was changed meanwhile. Look at it again.")
    chunk_store.delete_chunks(connection, llm_request_id)
    update_children_of_answered(connection, llm_request_id, reply.id, now)
    return reply


def _answer(connection: Connection, request: LlmRequest, partial: Partial) -> Answer:
    version = version_store.get_version(connection, request.persona_version_id or 0)
    return Answer(
        llm_request_id=request.id,
        owner_id=request.owner_id,
        parent_id=request.post_id or 0,
        content=partial.text,
        persona_version_id=version.id,
        persona_name=version.name,
        model_name=request.model_name or "",
        parameters=request.parameters,
        thinking=partial.thinking or None,
        is_partial=True,
    )
