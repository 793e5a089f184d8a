"""Asking for an earlier answer again, performed by a worker: the same thread, and no post comes of it.

It is asked for in jobs/experiment_staging.py.
"""

from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection

from forllm_server.errors import NotFound
from forllm_server.experiments import pair_store
from forllm_server.experiments.model import NewAnswer
from forllm_server.jobs.context import JobContext
from forllm_server.jobs.generating import Written, generate_answer
from forllm_server.jobs.prompting import build_prompt, context_of, counter_for, read_question
from forllm_server.jobs.resuming import find_beginning
from forllm_server.jobs.subject import ALONE, Subject, generation_request, read_model
from forllm_server.personas import version_store
from forllm_server.prompts.assemble import PERSONA_FIRST
from forllm_server.prompts.budget import DoesNotFit
from forllm_server.queue.job import Hopeless, Job
from forllm_server.queue.model import Cause, LlmRequest
from forllm_server.queue.prompt_store import find_prompt
from forllm_server.queue.rate_store import replace_rates
from forllm_server.settings.values import read_settings

NAME = "experiment"


class ExperimentKind:
    """Has an earlier question answered anew, for its experiment alone."""

    name = NAME

    def __init__(self, context: JobContext) -> None:
        self._context = context

    def run(self, job: Job) -> None:
        """Raises BackendError, Hopeless and Interrupted for the worker to settle."""
        with self._context.database.read() as connection:
            subject = _read_subject(connection, job.request)
        backend = self._context.connect(subject.record, subject.settings)
        counter = counter_for(subject.model, backend)
        parameters = job.request.parameters
        context = context_of(subject.record.kind, subject.model, parameters, subject.settings)
        how: dict[str, Any] = {"counter": counter, "context": context, "parameters": parameters}
        try:
            prompt = build_prompt(subject.question, layout=subject.layout, **how)
        except DoesNotFit as error:
            raise Hopeless(error.message, cause=Cause.PROMPT_TOO_LONG) from error
        request = generation_request(subject.model, prompt, context, parameters)
        job.raise_if_interrupted()
        with self._context.ledger.span(subject.record) as span:
            written = generate_answer(
                job, backend, request, prompt=prompt, counter=counter, beginning=subject.beginning
            )
        if not written.text.strip():
            raise Hopeless("The model said nothing.", cause=Cause.ERROR)
        usage = asdict(written.generation.usage) | {"is_complete_thread": prompt.breakdown.is_complete}
        usage |= written.resumption() | span.facts(subject.settings)

        def keep(connection: Connection) -> None:
            _keep(connection, job, written)
            replace_rates(connection, subject.model.id, usage, job.now())

        job.succeed(
            keep,
            usage=usage,
            finish_reason=written.generation.finish_reason or "stop",
            output_tokens=_tokens(written) or job.output_tokens,
        )


def _keep(connection: Connection, job: Job, written: Written) -> None:
    started_at, now = job.request.started_at, job.now()
    answer = NewAnswer(
        text=written.text,
        thinking=written.thinking,
        finish_reason=written.generation.finish_reason or "stop",
        # Not the one that it was asked of at first: a person may have had another one answer.
        model_name=job.request.model_name or "",
        tokens=_tokens(written),
        seconds=(now - started_at).total_seconds() if started_at else None,
    )
    pair_store.update_answered(connection, job.request.id, answer, now)


def _tokens(written: Written) -> int | None:
    counted = written.generation.usage.completion_tokens
    return written.resumed_tokens + counted if counted else None


def _read_subject(connection: Connection, request: LlmRequest) -> Subject:
    """What the request is about, or Hopeless when it is gone."""
    record, model = read_model(connection, request)
    version = version_store.get_version(connection, request.persona_version_id or 0)
    try:
        question = read_question(
            connection,
            post_id=int(request.input.get("post_id", 0)),
            version=version,
            is_alone=bool(request.input.get(ALONE)),
        )
    except NotFound as error:
        raise Hopeless("The topic was deleted while this waited.", cause=Cause.SUBJECT_GONE) from error
    if question.posts[-1].is_deleted:
        raise Hopeless("The question was deleted while this waited.", cause=Cause.SUBJECT_GONE)
    if pair_store.find_place(connection, request.id) is None:
        raise Hopeless("The experiment was deleted while this waited.", cause=Cause.SUBJECT_GONE)
    subject = Subject(question, record, model, read_settings(connection), _layout(connection, request))
    beginning = find_beginning(connection, request)
    return replace(subject, beginning=beginning, layout=beginning.layout) if beginning else subject


def _layout(connection: Connection, request: LlmRequest) -> str:
    """As the old answer's prompt was laid out: whoever is compared has seen the same."""
    old_id = request.input.get("old_llm_request_id")
    prompt = find_prompt(connection, int(old_id)) if old_id else None
    return prompt.layout if prompt else PERSONA_FIRST
