"""LLM requests of an original FORLLM that did not become a reply."""

from sqlalchemy import Connection

from forllm_server.db import Database
from forllm_server.exchange.importing_answers import Answered, insert_imported, keep_prompt
from forllm_server.exchange.ledger import Ledger
from forllm_server.exchange.original_model import OriginalForum, OriginalLlmRequest
from forllm_server.queue import llm_request_store
from forllm_server.queue.model import Cause, Status

_REPLY_KINDS = (None, "respond_to_post", "respond_to_post_tag")
_UNFINISHED = ("pending", "processing", "pending_dependency")
_LONGEST_DETAIL = 2_000


def import_llm_requests(database: Database, forum: OriginalForum, ledger: Ledger, answered: Answered) -> None:
    """Add what waits as held, and what failed as failed with its message.

    Completed ones came with their reply; a completed one without a reply here is history that nothing shows.
    """
    for request in forum.llm_requests:
        if ledger.is_known("llm_request", request.id) or ledger.find("llm_request", request.id) is not None:
            continue
        reason = _why_not(request)
        if reason is not None:
            ledger.left_out[f"llm_request: {reason}"] += 1
            continue
        with database.transaction() as connection, ledger.item(connection, "llm_request"):
            _add(connection, request, ledger, answered)


def _why_not(request: OriginalLlmRequest) -> str | None:
    if request.kind not in _REPLY_KINDS:
        return "the drafting of personas cannot be taken over."
    if request.status == "complete":
        return "its reply is no longer there."
    if request.post_id is None:
        return "it waited for another persona's reply; ask again under that reply."
    if request.status not in (*_UNFINISHED, "error"):
        return "its state is unknown."
    return None


def _add(connection: Connection, request: OriginalLlmRequest, ledger: Ledger, answered: Answered) -> None:
    parent_id = ledger.find("post", request.post_id)
    if parent_id is None:
        ledger.left_out["llm_request: its post is no longer there."] += 1
        return
    version = answered.cast.current_version(request.persona_id)
    added = insert_imported(
        connection,
        parent_id=parent_id,
        version=version,
        model_name=request.model_name,
        requested_at=request.requested_at,
        ledger=ledger,
    )
    keep_prompt(connection, request, added, ledger)
    values: dict[str, object] = {
        "cause": Cause.HELD.value,
        "cause_detail": "It waited in the original FORLLM. Release it to have it answered here.",
    }
    if request.status == "error":
        values = {
            "status": Status.FAILED.value,
            "cause": Cause.ERROR.value,
            "cause_detail": (request.error_message or "It failed in the original FORLLM.")[:_LONGEST_DETAIL],
            "finished_at": request.processed_at or ledger.now,
            "attempts": 1,
            "run": 1,
        }
    else:
        ledger.note("Requests that were waiting are held: release them in the queue to have them answered.")
    llm_request_store.update_status(connection, added.id, from_statuses=(Status.HELD,), values=values)
    ledger.add(connection, "llm_request", request.id, added.id)
