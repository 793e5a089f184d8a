"""What helps while writing: the preview by the renderer of the pages, and how much of a model's context it takes."""

from flask import Blueprint, Response, render_template
from sqlalchemy import Connection

from forllm_server.forum.post_store import get_post
from forllm_server.forum.topic_store import get_topic
from forllm_server.jobs.previewing import Draft, estimate
from forllm_server.markup.render import render
from forllm_server.pages.asking import Wish, read_addition
from forllm_server.pages.bar import BarPart, bar_parts
from forllm_server.prompts.budget import Breakdown
from forllm_server.web.current import current
from forllm_server.web.forms import Form

blueprint = Blueprint("writing", __name__)


@blueprint.post("/preview")
def show_preview() -> Response:
    """The text as it will look."""
    text = Form.of_request().text("content")
    html = render(text, anchor_prefix="preview").html if text.strip() else ""
    return _html(html or '<p class="quiet">Nothing to show yet.</p>')


@blueprint.post("/estimate")
def show_estimate() -> Response:
    """How the text would fill the context of the model that would answer it, and what asking adds to the queue."""
    form = Form.of_request()
    wish = Wish.of_form(form)
    draft = Draft(
        text=form.text("content"),
        title=form.text("title", longest=10_000),
        parent_id=form.integer("parent_id", least=1, most=2**63 - 1),
        subforum_id=form.integer("subforum_id", least=1, most=2**63 - 1),
        persona_id=wish.persona_ids[0],
        model_id=wish.model_id,
    )
    with current().database.read() as connection:
        found = estimate(connection, draft)
        tokens = found.new_ask.prompt_tokens if found.new_ask else None
        adds = _addition(connection, wish, draft, tokens) if form.flag("is_asking") else ""
    parts = parts_of_breakdown(found.breakdown.as_dict()) if isinstance(found.breakdown, Breakdown) else []
    return _html(render_template("writing/_estimate.html", found=found, parts=parts, adds=adds))


@blueprint.post("/addition")
def show_addition() -> Response:
    """What asking about a post that is there would add to the queue."""
    form = Form.of_request()
    draft = Draft(text="", parent_id=form.integer("post_id", least=1, most=2**63 - 1, default=0))
    with current().database.read() as connection:
        adds = _addition(connection, Wish.of_form(form), draft, None)
    return _html(render_template("writing/_addition.html", adds=adds))


def _addition(connection: Connection, wish: Wish, draft: Draft, first_prompt_tokens: int | None) -> str:
    if draft.parent_id is None:
        return read_addition(connection, wish, draft.subforum_id or 0, first_prompt_tokens=first_prompt_tokens)
    topic = get_topic(connection, get_post(connection, draft.parent_id).topic_id)
    return read_addition(
        connection, wish, topic.subforum_id, topic_id=topic.id, first_prompt_tokens=first_prompt_tokens
    )


@blueprint.app_template_global()
def parts_of_breakdown(breakdown: dict[str, int]) -> list[BarPart]:
    """Where the tokens of a prompt go, as parts of the model's context."""
    named = (
        ("persona", breakdown["persona_tokens"]),
        ("thread", breakdown["ancestor_tokens"]),
        ("post", breakdown["post_tokens"]),
        ("kept for the reply", breakdown["reply_tokens"]),
    )
    return bar_parts(named, breakdown["context_tokens"])


def _html(text: str) -> Response:
    return Response(text, content_type="text/html; charset=utf-8")
