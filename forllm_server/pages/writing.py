"""What helps while writing: the preview by the renderer of the pages, and how much of the model's context it takes."""

from flask import Blueprint, Response, render_template

from forllm_server.catalog.choosing import choose_model
from forllm_server.catalog.model import ChosenModel
from forllm_server.forum.topic_store import get_topic
from forllm_server.forum.post_store import get_post
from forllm_server.jobs.estimating import estimate_prompt
from forllm_server.markup.render import render
from forllm_server.web.current import current
from forllm_server.web.forms import Form

blueprint = Blueprint("writing", __name__)


@blueprint.post("/preview")
def preview() -> Response:
    """The text as it will look."""
    text = Form.of_request().text("content")
    html = render(text, anchor_prefix="preview").html if text.strip() else ""
    return Response(html or '<p class="quiet">Nothing to show yet.</p>', content_type="text/html; charset=utf-8")
