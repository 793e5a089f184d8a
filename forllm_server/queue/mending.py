"""Setting right what waits for an answer that has come, or never will, and was not told when it ended.

Who ends a request by a worker's or a person's hand tells its chain at once. Other ways (a backend that was deleted, an
import, a row that was removed) are found here, every few seconds, so that nothing can be stuck.
"""

from datetime import datetime

from sqlalchemy import Connection

from forllm_server.queue import chain_store
from forllm_server.queue.llm_request_store import list_for_change
from forllm_server.queue.model import Status
from forllm_server.queue.version_store import bump_versions


def mend_chains(connection: Connection, now: datetime) -> int:
    """Settle those that wait for what has ended. Returns how many."""
    stranded = chain_store.list_stranded(connection)
    list_for_change(connection, [row.id for row in stranded])
    # Read again under the lock: the one that was waited for may just be tried once more.
    stranded = chain_store.list_stranded(connection) if stranded else []
    for row in stranded:
        if row.status == Status.SUCCEEDED.value and row.reply_post_id is not None:
            chain_store.update_children_of_answered(connection, row.parent_id, row.reply_post_id, now)
        else:
            is_called_off = row.status == Status.CANCELLED.value
            ended = Status.CANCELLED if is_called_off else Status.FAILED
            chain_store.update_descendants_to_ended(connection, row.parent_id, ended, now)
    for topic_id in sorted({row.topic_id for row in stranded if row.topic_id is not None}):
        bump_versions(connection, topic_id)
    return len(stranded)
