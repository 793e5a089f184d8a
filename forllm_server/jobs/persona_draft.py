"""A persona written by a model, in two steps, each an LLM request: thinking it through, then writing it down.

The second step is asked for in the transaction that settles the first, so that nothing is lost between them.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from forllm_server.catalog.model import BackendRecord, Model
from forllm_server.errors import NotFound
from forllm_server.jobs.context import JobContext
from forllm_server.jobs.draft_asking import NAME, Step, insert_step
from forllm_server.jobs.generating import Written, generate_answer
from forllm_server.jobs.prompting import ContextSize, context_of, counter_for
from forllm_server.jobs.repetition import REPETITION
from forllm_server.jobs.subject import generation_request, read_model
from forllm_server.markup.excerpt import excerpt
from forllm_server.personas import assignment_store, draft_store
from forllm_server.personas.draft_model import DraftText, PersonaDraft
from forllm_server.personas.draft_prompts import EMBEDDED_TOKENS, INSTRUCTIONS, expansion_prompt, refinement_prompt
from forllm_server.personas.draft_reading import read_draft
from forllm_server.personas.drafting import write_draft_down
from forllm_server.prompts.assemble import Assembled, assemble
from forllm_server.prompts.budget import DoesNotFit
from forllm_server.prompts.thread import Turn
from forllm_server.prompts.tokens import TokenCounter
from forllm_server.queue.job import Hopeless, Job
from forllm_server.queue.llm_request_store import list_for_change
from forllm_server.queue.model import Cause, LlmRequest
from forllm_server.settings.values import Settings, read_settings

#: of the notes about another one
_SKETCH_CHARS = 160


class _Cut(StrEnum):
    """How an answer ends that is not whole, in words."""

    LENGTH = "It had reached the longest answer allowed, or the end of its context, before it was done."
    REPETITION = "It said the same again and again, and was stopped."


@dataclass(frozen=True)
class _Subject:
    """What a run works on, read in one transaction.

    ``others``: the names of those that are there already; ``sketches``: the same, with how the notes begin of those
    that have no name yet.
    """

    draft: PersonaDraft
    previous: PersonaDraft | None
    others: tuple[str, ...]
    sketches: tuple[str, ...]
    record: BackendRecord
    model: Model
    settings: Settings


class PersonaDraftKind:
    """Writes one step of a draft of a persona."""

    name = NAME

    def __init__(self, context: JobContext) -> None:
        self._context = context

    def run(self, job: Job) -> None:
        """Raises BackendError, Hopeless and Interrupted for the worker to settle."""
        with self._context.database.read() as connection:
            subject = _read_subject(connection, job.request)
        backend = self._context.connect(subject.record, subject.settings)
        counter = counter_for(subject.model, backend)
        context = context_of(subject.record.kind, subject.model, job.request.parameters, subject.settings)
        # Of a small context the answer gets a half. The embedded model seldom finds an end by itself.
        most = EMBEDDED_TOKENS if subject.record.is_embedded else int(job.request.parameters["max_tokens"])
        tokens = min(most, context.tokens // 2)
        parameters = {**job.request.parameters, "max_tokens": tokens}
        prompt = _prompt(subject, _step_of(job.request), context, counter, parameters)
        request = generation_request(subject.model, prompt, context, parameters)
        job.raise_if_interrupted()
        with self._context.ledger.span(subject.record) as span:
            written = generate_answer(job, backend, request, prompt=prompt, counter=counter, beginning=None)
        keep = _keep_expansion if _step_of(job.request) is Step.EXPANSION else _keep_draft
        job.succeed(
            keep(job, subject, written),
            usage=asdict(written.generation.usage) | span.facts(subject.settings),
            finish_reason=written.generation.finish_reason or "stop",
            output_tokens=written.generation.usage.completion_tokens or job.output_tokens,
        )


def _keep_expansion(job: Job, subject: _Subject, written: Written) -> Callable[[Connection], None]:
    expansion = written.text.strip()
    if not expansion:
        raise Hopeless("The model wrote nothing about the persona. Try again, or ask another model.", cause=Cause.ERROR)

    def keep(connection: Connection) -> None:
        draft = draft_store.get_draft_to_change(connection, subject.draft.id)
        kept = {"expansion": expansion, "expansion_llm_request_id": job.request.id}
        draft_store.update_draft(connection, draft.id, **kept)
        if draft.is_open:
            # Requests are locked before their versions, as everybody locks them: this one's own, before it is settled.
            list_for_change(connection, [job.request.id])
            insert_step(connection, draft, Step.REFINEMENT, job.request, subject.settings, job.now())

    return keep


def _keep_draft(job: Job, subject: _Subject, written: Written) -> Callable[[Connection], None]:
    text = _read(written, subject.draft.brief.wished_name)

    def keep(connection: Connection) -> None:
        write_draft_down(
            connection,
            draft_store.get_draft_to_change(connection, subject.draft.id),
            text,
            answer=written.text,
            model_name=subject.model.name,
            now=job.now(),
        )

    return keep


def _read(written: Written, wished_name: str) -> DraftText:
    """The persona in the answer. Raises Hopeless for what cannot be read: nothing is made up in its place."""
    reason = written.generation.finish_reason
    cut = {"length": _Cut.LENGTH, REPETITION: _Cut.REPETITION}.get(reason or "")
    text, problem = (None, cut.value) if cut else read_draft(written.text, wished_name=wished_name)
    if text is None:
        raise Hopeless(
            f"What the model wrote is no persona. {problem} Its text is kept. Try again, or ask another model.",
            cause=Cause.ERROR,
        )
    return text


def _step_of(request: LlmRequest) -> Step:
    return Step(request.input.get("step", Step.EXPANSION))


def _read_subject(connection: Connection, request: LlmRequest) -> _Subject:
    record, model = read_model(connection, request)
    try:
        draft = draft_store.get_draft(connection, int(request.input.get("draft_id", 0)))
    except NotFound as error:
        raise Hopeless("The draft was erased while this waited.", cause=Cause.SUBJECT_GONE) from error
    if draft.is_dropped:
        raise Hopeless("The draft was dropped while this waited.", cause=Cause.SUBJECT_GONE)
    previous = draft_store.get_draft(connection, draft.previous_id) if draft.previous_id else None
    group = [each for each in draft_store.list_drafts_of_group(connection, draft.group_id) if each.id != draft.id]
    assigned = _assigned(connection, draft)
    # Whom this one shall not repeat: those asked for together with it, and those who are in its subforum.
    names = [each.text.name for each in group if each.text.name]
    sketches = [each.text.name or excerpt(each.expansion, max_chars=_SKETCH_CHARS) for each in group if each.expansion]
    return _Subject(
        draft=draft,
        previous=previous,
        others=tuple(dict.fromkeys(names + assigned)),
        sketches=tuple(dict.fromkeys(sketches + assigned)),
        record=record,
        model=model,
        settings=read_settings(connection),
    )


def _assigned(connection: Connection, draft: PersonaDraft) -> list[str]:
    if draft.brief.subforum_id is None:
        return []
    return [each.persona_name for each in assignment_store.list_assignments(connection, draft.brief.subforum_id)]


def _prompt(
    subject: _Subject, step: Step, context: ContextSize, counter: TokenCounter, parameters: Mapping[str, Any]
) -> Assembled:
    draft, previous = subject.draft, subject.previous
    if step is Step.EXPANSION:
        text = expansion_prompt(draft.brief, number=draft.number, total=draft.total, others=subject.sketches)
    elif previous is not None and draft.remark:
        text = refinement_prompt(draft.brief, draft.expansion, previous=previous.text, remark=draft.remark)
    else:
        text = refinement_prompt(draft.brief, draft.expansion, others=subject.others)
    try:
        return assemble(
            instructions=INSTRUCTIONS,
            turns=(Turn(0, "user", text),),
            counter=counter,
            context_tokens=context.tokens,
            context_source=context.source,
            reply_tokens=int(parameters["max_tokens"]),
        )
    except DoesNotFit as error:
        raise Hopeless(
            f"What was asked for does not fit into the context of {subject.model.label}, {context.tokens:,} tokens. "
            "Ask another model, or describe the persona in fewer words.",
            cause=Cause.PROMPT_TOO_LONG,
        ) from error
