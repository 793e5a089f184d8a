"""What helps while writing: the preview by the renderer of the pages, and how much of a model's context it takes."""

from flask import Blueprint, Response, render_template

from forllm_server.jobs.previewing import Draft, estimate
from forllm_server.markup.render import render
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
    """How the text would fill the context of the model that would answer it."""
    form = Form.of_request()
    draft = Draft(
        text=form.text("content"),
        title=form.text("title", longest=10_000),
        parent_id=form.integer("parent_id", least=1, most=2**63 - 1),
        subforum_id=form.integer("subforum_id", least=1, most=2**63 - 1),
        persona_id=form.integer("persona_id", least=1, most=2**63 - 1),
        model_id=form.integer("model_id", least=1, most=2**63 - 1),
    )
    with current().database.read() as connection:
        found = estimate(connection, draft)
    parts = parts_of_breakdown(found.breakdown.as_dict()) if isinstance(found.breakdown, Breakdown) else []
    return _html(render_template("writing/_estimate.html", found=found, parts=parts))


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
