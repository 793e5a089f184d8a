"""Calling off the LLM requests whose answers nobody could read any more."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.forum import pending_store
from forllm_server.queue.control import cancel_llm_request


def cancel_for_post(connection: Connection, post_id: int, now: datetime) -> None:
    """Cancel what is still to answer a post."""
    _cancel(connection, pending_store.list_live_ids_of_post(connection, post_id), now)


def cancel_for_topic(connection: Connection, topic_id: int, now: datetime) -> None:
    """Cancel what is still to answer in a topic."""
    _cancel(connection, pending_store.list_live_ids_of_topic(connection, topic_id), now)


def cancel_for_subforum(connection: Connection, subforum_id: int, now: datetime) -> None:
    """Cancel what is still to answer in any topic of a subforum."""
    _cancel(connection, pending_store.list_live_ids_of_subforum(connection, subforum_id), now)


def _cancel(connection: Connection, llm_request_ids: Iterable[int], now: datetime) -> None:
    for llm_request_id in llm_request_ids:
        cancel_llm_request(connection, llm_request_id, now)
