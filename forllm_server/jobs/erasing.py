"""Erasing for good what lies in the trash, of all rooms."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.forum.trash import purge_trash
from forllm_server.personas.drafting import erase_dropped_drafts
from forllm_server.personas.trash import erase_deleted_personas


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was erased."""

    subforums: int
    topics: int
    posts: int
    personas: int


def erase_trash(connection: Connection, *, older_than_days: int, now: datetime) -> Erased:
    """Erase what was deleted more than so many days ago (0: everything in the trash)."""
    erased = purge_trash(connection, older_than_days=older_than_days, now=now)
    personas = erase_deleted_personas(connection, older_than_days=older_than_days, now=now)
    erase_dropped_drafts(connection, older_than_days=older_than_days, now=now)
    return Erased(erased.subforums, erased.topics, erased.posts, personas)
