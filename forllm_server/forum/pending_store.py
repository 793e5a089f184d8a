"""Which LLM requests are still to answer in a part of the forum (reads ``llm_requests``, writes nothing)."""

from sqlalchemy import Connection, Select, select

from forllm_server.db.types import metadata
from forllm_server.forum.tables import topics
from forllm_server.queue.model import LIVE


def list_live_ids_of_post(connection: Connection, post_id: int) -> list[int]:
    """The LLM requests that are to answer a post; locked until the transaction's end."""
    return _list(connection, _live().where(metadata.tables["llm_requests"].c.post_id == post_id))


def list_live_ids_of_topic(connection: Connection, topic_id: int) -> list[int]:
    """The LLM requests that are to answer in a topic; locked until the transaction's end."""
    return _list(connection, _live().where(metadata.tables["llm_requests"].c.topic_id == topic_id))


def list_live_ids_of_subforum(connection: Connection, subforum_id: int) -> list[int]:
    """The LLM requests that are to answer in any topic of a subforum; locked until the transaction's end."""
    llm_requests = metadata.tables["llm_requests"]
    query = _live().join(topics, topics.c.id == llm_requests.c.topic_id)
    return _list(connection, query.where(topics.c.subforum_id == subforum_id))


def _live() -> Select[int]:
    llm_requests = metadata.tables["llm_requests"]
    is_live = llm_requests.c.status.in_([status.value for status in LIVE])
    return select(llm_requests.c.id).select_from(llm_requests).where(is_live)


def _list(connection: Connection, query: Select[int]) -> list[int]:
    # All of them are locked, in one order, before the first is changed: changing one bumps the queue's version, and
    # whoever waits for that number holds a request already.
    llm_requests = metadata.tables["llm_requests"]
    locked = query.order_by(llm_requests.c.id).with_for_update(of=llm_requests)
    return list(connection.execute(locked).scalars())
