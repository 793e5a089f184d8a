"""What an attachment is."""

import re
from dataclasses import dataclass
from datetime import datetime

from forllm_server.forum.file_kinds import SHOWN_TYPES
from forllm_server.settings.values import Settings

_MEGABYTE = 1_000_000
_UNPLAIN = re.compile(r"[^A-Za-z0-9._-]+")
_DOTS = re.compile(r"\.{2,}")


@dataclass(frozen=True, slots=True)
class FileLimits:
    """How much may be attached: bytes a file, files a post, and bytes of all files together."""

    file_bytes: int
    files_per_post: int
    total_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> "FileLimits":
        return cls(
            settings.attachment_megabytes * _MEGABYTE,
            settings.attachments_per_post,
            settings.attachments_total_megabytes * _MEGABYTE,
        )


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a post; with no post it is staged: its post is still being written."""

    id: int
    owner_id: int
    post_id: int | None
    #: its place among the files of its post, from 0
    position: int
    #: without folders, control characters and the like
    name: str
    #: told by its content: of pictures that browsers show safely their own, else what it looks like
    media_type: str
    #: the same for people
    label: str
    digest: str
    size_bytes: int
    created_at: datetime
    deleted_at: datetime | None = None

    @property
    def url(self) -> str:
        """Where it is downloaded. Its name there is for people, and has only what needs no quoting anywhere."""
        return f"/attachments/{self.id}/{_DOTS.sub('.', _UNPLAIN.sub('-', self.name)).strip('-.') or 'file'}"

    @property
    def is_picture(self) -> bool:
        return self.media_type in SHOWN_TYPES

    @property
    def size_words(self) -> str:
        """Its size for people: ``512 bytes``, ``3.4 KB``, ``12 MB``."""
        return size_words(self.size_bytes)

    @property
    def markdown(self) -> str:
        """What puts it into a text: a picture itself, of anything else a link."""
        label = "".join(f"\\{letter}" if letter in "\\[]*_`<>!" else letter for letter in self.name)
        return f"{'!' if self.is_picture else ''}[{label}]({self.url})"


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file as the history of its post remembers it, whatever became of it since."""

    id: int
    name: str
    label: str
    digest: str
    size_bytes: int

    @property
    def size_words(self) -> str:
        return size_words(self.size_bytes)


@dataclass(frozen=True, slots=True)
class FileChange:
    """What an edit does to the files of a post. ``limits`` bounds what is added."""

    limits: FileLimits | None = None
    #: staged ones
    added: tuple[int, ...] = ()
    #: ones of the post
    removed: tuple[int, ...] = ()
    #: ones of the post that lie in the trash
    restored: tuple[int, ...] = ()


def size_words(size_bytes: int) -> str:
    """A size in bytes for people."""
    if size_bytes < 1_000:
        return "1 byte" if size_bytes == 1 else f"{size_bytes} bytes"
    for unit, divisor in (("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000)):
        size = size_bytes / divisor
        if size < 9.95:
            return f"{size:.1f} {unit}"
        if size < 999.5 or unit == "GB":
            return f"{size:,.0f} {unit}"
    raise AssertionError("every size has a unit")
