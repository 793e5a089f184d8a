"""Files of posts: taken in while a post is written, and given away. Never shown as pages of their own.

A file is always a download, of no type but the four kinds of pictures that a post may show, told by their content;
under a policy that allows nothing. So a page or a drawing with scripts in it stays a file.
"""

from flask import Blueprint, Response, render_template, request

from forllm_server.forum.attaching import iter_content
from forllm_server.forum.attachment_store import get_attachment
from forllm_server.pages.database import database
from forllm_server.pages.form_files import FormFile, current_limits, stage_files_of_form, staged_files
from forllm_server.web.current import current, current_user_id
from forllm_server.web.downloads import NO_TYPE, download
from forllm_server.web.forms import Form
from forllm_server.web.fragments import see_other
from forllm_server.web.guard import LARGEST_UPLOAD_BYTES

blueprint = Blueprint("attachment", __name__)
blueprint.add_app_template_global(current_limits, "file_limits")

#: The forms that take files: their bodies may be larger than others.
TAKES_FILES = frozenset({"attachment.stage", "topic.create", "post.create_reply", "post.change", "draft.save"})


@blueprint.app_url_value_preprocessor
def allow_files(endpoint: str | None, _values: dict[str, object] | None) -> None:
    """Said before the form is read."""
    if endpoint in TAKES_FILES and request.mimetype == "multipart/form-data":
        request.max_content_length = LARGEST_UPLOAD_BYTES


@blueprint.post("/attachments")
def stage() -> Response:
    """Keep files for a post that is still being written; the rows of their list, for the form to take in."""
    problem = stage_files_of_form(Form.of_request())
    text = render_template(
        "attachment/_staged.html",
        files=[FormFile(each) for each in staged_files()],
        problem=problem.message if problem else "",
    )
    return Response(text, content_type="text/html; charset=utf-8")


@blueprint.get("/attachments/<int:attachment_id>")
def show(attachment_id: int) -> Response:
    """Leads to the file's post; a staged one, which has none yet, to itself."""
    with current().database.read() as connection:
        found = get_attachment(connection, attachment_id, reader_id=current_user_id())
    return see_other(found.url if found.post_id is None else f"/posts/{found.post_id}")


@blueprint.get("/attachments/<int:attachment_id>/<name>")
def give(attachment_id: int, name: str) -> Response:
    """The file itself. Its name in the address is for people."""
    with current().database.read() as connection:
        found = get_attachment(connection, attachment_id, reader_id=current_user_id())
    media_type = found.media_type if found.is_picture else NO_TYPE
    return download(
        iter_content(database(), found.digest),
        name=found.name,
        media_type=media_type,
        size_bytes=found.size_bytes,
        digest=found.digest,
    )
