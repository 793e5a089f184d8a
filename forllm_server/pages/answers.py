"""The answers to one post beside each other: facts of each, words in common, and what differs between any two."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from forllm_server.activity import seen_store
from forllm_server.errors import Invalid
from forllm_server.forum import post_store, topic_store
from forllm_server.forum.answer_store import count_answers, list_answers
from forllm_server.forum.model import Post
from forllm_server.forum.rendering import ensure_html
from forllm_server.markup.likeness import most_alike, share_in_common
from forllm_server.pages.changes import DiffLine, diff_lines
from forllm_server.pages.database import database
from forllm_server.pages.marks import hue_class
from forllm_server.pages.naming import model_words
from forllm_server.pages.thread import list_unseen
from forllm_server.personas.model import PersonaVersion
from forllm_server.personas.version_store import list_versions_by_ids
from forllm_server.queue.llm_request_store import list_llm_requests
from forllm_server.queue.model import Status
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form
from forllm_server.web.fragments import page

blueprint = Blueprint("answers", __name__)

#: So many answers stand on the page, the newest of more.
MOST_SHOWN = 24
_BIGGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class AnswerColumn:
    """An answer with what is worth knowing beside it. ``letter`` names it on this page."""

    letter: str
    post: Post
    hue: str
    persona_url: str
    name: str
    facts: tuple[str, ...]


@blueprint.get("/posts/<int:post_id>/answers")
def show(post_id: int) -> Response:
    """All answers of personas to a post; with ``one`` and ``other`` also what differs between those two."""
    form = Form(request.args.to_dict(flat=False))
    chosen = [form.integer(name, least=1, most=_BIGGEST_ID) for name in ("one", "other")]
    with current().database.read() as connection:
        question = post_store.get_post(connection, post_id)
        topic = topic_store.get_topic(connection, question.topic_id)
        found = list_answers(connection, post_id, limit=MOST_SHOWN)
        count = count_answers(connection, post_id) if len(found) == MOST_SHOWN else len(found)
        versions = _versions(connection, found)
        took = _took(connection, post_id)
        reading = seen_store.get_topic_reading(connection, current_user_id(), topic.id)
        unseen = list_unseen(connection, current_user_id(), topic.id, reading, [post.id for post in found])
    columns = [_column(number, post, versions, took) for number, post in enumerate(ensure_html(database(), found))]
    texts = [post.content for post in found]
    common = share_in_common(texts)
    return page(
        "answers/show.html",
        topic=topic,
        question=ensure_html(database(), [question])[0],
        columns=columns,
        count=count,
        unseen=unseen,
        alike=most_alike(texts),
        common=None if common is None else round(common * 100),
        compared=_compared(columns, chosen),
    )


@dataclass(frozen=True)
class Compared:
    """Two answers and what differs between them."""

    one: AnswerColumn
    other: AnswerColumn
    lines: Sequence[DiffLine]


def _compared(columns: Sequence[AnswerColumn], chosen: Sequence[int | None]) -> Compared | None:
    if None in chosen:
        return None
    by_id = {column.post.id: column for column in columns}
    if any(post_id not in by_id for post_id in chosen):
        raise Invalid("Choose two of the answers that stand here.", field="one")
    one, other = (by_id[post_id or 0] for post_id in chosen)
    return Compared(one, other, diff_lines(one.post.content, other.post.content))


def _versions(connection: Connection, posts: Sequence[Post]) -> Mapping[int, PersonaVersion]:
    ids = {post.persona_version_id for post in posts if post.persona_version_id is not None}
    return {version.id: version for version in list_versions_by_ids(connection, ids)}


def _took(connection: Connection, post_id: int) -> Mapping[int, timedelta]:
    """By LLM request: from the start of the run to its end."""
    done = list_llm_requests(connection, statuses=[Status.SUCCEEDED], post_id=post_id, limit=10 * MOST_SHOWN)
    return {each.id: each.finished_at - each.started_at for each in done if each.finished_at and each.started_at}


def _column(
    number: int, post: Post, versions: Mapping[int, PersonaVersion], took: Mapping[int, timedelta]
) -> AnswerColumn:
    version = versions.get(post.persona_version_id or 0)
    tokens = (post.usage or {}).get("completion_tokens")
    seconds = took.get(post.llm_request_id or 0)
    facts = [
        model_words(post.model_name),
        f"{tokens:,} tokens" if tokens else f"{len(post.content.split()):,} words",
        f"{seconds.total_seconds():.1f} s" if seconds is not None else "",
        f"seed {(post.parameters or {})['seed']}" if (post.parameters or {}).get("seed") is not None else "",
        "cut off" if post.is_partial or post.finish_reason == "length" else "",
    ]
    return AnswerColumn(
        letter=chr(ord("A") + number),
        post=post,
        hue=hue_class(post.author_name),
        persona_url=f"/personas/{version.persona_id}/versions/{version.number}" if version else "",
        name=f"{post.author_name} v{version.number}" if version else post.author_name,
        facts=tuple(fact for fact in facts if fact),
    )
