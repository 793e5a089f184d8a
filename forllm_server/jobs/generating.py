"""Having a backend write an answer: from the beginning, or from where an earlier run was broken off."""

from dataclasses import dataclass
from typing import Any

from forllm_server import log
from forllm_server.backends.base import Backend, Generation, GenerationRequest
from forllm_server.backends.faults import BackendError, Busy
from forllm_server.jobs.resuming import RESUMED_RUN, RUN, Beginning, joined
from forllm_server.jobs.subject import continued
from forllm_server.prompts.assemble import Assembled
from forllm_server.prompts.tokens import TokenCounter
from forllm_server.queue.job import Interrupted, Job


@dataclass(frozen=True)
class Written:
    """A finished answer. ``generation`` is of its last part; ``resumed_*``: how much an earlier run had written."""

    text: str
    thinking: str
    generation: Generation
    resumed_characters: int = 0
    resumed_tokens: int = 0

    def resumption(self) -> dict[str, int]:
        """For the usage: empty unless an earlier run's text was gone on with."""
        if not self.resumed_characters:
            return {}
        return {"resumed_characters": self.resumed_characters, "resumed_tokens": self.resumed_tokens}


def generate_answer(
    job: Job,
    backend: Backend,
    request: GenerationRequest,
    *,
    prompt: Assembled,
    counter: TokenCounter,
    beginning: Beginning | None,
) -> Written:
    """Keep the prompt, send it, and write the answer down as it comes. Raises BackendError and Interrupted."""
    if beginning is not None and backend.may_continue_prefix and beginning.fits(prompt):
        written = _go_on(job, backend, request, prompt, beginning, counter.count(beginning.text))
        if written is not None:
            return written
    _save_prompt(job, prompt)
    generation = backend.generate(request)
    _follow(job, generation)
    return Written(storable(generation.text), storable(generation.thinking), generation)


def _go_on(
    job: Job, backend: Backend, request: GenerationRequest, prompt: Assembled, beginning: Beginning, tokens: int
) -> Written | None:
    """The answer with its beginning; None when the server does not go on, so that it must be written anew."""
    _save_prompt(job, prompt, beginning, tokens)
    job.begin_with(beginning.text, tokens)
    generation = backend.generate(continued(request, beginning.text, tokens))
    try:
        is_thinking = _follow(job, generation)
    except BackendError as error:
        if generation.text or error.is_backend_down or isinstance(error, Busy):
            raise
        log.event("llm_request.not_resumed", detail=error.message, **job.request.log_context())
        job.begin_with("", 0)
        return None
    text, thinking = storable(generation.text), storable(generation.thinking)
    if is_thinking:
        return Written(text, beginning.text + thinking, generation, len(beginning.text), tokens)
    return Written(joined(beginning.text, text), thinking, generation, len(beginning.text), tokens)


def _save_prompt(job: Job, prompt: Assembled, beginning: Beginning | None = None, tokens: int = 0) -> None:
    messages: list[dict[str, Any]] = [message.as_dict() for message in prompt.messages]
    account = prompt.breakdown.as_dict() | {RUN: job.lease.run}
    if beginning is not None:
        messages.append({"role": "assistant", "content": beginning.text})
        account |= {RESUMED_RUN: beginning.run, "resumed_tokens": tokens}
    job.save_prompt(layout=prompt.layout, messages=messages, breakdown=account)


def _follow(job: Job, generation: Generation) -> bool:
    """Write the answer down as it comes; whether all that had been written before turned out to be thinking.

    An interruption closes the stream; which one it was, the job knows.
    """
    is_thinking = False
    job.on_interrupt(generation.cancel)
    try:
        with generation:
            for chunk in generation:
                if chunk.is_text_so_far_thinking:
                    is_thinking = True
                    job.take_text_for_thinking()
                if chunk.text or chunk.thinking:
                    job.write(storable(chunk.text), storable(chunk.thinking))
    except BackendError:
        if job.interruption is not None:
            raise Interrupted() from None
        raise
    job.raise_if_interrupted()
    return is_thinking


def storable(text: str) -> str:
    """A model may send NUL, which no database column of text holds; it is shown as the character for "unreadable"."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
