"""Rows of ``persona_pictures``: one uploaded picture a persona at most."""

from datetime import datetime
from hashlib import blake2b

from sqlalchemy import Connection, delete, insert, select

from forllm_server.personas.pictures import Picture
from forllm_server.personas.tables import persona_pictures

_c = persona_pictures.c


def find_digest(connection: Connection, persona_id: int) -> str:
    """What names the present picture; empty when there is none."""
    return connection.execute(select(_c.digest).where(_c.persona_id == persona_id)).scalar_one_or_none() or ""


def find_picture(connection: Connection, persona_id: int) -> Picture | None:
    row = connection.execute(select(_c.media_type, _c.content).where(_c.persona_id == persona_id)).one_or_none()
    return Picture(row.media_type, bytes(row.content)) if row else None


def replace_picture(connection: Connection, persona_id: int, picture: Picture | None, now: datetime) -> None:
    """Give a persona this picture instead of the one it has, if any; None: its drawn mark again."""
    connection.execute(delete(persona_pictures).where(_c.persona_id == persona_id))
    if picture is not None:
        connection.execute(
            insert(persona_pictures).values(
                persona_id=persona_id,
                media_type=picture.media_type,
                content=picture.content,
                digest=blake2b(picture.content, digest_size=8).hexdigest(),
                created_at=now,
            )
        )
