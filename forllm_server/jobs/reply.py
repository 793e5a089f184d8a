"""A reply to a post by a persona on a model, performed by a worker. It is asked for in jobs/asking.py."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from forllm_server.backends.base import Generation
from forllm_server.catalog import model_store
from forllm_server.catalog.model import Model
from forllm_server.errors import Conflict, NotFound
from forllm_server.forum.editing import answer_post
from forllm_server.forum.model import Answer
from forllm_server.jobs.asking import REPLY
from forllm_server.jobs.context import JobContext
from forllm_server.jobs.following import follow, prepare_following
from forllm_server.jobs.generating import Written, generate_answer
from forllm_server.jobs.ledger import Span
from forllm_server.jobs.prompting import Question, build_prompt, context_of, counter_for
from forllm_server.jobs.subject import Subject, generation_request, read_subject
from forllm_server.prompts.assemble import Assembled
from forllm_server.prompts.budget import DoesNotFit
from forllm_server.queue.job import Hopeless, Job
from forllm_server.queue.model import Cause, LlmRequest
from forllm_server.queue.rate_store import replace_rates

#: Of the mean of characters a token, one more answer counts a fifth.
_WORTH_LEARNING = 0.025


class ReplyKind:
    """Performs a reply: prompt, generation, post."""

    name = REPLY

    def __init__(self, context: JobContext) -> None:
        self._context = context

    def run(self, job: Job) -> None:
        """Raises BackendError, Hopeless and Interrupted for the worker to settle."""
        with self._context.database.read() as connection:
            subject = read_subject(connection, job.request)
        backend = self._context.connect(subject.record, subject.settings)
        counter = counter_for(subject.model, backend)
        context = context_of(subject.record.kind, subject.model, job.request.parameters, subject.settings)
        prompt = _prompt(
            subject.question,
            counter=counter,
            context=context,
            parameters=job.request.parameters,
            layout=subject.layout,
        )
        request = generation_request(subject.model, prompt, context, job.request.parameters)
        job.raise_if_interrupted()
        with self._context.ledger.span(subject.record) as span:
            written = generate_answer(
                job, backend, request, prompt=prompt, counter=counter, beginning=subject.beginning
            )
        self._post(job, subject, prompt, written, span)

    def _post(self, job: Job, subject: Subject, prompt: Assembled, written: Written, span: Span) -> None:
        generation = written.generation
        usage = asdict(generation.usage)
        if generation.truncated_prompt is not None:
            usage["truncated_prompt"] = asdict(generation.truncated_prompt)
        usage["is_complete_thread"] = prompt.breakdown.is_complete
        usage |= written.resumption() | span.facts(subject.settings)
        answer = _answer(job.request, subject, written, usage)

        def write_reply(connection: Connection) -> int:
            post_id = _answer_post(connection, answer, job)
            if not written.resumed_characters:
                _learn(connection, subject.model, prompt, generation)
            replace_rates(connection, subject.model.id, _timed(usage, job), job.now())
            prepare_following(connection, job)
            return post_id

        follow(job)
        job.succeed(
            write_reply,
            usage=usage,
            finish_reason=generation.finish_reason or "stop",
            output_tokens=_count_output(job, written),
        )


def _answer_post(connection: Connection, answer: Answer, job: Job) -> int:
    try:
        return answer_post(connection, answer, job.now())
    except (NotFound, Conflict) as error:
        # Deleted while the model wrote, or answered already by whoever has the lease now: the fence tells which.
        raise Hopeless(error.message, cause=Cause.SUBJECT_GONE) from error


def _prompt(question: Question, **how: Any) -> Assembled:
    try:
        return build_prompt(question, **how)
    except DoesNotFit as error:
        raise Hopeless(error.message, cause=Cause.PROMPT_TOO_LONG) from error


def _answer(request: LlmRequest, subject: Subject, written: Written, usage: Mapping[str, Any]) -> Answer:
    return Answer(
        llm_request_id=request.id,
        owner_id=request.owner_id,
        parent_id=request.post_id or 0,
        content=written.text,
        persona_version_id=subject.question.version.id,
        persona_name=subject.question.version.name,
        model_name=subject.model.name,
        parameters=request.parameters,
        thinking=written.thinking or None,
        finish_reason=written.generation.finish_reason,
        usage=usage,
        question_version=subject.question.question_version,
    )


def _count_output(job: Job, written: Written) -> int:
    counted = written.generation.usage.completion_tokens
    return written.resumed_tokens + counted if counted else job.output_tokens


def _timed(usage: Mapping[str, Any], job: Job) -> Mapping[str, Any]:
    """A usage with the times that its server did not tell, as they were seen from here."""
    started_at, first_at = job.request.started_at, job.first_token_at
    if started_at is None or first_at is None:
        return usage
    seen = {
        "prompt_seconds": (first_at - started_at).total_seconds(),
        "generation_seconds": (job.now() - first_at).total_seconds(),
    }
    return dict(usage) | {name: usage.get(name) or seconds for name, seconds in seen.items()}


def _learn(connection: Connection, model: Model, prompt: Assembled, generation: Generation) -> None:
    """Better estimates next time: how many characters a token of this model has."""
    counted = generation.usage.prompt_tokens
    if counted and not generation.usage.is_estimated:
        ratio = sum(len(message.content) for message in prompt.messages) / counted
        known = model.characters_per_token
        # What would move the mean by less than half a percent is not worth a write with every reply.
        if known is None or abs(ratio / known - 1) > _WORTH_LEARNING:
            model_store.update_characters_per_token(connection, model.id, ratio)
