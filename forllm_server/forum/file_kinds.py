"""What a file is called and what it is, told by its own content and never by what the browser says. Pure."""

import codecs
import re
import unicodedata
from dataclasses import dataclass

from forllm_server.markup.pictures import find_picture_header

#: So much of a file's beginning is looked at: camera pictures tell their sides behind a long preamble.
HEAD_BYTES = 256 * 1024
LONGEST_NAME = 120
#: More than these are no picture to be shown: unpacked they would fill the memory.
MOST_PIXELS = 40_000_000

#: The kinds of pictures that are shown in a post; everything else is only ever downloaded.
SHOWN_TYPES = {
    "image/png": "PNG picture",
    "image/jpeg": "JPEG picture",
    "image/webp": "WebP picture",
    "image/gif": "GIF picture",
}

#: How files begin, at which byte, and what they are then.
_SIGNATURES = (
    (0, b"%PDF-", "application/pdf", "PDF"),
    (0, b"PK\x03\x04", "application/zip", "ZIP or office file"),
    (0, b"PK\x05\x06", "application/zip", "ZIP or office file"),
    (0, b"\x1f\x8b", "application/gzip", "gzip archive"),
    (0, b"BZh", "application/x-bzip2", "bzip2 archive"),
    (0, b"\xfd7zXZ\x00", "application/x-xz", "xz archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed", "7z archive"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd", "zstd archive"),
    (257, b"ustar", "application/x-tar", "tar archive"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage", "office file"),
    (0, b"SQLite format 3\x00", "application/vnd.sqlite3", "SQLite database"),
    (0, b"ID3", "audio/mpeg", "MP3 audio"),
    (0, b"OggS", "application/ogg", "Ogg audio or video"),
    (0, b"fLaC", "audio/flac", "FLAC audio"),
    (8, b"WAVE", "audio/wav", "WAV audio"),
    (4, b"ftyp", "video/mp4", "MP4 audio or video"),
    (0, b"\x1aE\xdf\xa3", "video/x-matroska", "Matroska video"),
    (0, b"\x7fELF", "application/octet-stream", "program"),
    (0, b"MZ", "application/octet-stream", "program"),
    (0, b"GGUF", "application/octet-stream", "GGUF model"),
)
_SPACES = re.compile(r"\s+")
#: What file systems and addresses give a meaning of their own.
_UNSAFE = str.maketrans(dict.fromkeys('<>:"|?*', "_"))
#: Control, format (bidirectional, zero-width), surrogate and private characters.
_UNDRAWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


@dataclass(frozen=True, slots=True)
class FileKind:
    """``media_type`` is for programs, ``label`` for people."""

    media_type: str
    label: str


def kind_of(head: bytes) -> FileKind:
    """What a file is, by its first HEAD_BYTES. HTML and SVG are text like any other."""
    picture = find_picture_header(head)
    if picture is not None:
        is_shown = 0 < picture.width * picture.height <= MOST_PIXELS
        label = SHOWN_TYPES[picture.media_type]
        return FileKind(picture.media_type if is_shown else "application/octet-stream", label)
    for start, signature, media_type, label in _SIGNATURES:
        if head[start : start + len(signature)] == signature:
            return FileKind(media_type, label)
    return FileKind("text/plain", "text") if _is_text(head) else FileKind("application/octet-stream", "data")


def clean_file_name(name: str) -> str:
    """The last part of a path, without what is not drawn or means something to file systems; never empty.

    A long name keeps its ending.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    drawn = "".join(letter for letter in _SPACES.sub(" ", last) if unicodedata.category(letter) not in _UNDRAWN)
    clean = drawn.translate(_UNSAFE).strip(" ")
    if not clean.strip(". "):
        return "file"
    if len(clean) <= LONGEST_NAME:
        return clean
    stem, dot, ending = clean.rpartition(".")
    if not dot or len(ending) > 16:
        return clean[:LONGEST_NAME].rstrip()
    return stem[: LONGEST_NAME - len(ending) - 1].rstrip() + dot + ending


def _is_text(head: bytes) -> bool:
    if b"\x00" in head:
        return False
    try:
        # The last character may be cut in half.
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return not any(unicodedata.category(letter) == "Cc" and letter not in "\t\n\r\f\x1b" for letter in text[:8_192])
