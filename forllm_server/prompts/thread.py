"""What of a thread a persona sees: the posts from the first one to the one asked about, as turns with roles. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

#: So many posts right before the one asked about are shown as they are, even when a summary covers them.
ALWAYS_WHOLE = 2
#: How many of the nearest ancestors are read for a prompt; more would not fit into any context that is in use.
NEAREST_ANCESTORS = 400


@dataclass(frozen=True)
class ThreadPost:
    """What a prompt needs to know of a post."""

    post_id: int
    author_name: str
    persona_id: int | None
    content: str
    is_deleted: bool = False
    #: a person keeps it from models
    is_excluded: bool = False


@dataclass(frozen=True)
class StandIn:
    """A summary that can stand in place of posts. ``post_ids``: those it covers, in the order of the thread.

    ``unread_count``: how many of the ancestors that were not even read it accounts for.
    """

    summary_id: int
    version_number: int
    text: str
    post_ids: tuple[int, ...]
    unread_count: int = 0


@dataclass(frozen=True)
class Turn:
    """One post as the model will read it; ``role`` is ``user`` or ``assistant``. Or the summary of several."""

    post_id: int
    role: str
    text: str
    stand_in: StandIn | None = None


def turns_of(posts: Sequence[ThreadPost], *, persona_id: int, title: str, left_out_before: int = 0) -> tuple[Turn, ...]:
    """The thread as turns, first post to the one asked about (which is last, and always spoken to the persona).

    Posts that are deleted or kept from models are passed over, but not the one asked about. The persona's own posts are
    the assistant's; all others are the user's. Who speaks is said in the text as soon as more than one other voice
    takes part. ``left_out_before``: ancestors after the first that were not even read.
    """
    seen = [post for post in posts if not post.is_excluded or post is posts[-1]]
    others = {post.author_name for post in seen if post.persona_id != persona_id or post is posts[-1]}
    are_named = len(others) > 1
    turns = []
    for number, post in enumerate(posts):
        is_last = number == len(posts) - 1
        if (post.is_deleted or post.is_excluded) and not is_last:
            continue
        is_own = post.persona_id == persona_id and not is_last
        text = post.content
        if are_named and not is_own:
            text = f"{post.author_name} wrote:\n\n{text}"
        turns.append(
            Turn(post.post_id, "assistant" if is_own else "user", _headed(text, number, title, left_out_before))
        )
    return tuple(turns)


def transcript_of(posts: Sequence[ThreadPost], *, title: str, left_out_before: int = 0) -> tuple[Turn, ...]:
    """The thread as everybody sees it, whoever is asked: every speaker named, nobody the assistant.

    Two personas that are asked about the same post get exactly the same turns.
    """
    turns = []
    for number, post in enumerate(posts):
        if (post.is_deleted or post.is_excluded) and number < len(posts) - 1:
            continue
        text = f"{post.author_name} wrote:\n\n{post.content}"
        turns.append(Turn(post.post_id, "user", _headed(text, number, title, left_out_before)))
    return tuple(turns)


def with_stand_in(turns: Sequence[Turn], stand_in: StandIn, *, left_out: int = 0) -> tuple[Turn, ...]:
    """The turns with a summary in place of those it covers. ``left_out``: ancestors that not even it accounts for.

    What comes before and after it is as it was: prompts of a thread that grows share all of their beginning.
    """
    covered = set(stand_in.post_ids)
    first = next((at for at, turn in enumerate(turns) if turn.post_id in covered), 1)
    first = min(max(first, 1), len(turns) - 1)
    nearest = len(turns) - 1 - ALWAYS_WHOLE
    text = summary_text(stand_in, left_out)
    rest = [turn for at, turn in enumerate(turns) if at >= first and (at >= nearest or turn.post_id not in covered)]
    return (*turns[:first], Turn(0, "user", text, stand_in), *rest)


def summary_text(stand_in: StandIn, left_out: int = 0) -> str:
    """What stands in a prompt for the posts that a summary covers, so that the model knows what it reads."""
    count = len(stand_in.post_ids)
    head = f"[{count} earlier {'post is' if count == 1 else 'posts are'} given here as a summary, to fit:]"
    tail = ["[The summary ends here.]"] + ([omission_note(left_out)] if left_out else [])
    return "\n\n".join([head, stand_in.text, *tail])


def excluded_of(posts: Sequence[ThreadPost]) -> tuple[int, ...]:
    """The ids of those that a person keeps from models; the post asked about is shown all the same."""
    return tuple(post.post_id for post in posts[:-1] if post.is_excluded and not post.is_deleted)


def _headed(text: str, number: int, title: str, left_out_before: int) -> str:
    """The first post bears the topic's title, the second tells of what was not even read between them."""
    if number == 0 and title:
        return f"# {title}\n\n{text}"
    if number == 1 and left_out_before:
        return f"{omission_note(left_out_before)}\n\n{text}"
    return text


def omission_note(count: int) -> str:
    """What stands in a prompt where posts were cut out, so that the model knows of the gap."""
    return f"[{count} earlier {'post was' if count == 1 else 'posts were'} left out here to fit.]"
