"""Files of posts: taken in while a post is written, bound to it when it is sent, changed when it is edited.

What a file holds is kept in the database, so that a post and its files are saved together or not at all, every process
sees them, and a backup has them (docs/decisions/0009-files-in-the-database.md).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import IO

from sqlalchemy import Connection

from forllm_server.db import Database
from forllm_server.errors import Conflict, ForllmError, Invalid, TooLarge
from forllm_server.forum import attachment_store, draft_store, post_store, topic_store
from forllm_server.forum.attachment_model import Attachment, FileChange, FileLimits, KeptFile, size_words
from forllm_server.forum.file_kinds import HEAD_BYTES, FileKind, clean_file_name, kind_of

#: How long a file waits for its post, where no draft names it.
STAGED_DAYS = 2


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file as it came, looked at and not yet kept. ``stream`` can be read again from its beginning."""

    stream: IO[bytes]
    name: str
    kind: FileKind
    digest: str
    size_bytes: int


def examine_file(stream: IO[bytes], name: str, limits: FileLimits) -> FoundFile:
    """Look at a file: one that is empty raises Invalid, one that is too large TooLarge; both with field ``files``.

    No transaction is needed, and no more of the file is in memory than a piece.
    """
    clean = clean_file_name(name)
    stream.seek(0)
    head = stream.read(HEAD_BYTES)
    digest, size_bytes = sha256(head), len(head)
    while piece := stream.read(attachment_store.PIECE_BYTES):
        digest.update(piece)
        size_bytes += len(piece)
        if size_bytes > limits.file_bytes:
            break
    if not size_bytes:
        raise Invalid(f"“{clean}” is empty, so it was not attached.", field="files")
    if size_bytes > limits.file_bytes:
        raise TooLarge(
            f"“{clean}” is larger than {size_words(limits.file_bytes)}, the most that one file may have. "
            "It was not attached.",
            field="files",
        )
    return FoundFile(stream, clean, kind_of(head), digest.hexdigest(), size_bytes)


def stage_file(
    connection: Connection,
    found: FoundFile,
    *,
    owner_id: int,
    limits: FileLimits,
    now: datetime,
    beside: Collection[int] = (),
) -> Attachment:
    """Keep a file for a post that is still being written. ``beside``: the files that its form has already.

    The same file a second time is the one that is there. Raises Conflict (field ``files``): the form has as many files
    as a post may have; TooLarge: there is no room for it.
    """
    others = _own(attachment_store.list_attachments(connection, beside), owner_id)
    for other in others:
        if (other.digest, other.name) == (found.digest, found.name):
            return other
    if len(others) >= limits.files_per_post:
        raise Conflict(_too_many(limits), field="files")
    if not attachment_store.has_content(connection, found.digest):
        _refuse_without_room(connection, found, limits)
        attachment_store.insert_content(connection, found.digest, found.size_bytes, _pieces(found.stream))
    attachment_id = attachment_store.insert_attachment(
        connection,
        owner_id=owner_id,
        name=found.name,
        media_type=found.kind.media_type,
        label=found.kind.label,
        digest=found.digest,
        now=now,
    )
    return attachment_store.get_attachment(connection, attachment_id, reader_id=owner_id)


@dataclass(frozen=True, slots=True)
class Staged:
    """What came of several files: those that were kept, and what was wrong with the others."""

    attachments: tuple[Attachment, ...]
    problem: ForllmError | None


def stage_files(
    database: Database,
    files: Sequence[tuple[str, IO[bytes]]],
    *,
    owner_id: int,
    limits: FileLimits,
    now: datetime,
    beside: Collection[int] = (),
) -> Staged:
    """Keep files (name and content each), one transaction a file: what is wrong with one does not hinder the others.

    Never raises for what is wrong with a file; raises Unavailable (the disk is full) like everything that is stored.
    """
    kept: list[Attachment] = []
    problems: list[ForllmError] = []
    for name, stream in files:
        try:
            found = examine_file(stream, name, limits)
            ids = [*beside, *(each.id for each in kept)]
            with database.transaction() as connection:
                kept.append(stage_file(connection, found, owner_id=owner_id, limits=limits, now=now, beside=ids))
        except (Invalid, Conflict, TooLarge) as problem:
            problems.append(problem)
    if not problems:
        return Staged(tuple(kept), None)
    words = " ".join(dict.fromkeys(problem.message for problem in problems))
    return Staged(tuple(kept), type(problems[0])(words, field="files"))


def attach_files(
    connection: Connection, post_id: int, attachment_ids: Sequence[int], *, owner_id: int, limits: FileLimits
) -> tuple[Attachment, ...]:
    """Let staged files belong to a post, after those that it has; all of its files then.

    The same file is not taken twice. Raises NotFound (no such post), Conflict (too many) or Invalid (field ``files``:
    one is somebody else's, another post's, or gone).
    """
    post = post_store.get_post_to_change(connection, post_id)
    own = attachment_store.list_attachments_of_posts(connection, [post_id]).get(post_id, ())
    wanted = [wanted for wanted in dict.fromkeys(attachment_ids) if wanted not in {each.id for each in own}]
    if not wanted:
        return own
    staged = {each.id: each for each in attachment_store.list_attachments(connection, wanted)}
    present = {(each.digest, each.name) for each in own}
    position = max((each.position for each in own), default=-1)
    for attachment_id in wanted:
        found = staged.get(attachment_id)
        if found is None or found.owner_id != owner_id or found.post_id is not None:
            raise Invalid("A file of this form is not there any more. Attach it again.", field="files")
        if (found.digest, found.name) in present:
            continue
        if len(present) >= limits.files_per_post:
            raise Conflict(_too_many(limits), field="files")
        present.add((found.digest, found.name))
        position += 1
        if not attachment_store.update_attached(connection, attachment_id, post_id=post_id, position=position):
            raise Conflict("A file of this form was just attached elsewhere. Attach it again.", field="files")
    topic_store.update_topic(connection, post.topic_id)
    return attachment_store.list_attachments_of_posts(connection, [post_id]).get(post_id, ())


def remove_files(connection: Connection, post_id: int, attachment_ids: Collection[int], *, now: datetime) -> int:
    """Put files of a post into the trash; how many were there. Raises NotFound (no such post)."""
    post = post_store.get_post_to_change(connection, post_id)
    own = attachment_store.list_attachments_of_posts(connection, [post_id]).get(post_id, ())
    gone = [each.id for each in own if each.id in set(attachment_ids)]
    if gone:
        attachment_store.update_deleted(connection, gone, deleted_at=now)
        topic_store.update_topic(connection, post.topic_id)
    return len(gone)


def change_files(connection: Connection, post_id: int, change: FileChange, *, owner_id: int, now: datetime) -> None:
    """Remove, give back and add files of a post, in this order. Raises what :func:`attach_files` raises."""
    if change.removed:
        remove_files(connection, post_id, change.removed, now=now)
    if change.restored:
        attachment_store.update_deleted(connection, change.restored, deleted_at=None)
    if change.added and change.limits is not None:
        attach_files(connection, post_id, change.added, owner_id=owner_id, limits=change.limits)


def kept_files(connection: Connection, post_id: int) -> tuple[KeptFile, ...]:
    """The files that a post has now, as its history remembers them."""
    found = attachment_store.list_attachments_of_posts(connection, [post_id]).get(post_id, ())
    return tuple(KeptFile(each.id, each.name, each.label, each.digest, each.size_bytes) for each in found)


def sweep_files(connection: Connection, *, until: datetime, now: datetime) -> int:
    """Erase the files that were removed until that moment, and those whose post was never sent; how many."""
    kept = draft_store.list_attachment_ids(connection)
    removed = attachment_store.delete_attachments_in_trash(connection, until=until)
    forgotten = attachment_store.delete_staged(connection, before=now - timedelta(days=STAGED_DAYS), except_ids=kept)
    attachment_store.delete_unused_contents(connection)
    return removed + forgotten


def iter_content(database: Database, digest: str) -> Iterator[bytes]:
    """What a file holds, piece by piece; no transaction is open while the reader takes its time."""
    number = 0
    while True:
        with database.read() as connection:
            piece = attachment_store.find_piece(connection, digest, number)
        if piece is None:
            return
        yield piece
        number += 1


def _own(found: Sequence[Attachment], owner_id: int) -> list[Attachment]:
    return [each for each in found if each.owner_id == owner_id]


def _refuse_without_room(connection: Connection, found: FoundFile, limits: FileLimits) -> None:
    if attachment_store.count_bytes(connection) + found.size_bytes > limits.total_bytes:
        raise TooLarge(
            f"There is no room for “{found.name}”: all files together may have {size_words(limits.total_bytes)}. "
            "Remove some, or raise the limit in the settings.",
            field="files",
        )


def _too_many(limits: FileLimits) -> str:
    return f"A post has at most {limits.files_per_post} files. Leave some out, or attach them to another post."


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    stream.seek(0)
    while piece := stream.read(attachment_store.PIECE_BYTES):
        yield piece
