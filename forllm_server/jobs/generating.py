"""Having a backend write an answer: from the beginning, or from where an earlier run was broken off."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from forllm_server import log
from forllm_server.backends.base import Backend, Chunk, Generation, GenerationRequest
from forllm_server.backends.faults import BackendError, Busy
from forllm_server.jobs.repetition import REPETITION, Loop, RepetitionGuard
from forllm_server.jobs.resuming import RESUMED_RUN, RUN, Beginning, joined
from forllm_server.jobs.subject import continued
from forllm_server.prompts.assemble import Assembled
from forllm_server.prompts.tokens import TokenCounter
from forllm_server.queue.job import Hopeless, Interrupted, Job
from forllm_server.queue.model import Cause


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

    An interruption closes the stream; which one it was, the job knows. An answer that goes round in circles is ended
    with the finish reason ``repetition`` and without the circles; Hopeless when it did so before it had begun.
    """
    is_thinking = False
    watch = _Watch(job.request.parameters)
    job.on_interrupt(generation.cancel)
    try:
        with generation:
            for chunk in generation:
                if chunk.is_text_so_far_thinking:
                    is_thinking = True
                    job.take_text_for_thinking()
                    watch.take_text_for_thinking()
                if chunk.text or chunk.thinking:
                    job.write(storable(chunk.text), storable(chunk.thinking))
                if watch.sees_loop(chunk):
                    generation.cancel()
    except BackendError:
        if job.interruption is not None:
            raise Interrupted() from None
        if watch.loop is None:
            raise
    job.raise_if_interrupted()
    if watch.loop is not None:
        watch.end(generation, watch.loop)
        log.event("llm_request.looped", times=watch.loop.times, **job.request.log_context())
    return is_thinking


class _Watch:
    """Sees to it that an answer does not go round in circles, unless its persona may."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.loop: Loop | None = None
        self._is_on = parameters.get("repetition_guard") is not False
        self._texts: list[str] = []
        self._text, self._thinking = RepetitionGuard(), RepetitionGuard()

    def take_text_for_thinking(self) -> None:
        self._texts.clear()

    def sees_loop(self, chunk: Chunk) -> bool:
        """Take the next piece; whether the answer loops, and is to be ended."""
        self._texts.append(chunk.text)
        if self._is_on and self.loop is None:
            found = self._text.feed(chunk.text) if chunk.text else None
            self.loop = found or (self._thinking.feed(chunk.thinking) if chunk.thinking else None)
        return self.loop is not None

    def end(self, generation: Generation, loop: Loop) -> None:
        """Make of an ended generation a finished one. Raises Hopeless when it has no text."""
        text = "".join(self._texts)
        if not text.strip():
            raise Hopeless(
                "The model went round in circles while it was thinking, and was stopped before it answered. Try "
                "another seed or a higher temperature, or ask another model.",
                cause=Cause.ERROR,
            )
        generation.text = text[: loop.kept_characters].rstrip()
        generation.finish_reason = REPETITION


def storable(text: str) -> str:
    """A model may send NUL, which no database column of text holds; it is shown as the character for "unreadable"."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
