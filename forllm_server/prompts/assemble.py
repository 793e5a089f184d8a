"""The messages as they are sent: stable parts first, the post asked about last."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from forllm_server.prompts.ambient import NOTHING, Ambient, choose_ambient
from forllm_server.prompts.budget import Breakdown, Fitted, Room, fit
from forllm_server.prompts.thread import Turn, omission_note
from forllm_server.prompts.tokens import TOKENS_PER_MESSAGE, TokenCounter

#: The persona's instructions, then the thread from its first post: many threads of one persona share the start.
PERSONA_FIRST = "persona-first/1"
#: The thread, then the persona's instructions: many personas asked about one post share all but the end.
THREAD_FIRST = "thread-first/1"
THREAD_FIRST_RULES = (
    "You take part in a forum. First comes a thread, then who you are in it. "
    "Answer the last post of the thread in that role."
)
#: The same where something else is asked than an answer to the last post.
TASK_RULES = "You take part in a forum. First comes a thread, then who you are in it and what is asked of you. Do that."
#: What stands before what the person tells every persona.
CUSTOM_HEADING = "What the person whom you answer asks of every answer:"


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
    layout: str = PERSONA_FIRST,
    persona_name: str = "",
    custom_instructions: str = "",
    task: str = "",
    excluded_post_ids: tuple[int, ...] = (),
    ambient: Ambient = NOTHING,
) -> Assembled:
    """Build the prompt; for ``THREAD_FIRST`` the turns are a transcript. Raises
    :class:`forllm_server.prompts.budget.DoesNotFit`.

    ``custom_instructions``: what the person tells every persona; ``task``: what is asked of this one, besides its
    instructions; ``excluded_post_ids`` are only noted. ``ambient`` gets only what the thread leaves: it is laid out as
    it would be without.
    """
    custom = f"{CUSTOM_HEADING}\n{custom_instructions.strip()}" if custom_instructions.strip() else ""
    custom_tokens = counter.count(custom) + (0 if instructions or not custom else TOKENS_PER_MESSAGE)
    rules = TASK_RULES if task else THREAD_FIRST_RULES
    instructions = _role(persona_name, instructions, task) if layout == THREAD_FIRST else _both(instructions, task)
    persona_tokens = counter.count(instructions) + (TOKENS_PER_MESSAGE if instructions else 0)
    if layout == THREAD_FIRST:
        persona_tokens += counter.count(rules) + TOKENS_PER_MESSAGE
    turns, fitted, breakdown = _fitted(
        turns,
        Room(context_tokens, reply_tokens, counter.is_exact),
        _Fixed(persona_tokens, custom_tokens, context_source, left_out_count, excluded_post_ids),
        counter=counter,
        ambient=ambient,
    )
    if layout == THREAD_FIRST:
        return Assembled(layout, tuple(_thread_first(_both(rules, custom), instructions, turns, fitted)), breakdown)
    return Assembled(layout, tuple(_messages(_both(instructions, custom), turns, fitted)), breakdown)


@dataclass(frozen=True)
class _Fixed:
    """What of the account is known before it is seen what fits."""

    persona_tokens: int
    custom_tokens: int
    context_source: str
    left_out_count: int
    excluded_post_ids: tuple[int, ...]


def _fitted(
    turns: Sequence[Turn], room: Room, fixed: _Fixed, *, counter: TokenCounter, ambient: Ambient
) -> tuple[Sequence[Turn], Fitted, Breakdown]:
    """The turns with what stands beside them, which of them fit, and the account."""
    turn_tokens = [counter.count(turn.text) + TOKENS_PER_MESSAGE for turn in turns]
    pinned = next((at for at, turn in enumerate(turns) if turn.stand_in is not None), None)
    system_tokens = fixed.persona_tokens + fixed.custom_tokens
    fitted = fit(turn_tokens, persona_tokens=system_tokens, room=room, pinned=pinned)
    summary_tokens = turn_tokens[pinned] if pinned is not None and pinned in fitted.kept else 0
    free = room.prompt_tokens - fitted.prompt_tokens
    other = choose_ambient(ambient, counter=counter, prompt_room=room.prompt_tokens, free=free)
    if other.text:
        turns = (*turns[:-1], replace(turns[-1], text=f"{other.text}\n\n{turns[-1].text}"))
    breakdown = Breakdown(
        context_tokens=room.context_tokens,
        context_source=fixed.context_source,
        reply_tokens=room.reply_tokens,
        margin_tokens=room.margin_tokens,
        persona_tokens=fixed.persona_tokens,
        post_tokens=turn_tokens[-1],
        ancestor_tokens=fitted.prompt_tokens - system_tokens - turn_tokens[-1] - summary_tokens,
        prompt_tokens=fitted.prompt_tokens + other.tokens,
        ancestor_count=len(turns) - 1 - (pinned is not None),
        omitted_post_ids=tuple(turns[index].post_id for index in fitted.omitted if index != pinned),
        left_out_count=fixed.left_out_count,
        is_exact=counter.is_exact,
        custom_tokens=fixed.custom_tokens,
        excluded_post_ids=fixed.excluded_post_ids,
        summary_tokens=summary_tokens,
        summary=_account(turns[pinned]) if pinned is not None and summary_tokens else None,
        ambient_tokens=other.tokens,
        ambient_post_ids=other.post_ids,
    )
    return turns, fitted, breakdown


def _account(turn: Turn) -> dict[str, Any] | None:
    """What the breakdown says of the summary in a prompt."""
    if turn.stand_in is None:
        return None
    return {
        "id": turn.stand_in.summary_id,
        "version": turn.stand_in.version_number,
        "post_ids": list(turn.stand_in.post_ids),
    }


def _both(instructions: str, custom: str) -> str:
    """One system message, for many chat templates take no second one."""
    return "\n\n".join(filter(None, (instructions, custom)))


def _role(persona_name: str, instructions: str, task: str) -> str:
    """What stands after the thread: all that differs from persona to persona."""
    name = f"You are {persona_name}. " if persona_name else ""
    asked = task or "Answer the last post above. Write only the answer."
    return f"{name}{instructions}\n\n{asked}".strip()


def _thread_first(rules: str, instructions: str, turns: Sequence[Turn], fitted: Fitted) -> list[PromptMessage]:
    thread = _messages("", turns, fitted)
    return [
        PromptMessage("system", rules),
        PromptMessage("user", f"{thread[0].content}\n\n---\n\n{instructions}"),
    ]


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
