"""Subforums, topics and threads for the tests of this room."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, event

from forllm_server.accounts.local import LOCAL_USER_ID as YOU
from forllm_server.db import Database
from forllm_server.forum import editing, subforums, topics
from forllm_server.forum.model import Answer, Post, Subforum, Topic

EVENING = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)


def minutes_later(minutes: float) -> datetime:
    return EVENING + timedelta(minutes=minutes)


def add_subforum(connection: Connection, name: str = "Garden", description: str = "") -> Subforum:
    return subforums.add_subforum(connection, owner_id=YOU, name=name, description=description, now=EVENING)


def open_topic(
    connection: Connection, subforum_id: int, title: str = "Roses", content: str = "When to prune?", minute: float = 0
) -> tuple[Topic, Post]:
    return topics.open_topic(
        connection,
        owner_id=YOU,
        subforum_id=subforum_id,
        title=title,
        content=content,
        now=minutes_later(minute),
    )


def start_topic(database: Database) -> tuple[Topic, Post]:
    """A topic with its first post in a subforum of its own."""
    with database.transaction() as connection:
        return open_topic(connection, add_subforum(connection).id)


def reply(connection: Connection, parent_id: int, content: str = "In spring.", minute: float = 1) -> Post:
    return editing.add_reply(connection, owner_id=YOU, parent_id=parent_id, content=content, now=minutes_later(minute))


def answer(parent_id: int, *, llm_request_id: int = 77, content: str = "In March.") -> Answer:
    return Answer(
        llm_request_id=llm_request_id,
        owner_id=YOU,
        parent_id=parent_id,
        content=content,
        persona_version_id=1,
        persona_name="Assistant",
        model_name="tiny",
        parameters={"temperature": 0.5},
        thinking="Roses want pruning.",
        finish_reason="stop",
        usage={"output_tokens": 3},
        question_version=1,
    )


@contextmanager
def counted_statements(database: Database) -> Iterator[list[str]]:
    """The SQL statements sent while the block runs."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
