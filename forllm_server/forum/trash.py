"""The trash: what was deleted and can come back, until it is erased."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from forllm_server.errors import Invalid
from forllm_server.forum import trash_store
from forllm_server.forum.attaching import sweep_files


@dataclass(frozen=True, slots=True)
class Erasure:
    """How much was erased."""

    subforums: int
    topics: int
    posts: int


def purge_trash(connection: Connection, *, older_than_days: int, now: datetime) -> Erasure:
    """Erase for good what was deleted more than ``older_than_days`` days ago (0: everything in the trash).

    Texts, earlier texts, titles, names and files are gone then; empty shells remain, because replies hang on them.
    """
    if older_than_days < 0:
        raise Invalid("The number of days cannot be negative.", field="older_than_days")
    until = now - timedelta(days=older_than_days)
    # Posts before topics before subforums: each finds its dead through the name of the one that holds it.
    posts = trash_store.update_erased_posts(connection, until=until, now=now)
    topics = trash_store.update_erased_topics(connection, until=until, now=now)
    subforums = trash_store.update_erased_subforums(connection, until=until)
    sweep_files(connection, until=until, now=now)
    return Erasure(subforums=subforums, topics=topics, posts=posts)
