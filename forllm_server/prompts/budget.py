"""What fits into a model's context. Pure: counts in, a decision out.

The persona's instructions and the post asked about are always whole. Room is kept for the reply. Ancestors that do not
fit are cut from the middle, oldest first: the first post of a topic says what it is about and goes last of all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from forllm_server.errors import ForllmError

#: A part of the context that is left free because counts may be estimates.
ESTIMATE_MARGIN = 0.05


class DoesNotFit(ForllmError):
    """The post alone does not fit into the model's context."""

    code = "prompt_too_long"


@dataclass(frozen=True)
class Room:
    """How a context is divided, in tokens."""

    context_tokens: int
    reply_tokens: int
    is_exact: bool

    @property
    def margin_tokens(self) -> int:
        return 0 if self.is_exact else int(self.context_tokens * ESTIMATE_MARGIN)

    @property
    def prompt_tokens(self) -> int:
        """What is left for the prompt."""
        return self.context_tokens - self.reply_tokens - self.margin_tokens


@dataclass(frozen=True)
class Fitted:
    """Which turns are kept (indexes into the thread), and which were cut out."""

    kept: tuple[int, ...]
    omitted: tuple[int, ...]
    prompt_tokens: int


@dataclass(frozen=True)
class Breakdown:
    """Where the tokens of a prompt went; shown with every LLM request and beside the editor."""

    context_tokens: int
    context_source: str
    reply_tokens: int
    margin_tokens: int
    persona_tokens: int
    post_tokens: int
    ancestor_tokens: int
    prompt_tokens: int
    ancestor_count: int
    omitted_post_ids: tuple[int, ...] = ()
    left_out_count: int = 0
    is_exact: bool = False
    #: of what a person tells every persona
    custom_tokens: int = 0
    #: posts that a person keeps from models
    excluded_post_ids: tuple[int, ...] = ()
    summary_tokens: int = 0
    #: the summary that stands for posts that did not fit: its id, version and the posts that it covers
    summary: dict[str, Any] | None = None
    ambient_tokens: int = 0
    #: posts of other branches that the model is shown besides
    ambient_post_ids: tuple[int, ...] = ()
    #: the server's own count afterwards, where it reports one
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether the model sees the whole way from the first post to the one asked about, word for word."""
        return not self.omitted_post_ids and not self.left_out_count and self.summary is None

    def as_dict(self) -> dict[str, Any]:
        """For storing and for the API."""
        return {
            "context_tokens": self.context_tokens,
            "context_source": self.context_source,
            "reply_tokens": self.reply_tokens,
            "margin_tokens": self.margin_tokens,
            "persona_tokens": self.persona_tokens,
            "custom_tokens": self.custom_tokens,
            "post_tokens": self.post_tokens,
            "ancestor_tokens": self.ancestor_tokens,
            "summary_tokens": self.summary_tokens,
            "ambient_tokens": self.ambient_tokens,
            "prompt_tokens": self.prompt_tokens,
            "ancestor_count": self.ancestor_count,
            "omitted_post_ids": list(self.omitted_post_ids),
            "left_out_count": self.left_out_count,
            "excluded_post_ids": list(self.excluded_post_ids),
            "summary": self.summary,
            "ambient_post_ids": list(self.ambient_post_ids),
            "is_exact": self.is_exact,
            "is_complete": self.is_complete,
            **self.facts,
        }


def fit(turn_tokens: Sequence[int], *, persona_tokens: int, room: Room, pinned: int | None = None) -> Fitted:
    """Choose the turns to send; the last is the post asked about. ``pinned``: goes before all but it and the first.

    Raises :class:`DoesNotFit` with numbers and remedies when persona and post alone are too much.
    """
    last = len(turn_tokens) - 1
    fixed = persona_tokens + turn_tokens[last]
    if fixed > room.prompt_tokens:
        raise DoesNotFit(_too_long(persona_tokens, turn_tokens[last], room), field="content")
    free = room.prompt_tokens - fixed
    kept = [last]
    # The first post is worth most after the one asked about, then the nearest ones, backwards without a gap.
    for index in (0, pinned):
        if index is not None and index < last and index not in kept and turn_tokens[index] <= free:
            kept.append(index)
            free -= turn_tokens[index]
    for index in range(last - 1, 0, -1):
        if index == pinned:
            continue
        if turn_tokens[index] > free:
            break
        kept.append(index)
        free -= turn_tokens[index]
    chosen = tuple(sorted(kept))
    omitted = tuple(index for index in range(last) if index not in set(chosen))
    return Fitted(chosen, omitted, persona_tokens + sum(turn_tokens[index] for index in chosen))


def _too_long(persona_tokens: int, post_tokens: int, room: Room) -> str:
    about = "" if room.is_exact else "about "
    return (
        f"The post ({about}{post_tokens:,} tokens) and the persona's instructions ({persona_tokens:,}) do not fit: "
        f"the model's context holds {room.context_tokens:,} tokens, of which {room.reply_tokens:,} are kept for the "
        "reply. Shorten the post, allow a shorter reply, raise the context size, or ask a model with a larger one."
    )
