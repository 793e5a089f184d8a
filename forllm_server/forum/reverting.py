"""What takes an edit back: an earlier text with its files, a removed file; and what removes one."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.errors import NotFound
from forllm_server.forum import attachment_store, post_store, revision_store
from forllm_server.forum.attaching import kept_files
from forllm_server.forum.attachment_model import Attachment, FileChange, KeptFile
from forllm_server.forum.editing import edit_post
from forllm_server.forum.model import Post


@dataclass(frozen=True, slots=True)
class RestoredText:
    """A post with an earlier text again. ``lost``: files that it had then and that were erased since."""

    post: Post
    lost: tuple[KeptFile, ...]


def restore_revision(
    connection: Connection, post_id: int, *, number: int, editor_id: int, now: datetime
) -> RestoredText:
    """Give a post its earlier text ``number`` again, with the files that it had then, as a new edit.

    The files stay as they are where nobody noted them. Raises NotFound or Conflict (deleted).
    """
    revision = revision_store.get_revision(connection, post_id, number)
    noted = revision.attachments
    change, lost = (FileChange(), ()) if noted is None else _way_back(connection, post_id, noted)
    post = edit_post(connection, post_id, editor_id=editor_id, content=revision.content, now=now, files=change)
    return RestoredText(post, lost)


def delete_file(connection: Connection, attachment_id: int, *, owner_id: int, now: datetime) -> None:
    """Remove a file: one of a post goes into the trash, as an edit; a staged one for good. Raises NotFound."""
    found = attachment_store.get_attachment(connection, attachment_id, reader_id=owner_id)
    if found.post_id is not None:
        files = FileChange(removed=(attachment_id,))
        edit_post(connection, found.post_id, editor_id=owner_id, content=None, now=now, files=files)
    else:
        attachment_store.delete_attachments(connection, [attachment_id])
        attachment_store.delete_unused_contents(connection)


def restore_file(connection: Connection, attachment_id: int, *, editor_id: int, now: datetime) -> Attachment:
    """Take a file out of the trash, as an edit. Raises NotFound: it was erased, or its post is not there."""
    found = attachment_store.find_attachment(connection, attachment_id)
    if found is None or found.post_id is None:
        raise NotFound("There is no such file in the trash. It may have been erased.")
    if post_store.get_post_to_change(connection, found.post_id).is_deleted:
        raise NotFound("The post of this file is in the trash. Restore the post first.")
    files = FileChange(restored=(attachment_id,))
    edit_post(connection, found.post_id, editor_id=editor_id, content=None, now=now, files=files)
    return attachment_store.get_attachment(connection, attachment_id, reader_id=found.owner_id)


def _way_back(
    connection: Connection, post_id: int, then: tuple[KeptFile, ...]
) -> tuple[FileChange, tuple[KeptFile, ...]]:
    """What makes the files of a post those of then, as far as they are there; and those that are not.

    For a file that was erased and attached again since, the new one stays.
    """
    # Nobody changes its files meanwhile.
    post_store.get_post_to_change(connection, post_id)
    present = {each.id: each for each in kept_files(connection, post_id)}
    missing = [each for each in then if each.id not in present]
    there = {each.id for each in attachment_store.list_removed(connection, post_id, [each.id for each in missing])}
    again = {
        (each.digest, each.name): each.id for each in present.values() if each.id not in {kept.id for kept in then}
    }
    erased = [each for each in missing if each.id not in there]
    stays = {again[each.digest, each.name] for each in erased if (each.digest, each.name) in again}
    removed = tuple(id for id in present if id not in {each.id for each in then} | stays)
    lost = tuple(each for each in erased if (each.digest, each.name) not in again)
    return FileChange(removed=removed, restored=tuple(sorted(there))), lost
