"""Rows of ``feed_tokens``."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from forllm_server.db.upsert import insert_or_update
from forllm_server.notify.tables import feed_tokens

_f = feed_tokens.c
_SEALED = select(_f.token_sealed).where(_f.owner_id == bindparam("owner"))


def find_sealed(connection: Connection, owner_id: int) -> bytes | None:
    """The sealed token of a person, if there is one."""
    return connection.execute(_SEALED, {"owner": owner_id}).scalar_one_or_none()


def find_owner(connection: Connection, digest: bytes) -> tuple[int, bytes] | None:
    """(whose token has this digest, the digest as it is stored)."""
    row = connection.execute(select(_f.owner_id, _f.digest).where(_f.digest == digest)).first()
    return (row.owner_id, row.digest) if row else None


def replace_token(connection: Connection, owner_id: int, *, digest: bytes, sealed: bytes, now: datetime) -> None:
    """Give a person a token; the one before opens nothing any more."""
    values = {"digest": digest, "token_sealed": sealed, "created_at": now}
    insert_or_update(connection, feed_tokens, {"owner_id": owner_id}, values)


def delete_token(connection: Connection, owner_id: int) -> bool:
    """Take the token away; whether there was one."""
    return connection.execute(feed_tokens.delete().where(_f.owner_id == owner_id)).rowcount > 0
