"""Going on where an earlier run was broken off, instead of having the model write it all again.

Only a text that is sound is gone on with: its run was broken off by a crash, a stop, a closing window or a busy
machine, and answered the very same prompt. What a failing server left behind is for people to read, and dropped here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from forllm_server.prompts.assemble import Assembled
from forllm_server.queue import chunk_store, event_store, prompt_store
from forllm_server.queue.model import Happening, LlmRequest, LlmRequestEvent, Partial, Prompt

#: What the stored account of a prompt tells besides: whose it is, and whose text it went on with.
RUN = "run"
RESUMED_RUN = "resumed_run"
#: Characters. A shorter beginning is cheaper to write anew than to go on with; and only from here on is an answer that
#: repeats it word for word surely one of a server that began again instead of going on.
SHORTEST_BEGINNING = 24
#: Events between two runs that say nothing of how the earlier one ended.
_BETWEEN = frozenset({Happening.CLAIMED, Happening.DUE, Happening.HELD, Happening.MOVED, Happening.RUN_NOW})


@dataclass(frozen=True)
class Beginning:
    """What run ``run`` had written in answer to ``messages``, which were laid out as ``layout``."""

    run: int
    text: str
    layout: str
    messages: tuple[Mapping[str, Any], ...]

    def fits(self, prompt: Assembled) -> bool:
        """Whether it answers this very prompt: neither the thread nor the persona or its layout has changed."""
        return self.messages == tuple(message.as_dict() for message in prompt.messages)


def find_beginning(connection: Connection, request: LlmRequest) -> Beginning | None:
    """What can be gone on with; None for a first run, and when there is nothing or it is not sound."""
    if request.run < 2:
        return None
    partial = chunk_store.find_partial(connection, request.id)
    if partial is None:
        return None
    prompt = prompt_store.find_prompt(connection, request.id)
    if prompt is None or not was_broken_off(event_store.list_events(connection, request.id)):
        return None
    return beginning_of(partial, prompt)


def beginning_of(partial: Partial, prompt: Prompt) -> Beginning | None:
    """The partial text with its own prompt; None when they do not belong together or hardly anything was said yet.

    Trailing blanks go: chat templates drop them, and models write them themselves. A text with thinking before it is
    not gone on with, for no server takes a thought back; nor is one of a few words.
    """
    is_resumed = prompt.breakdown.get(RESUMED_RUN) is not None
    text = partial.text.rstrip()
    if is_resumed and partial.run == prompt.breakdown.get(RUN):
        text = _said_once(str(prompt.messages[-1]["content"]), text)
    if partial.run not in (prompt.breakdown.get(RUN), prompt.breakdown.get(RESUMED_RUN)):
        return None
    if len(text) < SHORTEST_BEGINNING or partial.thinking.strip():
        return None
    return Beginning(partial.run, text, prompt.layout, prompt.messages[:-1] if is_resumed else prompt.messages)


def was_broken_off(events: Sequence[LlmRequestEvent]) -> bool:
    """Whether the last run ended through no fault of its answer: its worker was lost or stopped, or it made way."""
    names = [event for event in events if event.name not in _BETWEEN]
    while names:
        event = names.pop()
        if event.name is Happening.RESCUED:
            return True
        if event.name is Happening.RELEASED:
            if event.detail:
                return True
            # A person released what was held; how the run before ended stands further back.
            continue
        if event.name is Happening.RETRY_WAITS:
            return bool(names) and names[-1].name is Happening.RESCUED
        return False
    return False


def joined(beginning: str, rest: str) -> str:
    """The whole answer. A server that began again instead of going on has said the beginning twice: once is enough."""
    if rest.lstrip().startswith(beginning):
        return rest.lstrip()
    return beginning + rest


def _said_once(beginning: str, text: str) -> str:
    """What a run that went on with ``beginning`` has written so far, in case it had begun again when it broke off."""
    rest = text.removeprefix(beginning)
    if rest == text:
        return text
    return beginning if beginning.startswith(rest.strip()) else joined(beginning, rest)
