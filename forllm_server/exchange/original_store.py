"""Reading an original FORLLM's database. It is opened read-only and never written.

Columns and tables that a version of it did not have yet read as empty.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from forllm_server.errors import Invalid
from forllm_server.exchange.original_model import (
    OriginalAssignment,
    OriginalForum,
    OriginalLlmRequest,
    OriginalPersona,
    OriginalPersonaVersion,
    OriginalPost,
    OriginalSubforum,
    OriginalTopic,
    OriginalWindow,
)

#: Without these three it is another program's database.
_NEEDED = {
    "subforums": {"subforum_id", "name"},
    "topics": {"topic_id", "subforum_id", "title"},
    "posts": {"post_id", "topic_id", "parent_post_id", "content"},
}

Row = dict[str, Any]


def read_original(source: Path) -> OriginalForum:
    """Read the whole database into memory. Raises Invalid when it is not an original FORLLM's."""
    with _opened(source) as connection:
        _check(connection, source)
        subforums = tuple(_subforum(row) for row in _rows(connection, "subforums", "subforum_id"))
        topics = tuple(_topic(row) for row in _rows(connection, "topics", "topic_id"))
        personas = _personas(connection)
        return OriginalForum(
            fingerprints=_fingerprints(subforums, topics, personas),
            subforums=subforums,
            topics=topics,
            posts=_posts(connection),
            personas=personas,
            assignments=tuple(
                _assignment(row) for row in _rows(connection, "subforum_personas", "subforum_persona_id")
            ),
            llm_requests=tuple(_llm_request(row) for row in _rows(connection, "llm_requests", "request_id")),
            windows=tuple(_window(row) for row in _rows(connection, "schedule", "id")),
            settings={
                _text(row.get("setting_key")): _text(row.get("setting_value"))
                for row in _rows(connection, "settings", "setting_key")
            },
        )


@contextmanager
def _opened(source: Path) -> Iterator[sqlite3.Connection]:
    if not source.is_file():
        raise Invalid(f"There is no file {source}. Give the path of the original's forllm_data.db.", field="source")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(source.absolute()))}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            # A text that is not UTF-8 is still a text worth keeping.
            connection.text_factory = lambda raw: raw.decode("utf-8", errors="replace")
            connection.execute("BEGIN")
            yield connection
    except sqlite3.DatabaseError as error:
        raise Invalid(
            f"{source} cannot be read as a database of the original FORLLM: {error}.", field="source"
        ) from error


def _check(connection: sqlite3.Connection, source: Path) -> None:
    missing = [table for table, columns in _NEEDED.items() if not columns <= _columns(connection, table)]
    if missing:
        raise Invalid(
            f"{source} is a database, but not the original FORLLM's: it has no such {' or '.join(missing)}.",
            field="source",
        )


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row["name"] for row in connection.execute(f'PRAGMA table_info("{table}")')}


def _rows(connection: sqlite3.Connection, table: str, key: str) -> Iterator[Row]:
    """The rows of a table in the order of their key; none when this version has no such table or key."""
    if key not in _columns(connection, table):
        return
    for row in connection.execute(f'SELECT * FROM "{table}" ORDER BY "{key}"'):
        yield dict(row)


def _subforum(row: Row) -> OriginalSubforum:
    return OriginalSubforum(row["subforum_id"], _text(row["name"]), _text(row.get("description")))


def _topic(row: Row) -> OriginalTopic:
    return OriginalTopic(row["topic_id"], row["subforum_id"], _text(row["title"]), _moment(row.get("created_at")))


def _posts(connection: sqlite3.Connection) -> tuple[OriginalPost, ...]:
    names: dict[int, list[tuple[int, str]]] = {}
    for row in _rows(connection, "attachments", "attachment_id"):
        place = _whole(row.get("order_in_post")) or 0
        names.setdefault(row.get("post_id") or 0, []).append((place, _text(row.get("filename"))))
    return tuple(
        OriginalPost(
            id=row["post_id"],
            topic_id=row["topic_id"],
            parent_id=row["parent_post_id"],
            content=_text(row["content"]),
            created_at=_moment(row.get("created_at")),
            is_by_model=_flag(row.get("is_llm_response")),
            model_name=_text(row.get("llm_model_id")) or None,
            persona_id=_whole(row.get("llm_persona_id")),
            attachment_names=tuple(name for _, name in sorted(names.get(row["post_id"], []))),
        )
        for row in _rows(connection, "posts", "post_id")
    )


def _personas(connection: sqlite3.Connection) -> tuple[OriginalPersona, ...]:
    versions: dict[int, list[OriginalPersonaVersion]] = {}
    for row in _rows(connection, "persona_versions", "version_id"):
        version = OriginalPersonaVersion(
            id=row["version_id"],
            persona_id=row.get("persona_id") or 0,
            number=_whole(row.get("version")) or 1,
            name=_text(row.get("name")),
            instructions=_text(row.get("prompt_instructions")),
            created_at=_moment(row.get("updated_at")),
        )
        versions.setdefault(version.persona_id, []).append(version)
    return tuple(
        OriginalPersona(
            id=row["persona_id"],
            name=_text(row.get("name")),
            instructions=_text(row.get("prompt_instructions")),
            created_at=_moment(row.get("created_at")),
            is_active=_flag(row.get("is_active", 1)),
            versions=tuple(sorted(versions.get(row["persona_id"], []), key=lambda one: (one.number, one.id))),
        )
        for row in _rows(connection, "personas", "persona_id")
    )


def _assignment(row: Row) -> OriginalAssignment:
    is_default = _flag(row.get("is_default_for_subforum"))
    return OriginalAssignment(
        row["subforum_persona_id"], row.get("subforum_id") or 0, row.get("persona_id") or 0, is_default
    )


def _llm_request(row: Row) -> OriginalLlmRequest:
    return OriginalLlmRequest(
        id=row["request_id"],
        post_id=row.get("post_id_to_respond_to"),
        status=_text(row.get("status")),
        kind=_text(row.get("request_type")) or None,
        model_name=_text(row.get("llm_model")) or None,
        persona_id=_whole(row.get("llm_persona")),
        requested_at=_moment(row.get("requested_at")),
        processed_at=_moment(row.get("processed_at")),
        error_message=_text(row.get("error_message")) or None,
        prompt=_text(row.get("full_prompt_sent")) or None,
    )


def _window(row: Row) -> OriginalWindow:
    return OriginalWindow(
        id=row["id"],
        start_hour=_whole(row.get("start_hour")) or 0,
        end_hour=_whole(row.get("end_hour")) or 0,
        days=_text(row.get("days_active", "Mon,Tue,Wed,Thu,Fri,Sat,Sun")),
        is_enabled=_flag(row.get("enabled", 1)),
    )


def _fingerprints(
    subforums: tuple[OriginalSubforum, ...],
    topics: tuple[OriginalTopic, ...],
    personas: tuple[OriginalPersona, ...],
) -> tuple[str, ...]:
    """What never changes in a database that goes on being used: when its first rows were made.

    The first persona is made with the database and cannot be removed; a version without personas is known by its
    first topic or, without one, by its first subforum's name.
    """
    facts = []
    if personas and personas[0].created_at is not None:
        facts.append(("persona", personas[0].id, personas[0].created_at.isoformat()))
    if topics and topics[0].created_at is not None:
        facts.append(("topic", topics[0].id, topics[0].created_at.isoformat()))
    if subforums:
        facts.append(("subforum", subforums[0].id, subforums[0].name))
    facts = facts or [("empty", 0, "")]
    return tuple(hashlib.sha256(repr(fact).encode()).hexdigest()[:32] for fact in facts)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return "" if value is None else str(value)


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _flag(value: Any) -> bool:
    return value not in (None, 0, "0", "", "false", "False", "FALSE")


def _moment(value: Any) -> datetime | None:
    """SQLite's CURRENT_TIMESTAMP is UTC without saying so."""
    try:
        moment = datetime.fromisoformat(_text(value))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
