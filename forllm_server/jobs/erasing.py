"""Erasing for good what lies in the trash, of all rooms."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.experiments.pair_store import update_erased
from forllm_server.forum.trash import purge_trash
from forllm_server.personas.drafting import erase_dropped_drafts
from forllm_server.personas.trash import erase_deleted_personas
from forllm_server.queue.prompt_store import delete_texts, delete_texts_of_erased
from forllm_server.summaries.summary_store import delete_erased


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was erased."""

    subforums: int
    topics: int
    posts: int
    personas: int


def erase_trash(connection: Connection, *, older_than_days: int, now: datetime) -> Erased:
    """Erase what was deleted more than so many days ago (0: everything in the trash), and what was made of it.

    That are summaries, the new answers of experiments, and the prompts and partial texts of LLM requests about it.
    """
    erased = purge_trash(connection, older_than_days=older_than_days, now=now)
    delete_erased(connection)
    delete_texts_of_erased(connection)
    delete_texts(connection, update_erased(connection))
    personas = erase_deleted_personas(connection, older_than_days=older_than_days, now=now)
    erase_dropped_drafts(connection, older_than_days=older_than_days, now=now)
    return Erased(erased.subforums, erased.topics, erased.posts, personas)
