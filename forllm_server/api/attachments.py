"""``/api/v1/attachments``: files of posts."""

import base64
import binascii
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from flask import Response, request
from marshmallow import Schema, fields
from sqlalchemy import Connection

from forllm_server.api.contract import Input, Noun, database, listing
from forllm_server.api.creating import IDEMPOTENCY_KEY, create
from forllm_server.api.fields import Moment, text
from forllm_server.clock import now
from forllm_server.errors import Invalid
from forllm_server.forum import attaching, attachment_store, post_store, reverting
from forllm_server.forum.attaching import FoundFile
from forllm_server.forum.attachment_model import Attachment, FileChange, FileLimits
from forllm_server.forum.editing import edit_post
from forllm_server.settings.values import read_settings
from forllm_server.web.current import current, current_user_id
from forllm_server.web.downloads import NO_TYPE, download

blueprint = Noun("Attachments", "Files of posts. Models do not read them yet.")

_TAKES_FILES = frozenset({"Attachments.stage", "Attachments.attach"})
#: What a body needs besides its file.
_AROUND_BYTES = 64 * 1024


class AttachmentIn(Input):
    """A file."""

    name = text(longest=1_000, required=True, metadata={"description": "Folders in it and what is not drawn go."})
    content = fields.String(required=True, metadata={"description": "Base64 (RFC 4648, section 4)."})


class AttachmentOut(Schema):
    """A file of a post, or one that waits for its post."""

    id = fields.Integer(required=True)
    post_id = fields.Integer(required=True, allow_none=True, metadata={"description": "Null: it waits for its post."})
    name = fields.String(required=True)
    size_bytes = fields.Integer(required=True)
    media_type = fields.String(required=True, metadata={"description": "Told by the content, not by the name."})
    label = fields.String(required=True, metadata={"description": "The same for people."})
    digest = fields.String(required=True, metadata={"description": "SHA-256 of the content."})
    url = fields.String(required=True, metadata={"description": "What a text links to."})
    created_at = Moment(required=True)


@blueprint.url_value_preprocessor
def allow_files(endpoint: str | None, _values: dict[str, object] | None) -> None:
    """Said before the body is read, which is wholly in memory: no more than the largest file in Base64."""
    if endpoint in _TAKES_FILES:
        request.max_content_length = _limits().file_bytes * 4 // 3 + _AROUND_BYTES


@blueprint.route("/attachments", methods=["POST"])
@blueprint.arguments(AttachmentIn)
@blueprint.response(201, AttachmentOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def stage(values: dict[str, Any]) -> Response:
    """Keep a file for a post that is still to be made: its id goes into `attachment_ids`. Two days later it is gone."""
    limits, found = _examined(values)

    def work(connection: Connection) -> Any:
        return AttachmentOut().dump(_stage(connection, found, limits))

    return create(work, location="/api/v1/attachments/{id}")


@blueprint.route("/posts/<int:post_id>/attachments", methods=["GET"])
@blueprint.response(200, listing(AttachmentOut))
def show_list(post_id: int) -> dict[str, Any]:
    """List the files of a post in their order."""
    with current().database.read() as connection:
        post = post_store.get_post(connection, post_id)
        found = {} if post.is_deleted else attachment_store.list_attachments_of_posts(connection, [post_id])
    return {"items": list(found.get(post_id, ())), "next": None}


@blueprint.route("/posts/<int:post_id>/attachments", methods=["POST"])
@blueprint.arguments(AttachmentIn)
@blueprint.response(201, AttachmentOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def attach(values: dict[str, Any], post_id: int) -> Response:
    """Attach a file to a post, as an edit of it. The same file again, by name and content, is the one that is there."""
    limits, found = _examined(values)

    def work(connection: Connection) -> Any:
        staged = _stage(connection, found, limits)
        files = FileChange(limits, added=(staged.id,))
        edit_post(connection, post_id, editor_id=current_user_id(), content=None, now=now(), files=files)
        own = attachment_store.list_attachments_of_posts(connection, [post_id])[post_id]
        kept = next(each for each in own if (each.digest, each.name) == (staged.digest, staged.name))
        return AttachmentOut().dump(kept)

    return create(work, location="/api/v1/attachments/{id}")


@blueprint.route("/attachments/<int:attachment_id>", methods=["GET"])
@blueprint.response(200, AttachmentOut)
def show(attachment_id: int) -> Attachment:
    """Read what a file is."""
    return _read(attachment_id)


@blueprint.route("/attachments/<int:attachment_id>/content", methods=["GET"])
@blueprint.response(200, {"type": "string", "format": "binary"}, content_type=NO_TYPE)
def give(attachment_id: int) -> Response:
    """Download a file."""
    found = _read(attachment_id)
    return download(
        attaching.iter_content(database(), found.digest),
        name=found.name,
        media_type=NO_TYPE,
        size_bytes=found.size_bytes,
        digest=found.digest,
    )


@blueprint.route("/attachments/<int:attachment_id>", methods=["DELETE"])
@blueprint.response(204)
def delete(attachment_id: int) -> str:
    """Put a post's file into the trash, as an edit of it; a file that waits for its post is gone at once."""
    with current().database.transaction() as connection:
        reverting.delete_file(connection, attachment_id, owner_id=current_user_id(), now=now())
    return ""


@blueprint.route("/attachments/<int:attachment_id>/restoration", methods=["POST"])
@blueprint.response(200, AttachmentOut)
def restore(attachment_id: int) -> Attachment:
    """Take a file out of the trash. Its post must be there."""
    with current().database.transaction() as connection:
        return reverting.restore_file(connection, attachment_id, editor_id=current_user_id(), now=now())


def take_files(connection: Connection, post_id: int, attachment_ids: Sequence[int]) -> None:
    """Let staged files belong to a new post. Raises Invalid (field ``files``) and Conflict."""
    if attachment_ids:
        limits = FileLimits.of(read_settings(connection))
        attaching.attach_files(connection, post_id, attachment_ids, owner_id=current_user_id(), limits=limits)


def _read(attachment_id: int) -> Attachment:
    with current().database.read() as connection:
        return attachment_store.get_attachment(connection, attachment_id, reader_id=current_user_id())


def _examined(values: dict[str, Any]) -> tuple[FileLimits, FoundFile]:
    limits = _limits()
    try:
        content = base64.b64decode(values["content"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("The content is not Base64.", field="content") from error
    return limits, attaching.examine_file(BytesIO(content), values["name"], limits)


def _limits() -> FileLimits:
    with current().database.read() as connection:
        return FileLimits.of(read_settings(connection))


def _stage(connection: Connection, found: FoundFile, limits: FileLimits) -> Attachment:
    return attaching.stage_file(connection, found, owner_id=current_user_id(), limits=limits, now=now())
