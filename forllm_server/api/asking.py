"""What every route that asks models has in common."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from forllm_server.api.schemas_llm import LlmRequestOut, LlmRequestWholeOut
from forllm_server.clock import now
from forllm_server.jobs.reply import Ask, ask
from forllm_server.jobs.standing import list_standings
from forllm_server.queue import chunk_store, estimate_store, llm_request_store, prompt_store
from forllm_server.queue.model import LlmRequest
from forllm_server.web.current import current_user_id


def ask_all(connection: Connection, post_id: int, wishes: Sequence[dict[str, Any]]) -> Any:
    """Ask everyone named in ``wishes`` about a post; the LLM requests, ready for JSON."""
    asked = [ask_one(connection, post_id, wish) for wish in wishes]
    positions = llm_request_store.list_positions(connection) if asked else {}
    items = [{"llm_request": item, "position": positions.get(item.id)} for item in asked]
    return LlmRequestOut(many=True).dump(items)


def ask_one(connection: Connection, post_id: int, wish: dict[str, Any]) -> LlmRequest:
    """Queue one question; the one that is there when it was asked already (a double click)."""
    question = Ask(
        owner_id=current_user_id(),
        post_id=post_id,
        persona_id=wish.get("persona_id"),
        model_id=wish.get("model_id"),
        is_run_now=wish.get("run_now", False),
        priority=wish.get("priority", 0),
        is_another=wish.get("another", False),
    )
    return ask(connection, question, now()).request


def describe(connection: Connection, llm_request: LlmRequest) -> Any:
    """An LLM request with its prompt and what is written so far, ready for JSON."""
    facts = {
        "llm_request": llm_request,
        "position": llm_request_store.list_positions(connection).get(llm_request.id),
        "prompt": prompt_store.find_prompt(connection, llm_request.id),
        "partial": chunk_store.find_partial(connection, llm_request.id),
        "standing": list_standings(connection, [llm_request], now())[llm_request.id],
        "estimate": estimate_store.find_estimate(connection, llm_request.id),
    }
    return LlmRequestWholeOut().dump(facts)
