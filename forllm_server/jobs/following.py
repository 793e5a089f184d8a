"""What follows on a reply, in the transaction that posts it: the next step of a discussion, or automatic reply."""

from sqlalchemy import Connection

from forllm_server.discussions import discussion_store
from forllm_server.jobs.automatic import follow_automatic, hold_automatic
from forllm_server.jobs.discussing import advance, discussion_of
from forllm_server.queue.job import Job


def prepare_following(connection: Connection, job: Job) -> None:
    """Lock what :func:`follow` will change: after the post, and before the LLM request is settled."""
    discussion_id = discussion_of(job.request)
    if discussion_id is not None:
        discussion_store.get_discussion_to_change(connection, discussion_id)
    hold_automatic(connection, job.request)


def follow(job: Job) -> None:
    """Have it happen when the job ends well."""
    request = job.request
    discussion_id = discussion_of(request)
    if discussion_id is not None:
        job.also(lambda connection: _advance(connection, discussion_id, job))
    else:
        job.also(lambda connection: follow_automatic(connection, request, job.now()))


def _advance(connection: Connection, discussion_id: int, job: Job) -> None:
    advance(connection, discussion_id, job.now())
