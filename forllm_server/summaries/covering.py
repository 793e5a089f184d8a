"""Whether a summary still tells of the posts that it covers. Pure.

A post counts by its version, which grows with every edit, and by whether models are shown it. Of a way each post must
still answer the one before it: what was moved elsewhere is another thread.
"""

from dataclasses import dataclass

from forllm_server.summaries.model import Change, CoveredPost, SummaryScope


@dataclass(frozen=True, slots=True)
class PostNow:
    """A covered post as it is by now."""

    version: int
    is_deleted: bool
    is_excluded: bool
    parent_id: int | None
    topic_id: int


def change_of(covered: CoveredPost, now: PostNow, *, scope: SummaryScope, topic_id: int) -> Change | None:
    """What has happened to a post since it was summed up; None: nothing that matters."""
    if not covered.is_covered:
        return None if now.is_deleted or now.is_excluded else Change.SHOWN
    if now.is_deleted:
        return Change.DELETED
    if now.is_excluded:
        return Change.EXCLUDED
    if now.version != covered.post_version:
        return Change.EDITED
    is_moved = now.topic_id != topic_id if scope is SummaryScope.TOPIC else now.parent_id != covered.parent_id
    return Change.MOVED if is_moved else None
