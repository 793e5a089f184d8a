"""The history of a post: what each edit changed in its text and its files. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from forllm_server.forum.attachment_model import KeptFile
from forllm_server.forum.model import Post, PostRevision
from forllm_server.pages.changes import DiffLine, diff_lines


@dataclass(frozen=True)
class Edit:
    """An edit: the text before it, what is different after it. ``files`` is empty where the files stayed the same."""

    revision: PostRevision
    #: empty: only files were changed
    text: tuple[DiffLine, ...]
    files: tuple[DiffLine, ...]
    #: the files before it that the post has now
    present: frozenset[int]


def edits_of(post: Post, files: Sequence[KeptFile], revisions: Sequence[PostRevision]) -> list[Edit]:
    """The edits of a post that has these files now, the newest first, as ``revisions`` come."""
    texts = [post.content, *(revision.content for revision in revisions)]
    had = [tuple(files), *(revision.attachments for revision in revisions)]
    present = frozenset(each.id for each in files)
    edits = []
    for revision, text, after in zip(revisions, texts, had, strict=False):
        lines = tuple(diff_lines(revision.content, text)) if revision.content != text else ()
        edits.append(Edit(revision, lines, _changed(revision.attachments, after), present))
    return edits


def _changed(before: Sequence[KeptFile] | None, after: Sequence[KeptFile] | None) -> tuple[DiffLine, ...]:
    """Which files are gone and which are new; the same file attached again is the same."""
    if before is None or after is None:
        return ()
    old, new = ({(each.digest, each.name): each for each in files} for files in (before, after))
    gone = [_line("removed", each) for key, each in old.items() if key not in new]
    return (*gone, *(_line("added", each) for key, each in new.items() if key not in old))


def _line(kind: str, file: KeptFile) -> DiffLine:
    return DiffLine(kind, ((f"{file.name} ({file.label}, {file.size_words})", False),))
