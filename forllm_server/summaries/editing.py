"""What a person does with a summary: writing it anew, taking an earlier version, removing it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.errors import Conflict, NotFound
from forllm_server.markup.names import clean_text
from forllm_server.queue.bulk import Action, change_many
from forllm_server.queue.llm_request_store import find_llm_request
from forllm_server.summaries import summary_store
from forllm_server.summaries.model import Change, CoveredPost, NewVersion, Summary, SummaryAuthor, SummaryVersion

#: A summary is short, or it is none.
LONGEST = 20_000


def clean_content(content: str) -> str:
    """A summary's text as it is stored. Raises Invalid when it is blank or too long."""
    return clean_text(content, field="content", max_chars=LONGEST)


def edit_summary(
    connection: Connection,
    summary_id: int,
    *,
    content: str,
    editor_id: int,
    covered_now: Sequence[CoveredPost],
    now: datetime,
    expected_number: int | None = None,
) -> SummaryVersion:
    """Keep a person's text as the next version; the same text on a summary that holds changes nothing.

    It covers ``covered_now``: what the version before it covers, as those posts are now. The person vouches for that.
    Raises NotFound, Invalid, and Conflict when it was changed since the version ``expected_number`` (0: before the
    first).
    """
    summary = summary_store.get_summary_to_change(connection, summary_id)
    version, text = summary.version, clean_content(content)
    if expected_number is not None and expected_number != summary.current_number:
        raise Conflict(
            f"Version {summary.current_number} was made while you edited, so your text is not saved yet. Compare both, "
            "then save again.",
            field="content",
        )
    if version is not None and text == version.content:
        coverage = summary_store.list_coverage(connection, [version.id])[version.id]
        if not coverage.is_stale:
            return version
    if not any(post.is_covered for post in covered_now):
        raise Conflict("Nothing is left of what it sums up. Remove the summary instead.", field="content")
    new = NewVersion(
        content=text,
        author=SummaryAuthor.PERSON,
        owner_id=editor_id,
        anchor_post_id=summary.anchor_post_id,
        covered=tuple(covered_now),
    )
    return summary_store.insert_version(connection, summary.id, new, now)


def restore_version(
    connection: Connection, summary_id: int, number: int, *, editor_id: int, now: datetime
) -> SummaryVersion:
    """Take an earlier version again, as a new one; it covers what that covered. Raises NotFound."""
    summary, version = _get_written(connection, summary_id)
    if number == version.number:
        return version
    earlier = summary_store.get_version(connection, summary.id, number)
    coverage = summary_store.list_coverage(connection, [earlier.id])[earlier.id]
    new = NewVersion(
        content=earlier.content,
        author=earlier.author,
        owner_id=editor_id,
        anchor_post_id=earlier.anchor_post_id,
        covered=tuple(replace(post, change=None) for post in coverage.posts),
        llm_request_id=earlier.llm_request_id,
        persona_version_id=earlier.persona_version_id,
        persona_name=earlier.persona_name,
        model_name=earlier.model_name,
        note=f"as version {earlier.number} was",
    )
    return summary_store.insert_version(connection, summary.id, new, now)


def remove_summary(connection: Connection, summary_id: int, now: datetime) -> Summary:
    """Put a summary away: models are not given it any more, and no other is made of its way by itself.

    What is still to be written of it is called off. Raises NotFound.
    """
    summary = summary_store.get_summary_to_change(connection, summary_id)
    request = find_llm_request(connection, summary.llm_request_id or 0)
    if request is not None and request.is_live:
        change_many(connection, Action.CANCEL, [request.id], now)
    summary_store.update_removed(connection, summary_id, now)
    return summary


def take_back(connection: Connection, summary_id: int) -> Summary:
    """Let a removed summary stand again. Raises NotFound."""
    if summary_store.find_summary(connection, summary_id) is None:
        raise NotFound("There is no such summary.")
    summary_store.update_removed(connection, summary_id, None)
    return summary_store.get_summary(connection, summary_id)


def change_words(changes: Sequence[CoveredPost]) -> str:
    """Why a summary is stale, for people: “2 posts were edited, 1 was deleted”."""
    words = {
        Change.EDITED: "edited",
        Change.DELETED: "deleted",
        Change.EXCLUDED: "kept from models",
        Change.SHOWN: "shown to models again",
        Change.MOVED: "moved",
    }
    counts = [(sum(post.change is change for post in changes), said) for change, said in words.items()]
    found = [(number, said) for number, said in counts if number]
    nouns = ["post was", "posts were", *(["was", "were"] * (len(found) - 1))]
    return ", ".join(f"{number:,} {nouns[2 * at + (number != 1)]} {said}" for at, (number, said) in enumerate(found))


def _get_written(connection: Connection, summary_id: int) -> tuple[Summary, SummaryVersion]:
    summary = summary_store.get_summary_to_change(connection, summary_id)
    if summary.version is None:
        raise NotFound("This summary is not written yet.")
    return summary, summary.version
