"""A member of a council ranks all opinions, without knowing whose they are."""

from dataclasses import asdict, dataclass, replace

from sqlalchemy import Connection

from forllm_server.catalog.model import BackendRecord, Model
from forllm_server.discussions import discussion_store as store
from forllm_server.discussions.course import opinions_of
from forllm_server.discussions.ranking import ranking_task, read_ranking
from forllm_server.errors import NotFound
from forllm_server.forum import post_store
from forllm_server.jobs.context import JobContext
from forllm_server.jobs.discussing import RANKING, discussion_of
from forllm_server.jobs.following import follow, prepare_following
from forllm_server.jobs.generating import generate_answer
from forllm_server.jobs.prompting import ContextSize, Question, build_prompt, context_of, counter_for, read_question
from forllm_server.jobs.subject import generation_request, read_model
from forllm_server.personas import version_store
from forllm_server.prompts.assemble import THREAD_FIRST, Assembled
from forllm_server.prompts.budget import DoesNotFit
from forllm_server.prompts.tokens import TokenCounter
from forllm_server.queue.job import Hopeless, Job
from forllm_server.queue.model import Cause, LlmRequest
from forllm_server.settings.values import Settings, read_settings


@dataclass(frozen=True)
class _Subject:
    """What a run works on, read in one transaction. ``shown``: the places of the answers in the order of the prompt."""

    question: Question
    shown: tuple[int, ...]
    record: BackendRecord
    model: Model
    settings: Settings


class RankingKind:
    """Asks somebody to put the opinions of a council in an order."""

    name = RANKING

    def __init__(self, context: JobContext) -> None:
        self._context = context

    def run(self, job: Job) -> None:
        """Raises BackendError, Hopeless and Interrupted for the worker to settle."""
        with self._context.database.read() as connection:
            subject = _read_subject(connection, job.request)
        backend = self._context.connect(subject.record, subject.settings)
        counter = counter_for(subject.model, backend)
        context = context_of(subject.record.kind, subject.model, job.request.parameters, subject.settings)
        prompt = _prompt(subject, context, counter, job.request)
        request = generation_request(subject.model, prompt, context, job.request.parameters)
        job.raise_if_interrupted()
        with self._context.ledger.span(subject.record) as span:
            written = generate_answer(job, backend, request, prompt=prompt, counter=counter, beginning=None)
        ranked, reason = read_ranking(written.text, subject.shown)

        def keep(connection: Connection) -> None:
            prepare_following(connection, job)
            store.update_ranked(connection, job.request.id, ranked, reason)

        follow(job)
        job.succeed(
            keep,
            usage=asdict(written.generation.usage) | span.facts(subject.settings),
            finish_reason=written.generation.finish_reason or "stop",
            output_tokens=written.generation.usage.completion_tokens or job.output_tokens,
        )


def _read_subject(connection: Connection, request: LlmRequest) -> _Subject:
    record, model = read_model(connection, request)
    try:
        discussion = store.get_discussion(connection, discussion_of(request) or 0)
        question = read_question(
            connection,
            post_id=discussion.post_id,
            version=version_store.get_version(connection, request.persona_version_id or 0),
            parameters=request.parameters,
        )
    except NotFound as error:
        raise Hopeless("The topic was deleted while this waited.", cause=Cause.SUBJECT_GONE) from error
    steps = store.list_steps(connection, discussion.id)
    shown = next(step.shown for step in steps if step.llm_request_id == request.id)
    opinions = opinions_of(steps)
    ids = [opinions[seat].post_id or 0 for seat in shown if seat in opinions]
    posts = {post.id: post for post in post_store.list_posts(connection, ids) if not post.is_deleted}
    if len(posts) < len(shown) or question.posts[-1].is_deleted:
        raise Hopeless("The question or an opinion was deleted while this waited.", cause=Cause.SUBJECT_GONE)
    task = ranking_task([posts[post_id].content for post_id in ids])
    return _Subject(
        # What is asked of every answer does not hold for a row of letters.
        question=replace(question, task=task, custom_instructions=""),
        shown=shown,
        record=record,
        model=model,
        settings=read_settings(connection),
    )


def _prompt(subject: _Subject, context: ContextSize, counter: TokenCounter, request: LlmRequest) -> Assembled:
    """The thread as a reply would be shown it, then the answers, of which nothing is left out. Raises Hopeless."""
    try:
        return build_prompt(
            subject.question, counter=counter, context=context, parameters=request.parameters, layout=THREAD_FIRST
        )
    except DoesNotFit as error:
        raise Hopeless(error.message, cause=Cause.PROMPT_TOO_LONG) from error
