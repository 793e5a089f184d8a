"""What was said in other branches of a topic, for a prompt that has room for it. Pure.

It stands right before the post asked about, behind the thread: what consecutive prompts of a thread share stays whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from forllm_server.prompts.thread import ThreadPost
from forllm_server.prompts.tokens import TokenCounter

BEGINNING = "[From other branches of this topic, which answer other posts; only to know of:]"
END = "[The other branches end here. This is the post to answer:]"


@dataclass(frozen=True)
class Ambient:
    """Posts of other branches, the most wanted first, and how much of a prompt's room they may take in percent."""

    posts: tuple[ThreadPost, ...] = ()
    percent: int = 0


NOTHING = Ambient()


@dataclass(frozen=True)
class ChosenAmbient:
    """What is sent: the text before the post asked about, empty when there is none, and its tokens."""

    text: str = ""
    tokens: int = 0
    post_ids: tuple[int, ...] = ()


def choose_ambient(ambient: Ambient, *, counter: TokenCounter, prompt_room: int, free: int) -> ChosenAmbient:
    """The posts that fit, whole, into their share of ``prompt_room`` tokens and into what the thread left ``free``."""
    most = min(free, prompt_room * ambient.percent // 100)
    chosen: list[ThreadPost] = []
    used = counter.count(BEGINNING) + counter.count(END) if ambient.posts and most > 0 else 0
    for post in ambient.posts:
        tokens = counter.count(_said(post))
        if used + tokens <= most:
            chosen.append(post)
            used += tokens
    while chosen:
        text = _text(chosen)
        tokens = counter.count(text)
        if tokens <= most:
            return ChosenAmbient(text, tokens, tuple(sorted(post.post_id for post in chosen)))
        chosen.pop()
    return ChosenAmbient()


def _text(posts: Sequence[ThreadPost]) -> str:
    """In the order in which they were written, whichever were chosen first."""
    said = [_said(post) for post in sorted(posts, key=lambda post: post.post_id)]
    return "\n\n".join([BEGINNING, *said, END])


def _said(post: ThreadPost) -> str:
    return f"{post.author_name} wrote in another branch:\n\n{post.content}"
