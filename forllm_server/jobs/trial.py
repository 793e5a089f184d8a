"""A trial of a draft of a persona, performed by a worker. It is asked for in jobs/trying.py."""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection

from forllm_server.catalog.model import BackendRecord, Model
from forllm_server.errors import NotFound
from forllm_server.jobs.context import JobContext
from forllm_server.jobs.generating import Written, generate_answer
from forllm_server.jobs.prompting import Question, build_prompt, context_of, counter_for, read_question
from forllm_server.jobs.subject import generation_request, read_model
from forllm_server.jobs.trying import TRIAL, as_version, draft_of
from forllm_server.personas.trial_store import Trial, insert_trial
from forllm_server.prompts.budget import DoesNotFit
from forllm_server.queue.job import Hopeless, Job
from forllm_server.queue.model import Cause
from forllm_server.settings.values import Settings, read_settings


@dataclass(frozen=True)
class _Subject:
    question: Question
    record: BackendRecord
    model: Model
    settings: Settings


class TrialKind:
    """Has a draft of a persona answer a post, for the page of the trial alone."""

    name = TRIAL

    def __init__(self, context: JobContext) -> None:
        self._context = context

    def run(self, job: Job) -> None:
        """Raises BackendError, Hopeless and Interrupted for the worker to settle."""
        with self._context.database.read() as connection:
            subject = _read_subject(connection, job)
        backend = self._context.connect(subject.record, subject.settings)
        counter = counter_for(subject.model, backend)
        parameters = job.request.parameters
        context = context_of(subject.record.kind, subject.model, parameters, subject.settings)
        try:
            prompt = build_prompt(subject.question, counter=counter, context=context, parameters=parameters)
        except DoesNotFit as error:
            raise Hopeless(error.message, cause=Cause.PROMPT_TOO_LONG) from error
        request = generation_request(subject.model, prompt, context, parameters)
        job.raise_if_interrupted()
        with self._context.ledger.span(subject.record) as span:
            written = generate_answer(job, backend, request, prompt=prompt, counter=counter, beginning=None)
        generation = written.generation
        job.succeed(
            lambda connection: _keep(connection, job, written),
            usage=asdict(generation.usage) | span.facts(subject.settings),
            finish_reason=generation.finish_reason or "stop",
            output_tokens=generation.usage.completion_tokens or job.output_tokens,
        )


def _keep(connection: Connection, job: Job, written: Written) -> None:
    insert_trial(connection, Trial(job.request.id, written.text, written.thinking, job.now()))


def _read_subject(connection: Connection, job: Job) -> _Subject:
    request = job.request
    record, model = read_model(connection, request)
    version = as_version(draft_of(request.input), request.persona_id, request.created_at)
    try:
        post_id = int(request.input.get("post_id", 0))
        question = read_question(connection, post_id=post_id, version=version, parameters=request.parameters)
    except NotFound as error:
        raise Hopeless("The topic was deleted while this waited.", cause=Cause.SUBJECT_GONE) from error
    if question.posts[-1].is_deleted:
        raise Hopeless("The post was deleted while this waited.", cause=Cause.SUBJECT_GONE)
    return _Subject(question, record, model, read_settings(connection))
