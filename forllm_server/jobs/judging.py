"""How a persona is asked to judge, whatever it is about: one text, one answer, nothing of it posted."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection

from forllm_server.catalog.model import BackendRecord, Model
from forllm_server.jobs.context import JobContext
from forllm_server.jobs.generating import Written, generate_answer
from forllm_server.jobs.prompting import ContextSize, context_of, counter_for, instructions_of
from forllm_server.jobs.subject import generation_request, read_model
from forllm_server.personas import version_store
from forllm_server.personas.model import PersonaVersion
from forllm_server.prompts.assemble import Assembled, assemble
from forllm_server.prompts.budget import DoesNotFit
from forllm_server.prompts.thread import Turn
from forllm_server.prompts.tokens import TokenCounter
from forllm_server.queue.job import Hopeless, Job
from forllm_server.queue.model import Cause, LlmRequest
from forllm_server.settings.values import Settings, read_settings


@dataclass(frozen=True)
class Bench:
    """Who judges, and on what: read in one transaction."""

    version: PersonaVersion
    #: the persona's, filled in; a judge is told of no place
    instructions: str
    record: BackendRecord
    model: Model
    settings: Settings


@dataclass(frozen=True)
class Opinion:
    """What the judge said, and what it took."""

    written: Written
    usage: dict[str, Any]

    @property
    def text(self) -> str:
        return self.written.text

    def settle(self, job: Job, keep: Callable[[Connection], None]) -> None:
        """Store it by ``keep`` and settle the LLM request, in one transaction."""
        generation = self.written.generation
        job.succeed(
            keep,
            usage=self.usage,
            finish_reason=generation.finish_reason or "stop",
            output_tokens=generation.usage.completion_tokens or job.output_tokens,
        )


def read_bench(connection: Connection, request: LlmRequest) -> Bench:
    """Raises Hopeless when the model or its backend is gone."""
    record, model = read_model(connection, request)
    version = version_store.get_version(connection, request.persona_version_id or 0)
    settings = read_settings(connection)
    return Bench(version, instructions_of(connection, version, settings), record, model, settings)


def hear(context: JobContext, job: Job, bench: Bench, text: str) -> Opinion:
    """Ask the judge. Raises BackendError, Hopeless (it does not fit) and Interrupted for the worker to settle."""
    parameters = job.request.parameters
    backend = context.connect(bench.record, bench.settings)
    counter = counter_for(bench.model, backend)
    size = context_of(bench.record.kind, bench.model, parameters, bench.settings)
    prompt = _prompt(bench, text, size, counter, int(parameters["max_tokens"]))
    request = generation_request(bench.model, prompt, size, parameters)
    job.raise_if_interrupted()
    with context.ledger.span(bench.record) as span:
        written = generate_answer(job, backend, request, prompt=prompt, counter=counter, beginning=None)
    return Opinion(written, asdict(written.generation.usage) | span.facts(bench.settings))


def _prompt(bench: Bench, text: str, size: ContextSize, counter: TokenCounter, reply_tokens: int) -> Assembled:
    try:
        return assemble(
            instructions=bench.instructions,
            turns=(Turn(0, "user", text),),
            counter=counter,
            context_tokens=size.tokens,
            context_source=size.source,
            reply_tokens=reply_tokens,
            persona_name=bench.version.name,
        )
    except DoesNotFit as error:
        raise Hopeless(error.message, cause=Cause.PROMPT_TOO_LONG) from error
