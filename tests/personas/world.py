"""A persona, a subforum and a model for the tests of this room."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from forllm_server.accounts.local import LOCAL_USER_ID as YOU
from forllm_server.db import metadata
from forllm_server.personas import editing
from forllm_server.personas.model import Persona

EVENING = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
BUILTIN_ID = 1


def create(connection: Connection, name: str = "Critic", **values: Any) -> Persona:
    filled = {"owner_id": YOU, "instructions": "Find what is wrong.", "now": EVENING, **values}
    return editing.create_persona(connection, name=name, **filled)


def change(connection: Connection, persona: Persona, **values: Any) -> Persona:
    """Change what is given and keep the rest as it is in ``persona``."""
    version = persona.version
    kept = {
        "name": version.name,
        "instructions": version.instructions,
        "model_id": version.model_id,
        "parameters": version.parameters,
    }
    return editing.change_persona(connection, persona.id, editor_id=YOU, now=EVENING, **{**kept, **values})


def add_subforum(connection: Connection, name: str = "Garden") -> int:
    values = {"owner_id": YOU, "name": name, "name_key": name.lower(), "position": 0, "created_at": EVENING}
    return _insert(connection, "subforums", values)


def add_model(connection: Connection, name: str = "tiny") -> int:
    """A model of the embedded backend."""
    values = {
        "backend_id": 1,
        "name": name,
        "label": name,
        "context_source": "guessed",
        "details": {},
        "is_available": True,
        "first_seen_at": EVENING,
        "last_seen_at": EVENING,
    }
    return _insert(connection, "models", values)


def _insert(connection: Connection, table: str, values: dict[str, Any]) -> int:
    statement = metadata.tables[table].insert().values(values)
    return int(connection.execute(statement.returning(metadata.tables[table].c.id)).scalar_one())
