"""Bringing in an original FORLLM's forum: its ``forllm_data.db``, read-only, as often as one likes."""

from datetime import datetime
from pathlib import Path

from forllm_server.db import Database
from forllm_server.exchange import imported_store
from forllm_server.exchange.importing_answers import Answered
from forllm_server.exchange.importing_personas import import_assignments, import_personas
from forllm_server.exchange.importing_requests import import_llm_requests
from forllm_server.exchange.importing_settings import import_schedule, import_settings
from forllm_server.exchange.importing_threads import import_subforums, import_topics
from forllm_server.exchange.ledger import ImportReport, Ledger
from forllm_server.exchange.original_model import OriginalForum
from forllm_server.exchange.original_store import read_original
from forllm_server.hooks.telling import silence


@silence()
def import_original(database: Database, source: Path, *, owner_id: int, now: datetime) -> ImportReport:
    """Import subforums, topics, posts, personas, LLM requests, schedule and settings from the file ``source``.

    The file is never written. A second import adds only what came since the first; one that was interrupted is
    completed by the next, for every record is noted in the transaction that brings it. Raises Invalid when the file
    is not an original FORLLM's database.
    """
    forum = read_original(source)
    ledger = _opened_ledger(database, forum, owner_id, now)
    with database.transaction() as connection:
        cast = import_personas(connection, forum, ledger)
        import_subforums(connection, forum, ledger)
        import_assignments(connection, forum, ledger)
    answered = Answered.of(forum, cast)
    import_topics(database, forum, ledger, answered)
    import_llm_requests(database, forum, ledger, answered)
    with database.transaction() as connection:
        import_schedule(connection, forum, ledger)
        import_settings(connection, forum, ledger)
    if any(post.attachment_names for post in forum.posts):
        ledger.note("Of attached files only the names are kept, in the text of their posts.")
    return ledger.report()


def _opened_ledger(database: Database, forum: OriginalForum, owner_id: int, now: datetime) -> Ledger:
    with database.read() as connection:
        source = imported_store.find_source(connection, forum.fingerprints) or forum.fingerprints[0]
        return Ledger(source, owner_id, now, imported_store.list_local_ids(connection, source))
