"""LLM requests as a list shows each of them: who is asked, about what, and where it stands in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.forum.post_store import list_posts
from forllm_server.jobs import draft_asking
from forllm_server.jobs.standing import Standing, list_standings
from forllm_server.markup.excerpt import excerpt
from forllm_server.personas.version_store import list_versions_by_ids
from forllm_server.queue.model import LlmRequest


@dataclass(frozen=True)
class Listed:
    """``question``: the first words of the post that is asked about. Names are empty where there are none."""

    llm_request: LlmRequest
    standing: Standing
    persona_name: str
    question: str


def list_in_words(
    connection: Connection, requests: Sequence[LlmRequest], now: datetime, *, question_characters: int
) -> list[Listed]:
    """These LLM requests, in their order; a fixed number of queries."""
    standings = list_standings(connection, requests, now)
    version_ids = {each.persona_version_id for each in requests if each.persona_version_id}
    personas = {version.id: version.name for version in list_versions_by_ids(connection, version_ids)}
    posts = {post.id: post for post in list_posts(connection, [each.post_id for each in requests if each.post_id])}
    listed = []
    for each in requests:
        post = posts.get(each.post_id or 0)
        question = excerpt(post.content if post else _title(each), max_chars=question_characters)
        persona_name = personas.get(each.persona_version_id or 0, "")
        listed.append(Listed(each, standings[each.id], persona_name, question))
    return listed


def _title(asked: LlmRequest) -> str:
    """What an LLM request is about that answers no post."""
    return f"Persona: {asked.input.get('title', '')}" if asked.kind == draft_asking.NAME else ""
