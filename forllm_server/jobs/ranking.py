"""A member of a council ranks all opinions, without knowing whose they are."""

from sqlalchemy import Connection

from forllm_server.discussions import discussion_store as store
from forllm_server.discussions.course import opinions_of
from forllm_server.discussions.ranking import ranking_prompt, read_ranking
from forllm_server.errors import NotFound
from forllm_server.forum import post_store
from forllm_server.jobs.context import JobContext
from forllm_server.jobs.discussing import RANKING, discussion_of
from forllm_server.jobs.following import follow, prepare_following
from forllm_server.jobs.judging import Bench, hear, read_bench
from forllm_server.queue.job import Hopeless, Job
from forllm_server.queue.model import Cause, LlmRequest


class RankingKind:
    """Asks somebody to put the opinions of a council in an order."""

    name = RANKING

    def __init__(self, context: JobContext) -> None:
        self._context = context

    def run(self, job: Job) -> None:
        """Raises BackendError, Hopeless and Interrupted for the worker to settle."""
        with self._context.database.read() as connection:
            bench, text, shown = _read(connection, job.request)
        opinion = hear(self._context, job, bench, text)
        ranked, reason = read_ranking(opinion.text, shown)

        def keep(connection: Connection) -> None:
            prepare_following(connection, job)
            store.update_ranked(connection, job.request.id, ranked, reason)

        follow(job)
        opinion.settle(job, keep)


def _read(connection: Connection, request: LlmRequest) -> tuple[Bench, str, tuple[int, ...]]:
    """Who ranks, what it is asked, and the places in the order in which their answers are shown.

    Raises Hopeless when the question or one of the opinions is gone.
    """
    bench = read_bench(connection, request)
    try:
        discussion = store.get_discussion(connection, discussion_of(request) or 0)
        question = post_store.get_post(connection, discussion.post_id)
    except NotFound as error:
        raise Hopeless("The topic was deleted while this waited.", cause=Cause.SUBJECT_GONE) from error
    steps = store.list_steps(connection, discussion.id)
    shown = next(step.shown for step in steps if step.llm_request_id == request.id)
    opinions = opinions_of(steps)
    ids = [opinions[seat].post_id or 0 for seat in shown if seat in opinions]
    posts = {post.id: post for post in post_store.list_posts(connection, ids) if not post.is_deleted}
    if len(posts) < len(shown) or question.is_deleted:
        raise Hopeless("The question or an opinion was deleted while this waited.", cause=Cause.SUBJECT_GONE)
    return bench, ranking_prompt(question.content, [posts[post_id].content for post_id in ids]), shown
