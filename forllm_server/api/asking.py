"""What every route that asks models has in common."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from forllm_server.api.schemas_llm import AskedTogetherOut, LlmRequestOut, LlmRequestWholeOut
from forllm_server.clock import now
from forllm_server.forum.model import Post
from forllm_server.jobs.asking import Ask, ask, ask_many
from forllm_server.jobs.automatic import ask_automatic
from forllm_server.jobs.fanning import FanOut, ask_fan_out
from forllm_server.jobs.mentioning import Mentioned, ask_all, find_mentioned
from forllm_server.jobs.standing import list_standings
from forllm_server.personas.parameters import clean_parameters
from forllm_server.queue import chunk_store, estimate_store, llm_request_store, prompt_store
from forllm_server.queue.model import LlmRequest
from forllm_server.web.current import current_user_id


def ask_about(
    connection: Connection, post: Post, wishes: Sequence[dict[str, Any]], *, is_reply: bool = False
) -> dict[str, Any]:
    """Ask everyone named in ``wishes`` or called in the text about a post: ``llm_requests`` and ``notes``, for JSON.

    ``is_reply``: and those who answer by themselves in its topic.
    """
    asked = [each.request for each in ask_many(connection, [_wish(post.id, each) for each in wishes], now())]
    mentioned = find_mentioned(connection, post.content)
    asked += ask_mentioned(connection, post, mentioned, already=[each.persona_id for each in asked])
    if is_reply:
        asked += ask_automatic(connection, post, now(), already=[each.persona_id for each in asked])
    return describe_asked(connection, asked, mentioned)


def describe_asked(connection: Connection, asked: Sequence[LlmRequest], mentioned: Mentioned) -> dict[str, Any]:
    """What came of a text: ``llm_requests``, and ``notes`` on the calls that reached nobody, for JSON."""
    positions = llm_request_store.list_positions(connection) if asked else {}
    items = [{"llm_request": item, "position": positions.get(item.id)} for item in asked]
    return {"llm_requests": LlmRequestOut(many=True).dump(items), "notes": [*mentioned.notes]}


def ask_mentioned(
    connection: Connection, post: Post, mentioned: Mentioned, *, already: Sequence[int | None] = ()
) -> list[LlmRequest]:
    """Ask those who are called in a post's text. Names of nobody stay text."""
    asked = ask_all(
        connection,
        mentioned.persona_ids,
        owner_id=current_user_id(),
        post_id=post.id,
        now=now(),
        already=already,
        chains=mentioned.chains,
    )
    return [each.request for each in asked]


def ask_one(connection: Connection, post_id: int, wish: dict[str, Any]) -> LlmRequest:
    """Queue one question; the one that is there when it was asked already (a double click)."""
    return ask(connection, _wish(post_id, wish), now()).request


def ask_group(connection: Connection, post_id: int, values: dict[str, Any]) -> list[LlmRequest]:
    """Queue a fan-out."""
    fan_out = FanOut(
        current_user_id(),
        post_id,
        tuple(values.get("persona_ids") or [None]),
        tuple(values.get("model_ids") or [None]),
        values.get("repeats", 1),
        is_run_now=values.get("run_now", False),
        priority=values.get("priority", 0),
    )
    return [each.request for each in ask_fan_out(connection, fan_out, now())]


def describe_group(connection: Connection, requests: Sequence[LlmRequest]) -> Any:
    """LLM requests that were asked together, ready for JSON."""
    positions = llm_request_store.list_positions(connection)
    items = [{"llm_request": item, "position": positions.get(item.id)} for item in requests]
    group_id = next((each.group_id for each in requests if each.group_id), None)
    return AskedTogetherOut().dump({"id": group_id, "llm_requests": items})


def _wish(post_id: int, wish: dict[str, Any]) -> Ask:
    parameters = clean_parameters(wish.get("parameters") or {})
    return Ask(
        owner_id=current_user_id(),
        post_id=post_id,
        persona_id=wish.get("persona_id"),
        model_id=wish.get("model_id"),
        is_run_now=wish.get("run_now", False),
        priority=wish.get("priority", 0),
        # Asked for otherwise than before, it is another answer and never the one that is there.
        is_another=wish.get("another", False) or bool(parameters) or wish.get("persona_version_id") is not None,
        persona_version_id=wish.get("persona_version_id"),
        parameters=parameters,
    )


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
