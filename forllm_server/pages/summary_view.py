"""Summaries as pages show them: what each covers, who wrote it, and whether it still holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from forllm_server.jobs.standing import Standing, list_standings
from forllm_server.markup.render import render
from forllm_server.pages.naming import model_words
from forllm_server.pages.words import counted
from forllm_server.queue.llm_request_store import list_by_ids
from forllm_server.queue.model import LlmRequest, Status
from forllm_server.summaries import summary_store
from forllm_server.summaries.editing import change_words
from forllm_server.summaries.model import Coverage, Summary, SummaryAuthor, SummaryScope, SummaryVersion

_NOTHING = Coverage(())


@dataclass(frozen=True)
class SummaryView:
    """A summary with all that is said of it. ``pending``: what is to write its next version, or failed to."""

    summary: Summary
    coverage: Coverage
    pending: LlmRequest | None = None
    standing: Standing | None = None

    @property
    def version(self) -> SummaryVersion | None:
        return self.summary.version

    @property
    def heading(self) -> str:
        """What it sums up: “39 posts (#3 to #41)”, “The whole topic, 8 posts”."""
        posts = posts_words(self.coverage)
        if self.summary.scope is SummaryScope.REPLIES:
            return f"{counted(len(self.coverage.post_ids), 'reply', 'replies')} to #{self.summary.anchor_post_id}"
        if self.summary.scope is SummaryScope.TOPIC:
            return f"The whole topic, {counted(len(self.coverage.post_ids), 'post')}" if posts else "The whole topic"
        return posts or f"The posts up to #{self.summary.anchor_post_id}"

    @property
    def author_words(self) -> str:
        """``v2 by Summary on qwen3:8b``."""
        return author_words(self.version) if self.version else ""

    @property
    def stale_words(self) -> str:
        """Why it holds no longer; empty while it does."""
        return change_words(self.coverage.changes) if self.coverage.is_stale else ""

    @property
    def first_post_id(self) -> int:
        return next(iter(self.coverage.post_ids), self.summary.anchor_post_id)

    @property
    def html(self) -> str:
        if self.version is None:
            return ""
        return render(self.version.content, anchor_prefix=f"summary-{self.summary.id}").html

    @property
    def is_for_models(self) -> bool:
        """Whether models are given it where the posts do not fit."""
        return self.summary.scope is SummaryScope.WAY and self.version is not None and not self.coverage.is_stale


def author_words(version: SummaryVersion, *, is_short: bool = False) -> str:
    """``v2 by Summary on qwen3:8b``, ``v3 by you``; ``is_short``: without the number."""
    who = (
        "you"
        if version.author is SummaryAuthor.PERSON
        else f"{version.persona_name} on {model_words(version.model_name)}"
    )
    return f"by {who}" if is_short else f"v{version.number} by {who}"


def posts_words(coverage: Coverage) -> str:
    """``39 posts (#3 to #41)``."""
    ids = coverage.post_ids
    if not ids:
        return ""
    return f"{counted(len(ids), 'post')} (#{ids[0]}{f' to #{ids[-1]}' if len(ids) > 1 else ''})"


def summary_words(summary: Mapping[str, Any]) -> str:
    """What a breakdown says of the summary in a prompt: “posts #3–#41 as summary v2”."""
    ids = summary["post_ids"]
    posts = f"posts #{ids[0]}–#{ids[-1]}" if len(ids) > 1 else f"post #{ids[0]}"
    return f"{posts} as summary v{summary['version']}"


def read_views(connection: Connection, topic_id: int, now: datetime, *, limit: int | None = None) -> list[SummaryView]:
    """The summaries of a topic, the newest first; nothing more is read when there are none.

    One that was called off before anything was written is passed over.
    """
    views = views_of(connection, summary_store.list_summaries(connection, topic_id, limit=limit), now)
    return [view for view in views if view.version or view.pending]


def views_of(connection: Connection, summaries: Sequence[Summary], now: datetime) -> list[SummaryView]:
    """Summaries with what they cover and what writes them."""
    if not summaries:
        return []
    versions = [summary.version.id for summary in summaries if summary.version is not None]
    coverage = summary_store.list_coverage(connection, versions)
    pending = _pending(connection, summaries)
    standings = list_standings(connection, list(pending.values()), now)
    return [
        SummaryView(
            summary,
            coverage.get(summary.version.id, _NOTHING) if summary.version else _NOTHING,
            pending.get(summary.id),
            standings.get(pending[summary.id].id) if summary.id in pending else None,
        )
        for summary in summaries
    ]


def _pending(connection: Connection, summaries: Sequence[Summary]) -> Mapping[int, LlmRequest]:
    """By summary, the LLM requests that are under way or failed."""
    asked = {each.id: each.llm_request_id for each in summaries if each.llm_request_id is not None}
    found = list_by_ids(connection, set(asked.values()))
    return {
        summary_id: found[request_id]
        for summary_id, request_id in asked.items()
        if request_id in found and (found[request_id].is_live or found[request_id].status is Status.FAILED)
    }
