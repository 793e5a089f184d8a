"""The messages as they are sent: stable parts first, the post asked about last."""

from collections.abc import Sequence
from dataclasses import dataclass

from forllm_server.prompts.budget import Breakdown, Fitted, Room, fit
from forllm_server.prompts.thread import Turn, omission_note
from forllm_server.prompts.tokens import TOKENS_PER_MESSAGE, TokenCounter

#: The persona's instructions, then the thread from its first post: many threads of one persona share the start.
PERSONA_FIRST = "persona-first/1"


@dataclass(frozen=True)
class PromptMessage:
    """One message; ``role`` is ``system``, ``user`` or ``assistant``."""

    role: str
    content: str

    def as_dict(self) -> dict[str, str]:
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True)
class Assembled:
    """A prompt ready to be sent, with its account."""

    layout: str
    messages: tuple[PromptMessage, ...]
    breakdown: Breakdown


def assemble(
    *,
    instructions: str,
    turns: Sequence[Turn],
    counter: TokenCounter,
    context_tokens: int,
    context_source: str,
    reply_tokens: int,
    left_out_count: int = 0,
) -> Assembled:
    """Build the prompt. Raises :class:`forllm_server.prompts.budget.DoesNotFit`."""
    persona_tokens = counter.count(instructions) + (TOKENS_PER_MESSAGE if instructions else 0)
    turn_tokens = [counter.count(turn.text) + TOKENS_PER_MESSAGE for turn in turns]
    room = Room(context_tokens, reply_tokens, counter.is_exact)
    fitted = fit(turn_tokens, persona_tokens=persona_tokens, room=room)
    breakdown = Breakdown(
        context_tokens=context_tokens,
        context_source=context_source,
        reply_tokens=reply_tokens,
        margin_tokens=room.margin_tokens,
        persona_tokens=persona_tokens,
        post_tokens=turn_tokens[-1],
        ancestor_tokens=fitted.prompt_tokens - persona_tokens - turn_tokens[-1],
        prompt_tokens=fitted.prompt_tokens,
        ancestor_count=len(turns) - 1,
        omitted_post_ids=tuple(turns[index].post_id for index in fitted.omitted),
        left_out_count=left_out_count,
        is_exact=counter.is_exact,
    )
    return Assembled(PERSONA_FIRST, tuple(_messages(instructions, turns, fitted)), breakdown)


def _messages(instructions: str, turns: Sequence[Turn], fitted: Fitted) -> list[PromptMessage]:
    messages = [PromptMessage("system", instructions)] if instructions else []
    previous = -1
    for index in fitted.kept:
        gap = index - previous - 1
        text = f"{omission_note(gap)}\n\n{turns[index].text}" if gap else turns[index].text
        _append(messages, turns[index].role, text)
        previous = index
    return messages


def _append(messages: list[PromptMessage], role: str, text: str) -> None:
    """Chat templates want the roles to alternate and the user to begin: neighbours of one role become one message."""
    if messages and messages[-1].role == role:
        messages[-1] = PromptMessage(role, f"{messages[-1].content}\n\n{text}")
        return
    if role == "assistant" and (not messages or messages[-1].role == "system"):
        messages.append(PromptMessage("user", "(The conversation begins with your own post.)"))
    messages.append(PromptMessage(role, text))
