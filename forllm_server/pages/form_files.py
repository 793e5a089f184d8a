"""The files of a form that takes a text: those that came with it, those it has already, those that were unticked."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import g, request
from sqlalchemy import Connection

from forllm_server.clock import now
from forllm_server.errors import ForllmError
from forllm_server.forum import attachment_store
from forllm_server.forum.attaching import attach_files, stage_files
from forllm_server.forum.attachment_model import Attachment, FileChange, FileLimits
from forllm_server.forum.draft_model import ATTACHMENTS_FIELD, DraftKind, DraftPlace
from forllm_server.pages.database import database
from forllm_server.pages.frame import current_settings
from forllm_server.pages.trash import in_trash_words
from forllm_server.web.current import current_user_id
from forllm_server.web.forms import Form, was_entered
from forllm_server.web.fragments import notice

#: Names the files that the post had when its form was shown: one of them that is not ticked is to be removed.
SHOWN_FIELD = "shown_attachment_ids"
_BIGGEST_ID = 2**63 - 1
_ID = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class FormFile:
    """A file in a form. ``is_own``: it belongs to the post already that is edited."""

    attachment: Attachment
    is_ticked: bool = True
    is_own: bool = False


def current_limits() -> FileLimits:
    """How much may be attached."""
    return FileLimits.of(current_settings())


def stage_files_of_form(form: Form) -> ForllmError | None:
    """Keep the files that came with the present request, whatever becomes of its form; what is wrong with some."""
    sent = [upload for upload in request.files.getlist("files") if upload.filename]
    if not sent:
        return None
    staged = stage_files(
        database(),
        [(upload.filename or "", upload.stream) for upload in sent],
        owner_id=current_user_id(),
        limits=current_limits(),
        now=now(),
        beside=form.integers(ATTACHMENTS_FIELD, most=_BIGGEST_ID),
    )
    for upload in sent:
        upload.close()
    g.staged = staged.attachments
    return staged.problem


def keep_files_of_form(form: Form) -> None:
    """Like :func:`stage_files_of_form`; raises what is wrong with some. The others wait for the form to come again."""
    problem = stage_files_of_form(form)
    if problem is not None:
        raise problem


def tell_removed(attachment_ids: Sequence[int]) -> None:
    """After the commit: where removed files are, and for a single one its undo."""
    if len(attachment_ids) == 1:
        notice(in_trash_words("The file"), undo=f"/trash/attachment/{attachment_ids[0]}/restore")
    elif attachment_ids:
        notice(in_trash_words(f"{len(attachment_ids)} files: each"))


def staged_files() -> tuple[Attachment, ...]:
    """What :func:`stage_files_of_form` kept for the present request."""
    found: tuple[Attachment, ...] = g.get("staged", ())
    return found


def file_ids_of_form(form: Form) -> list[int]:
    """All files that are ticked in the form, and those that came with it."""
    ticked = form.integers(ATTACHMENTS_FIELD, most=_BIGGEST_ID)
    return list(dict.fromkeys([*ticked, *(each.id for each in staged_files())]))


def attach_files_of_form(connection: Connection, form: Form, post_id: int) -> None:
    """Let the form's files belong to the post that it just made."""
    if wanted := file_ids_of_form(form):
        attach_files(connection, post_id, wanted, owner_id=current_user_id(), limits=current_limits())


def file_change_of_form(form: Form) -> FileChange:
    """What the form of an edit does to the files of its post: those that were unticked are removed."""
    wanted = file_ids_of_form(form)
    removed = [shown for shown in form.integers(SHOWN_FIELD, most=_BIGGEST_ID) if shown not in wanted]
    return FileChange(current_limits(), added=tuple(wanted), removed=tuple(removed))


def read_form_files(connection: Connection, place: DraftPlace, draft_fields: Mapping[str, Any]) -> tuple[FormFile, ...]:
    """The files that a form shows: the post's own when it is edited, and those that wait for their post."""
    if was_entered():
        form = Form.of_request()
        named, shown = file_ids_of_form(form), form.integers(SHOWN_FIELD, most=_BIGGEST_ID)
    else:
        named, shown = _ids(draft_fields.get(ATTACHMENTS_FIELD)), _ids(draft_fields.get(SHOWN_FIELD))
    own: tuple[Attachment, ...] = ()
    if place.kind is DraftKind.EDIT:
        found = attachment_store.list_attachments_of_posts(connection, [place.target_id])
        own = found.get(place.target_id, ())
    waiting = attachment_store.list_attachments(connection, named)
    return (
        *(FormFile(each, each.id in named or each.id not in shown, is_own=True) for each in own),
        *(FormFile(each) for each in waiting if each.post_id is None and each.owner_id == current_user_id()),
    )


def _ids(words: Any) -> list[int]:
    """The ids in a draft's field, whatever another version may have left there."""
    found = words if isinstance(words, list) else []
    return [int(word) for word in found if isinstance(word, str) and _ID.fullmatch(word)]
