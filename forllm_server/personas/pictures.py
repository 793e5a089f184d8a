"""Uploaded pictures of personas: what is taken, by what the file itself says. Pure.

The header alone is read and nothing is decoded. No SVG: it can hold scripts. Sources: PNG (W3C, third edition) 11.2.1,
JPEG (ITU-T T.81) B.2.2, WebP (RFC 9649) 2.5-2.7.
"""

import struct
from dataclasses import dataclass

from forllm_server.errors import Invalid

PICTURE_BYTES_MOST = 512 * 1024
SIDE_MOST = 4096

_PNG = b"\x89PNG\r\n\x1a\n"
#: Frame headers of JPEG; C4, C8 and CC in the midst of them are something else.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: Markers without a length.
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})


@dataclass(frozen=True)
class Picture:
    """``media_type`` is one of image/png, image/jpeg, image/webp: it is served as nothing else."""

    media_type: str
    content: bytes


def check_picture(content: bytes) -> Picture:
    """The picture in a file. Raises Invalid(field="picture") for what is too big or no PNG, JPEG or WebP."""
    if len(content) > PICTURE_BYTES_MOST:
        raise Invalid(
            f"The picture weighs {len(content) // 1024:,} KB; at most {PICTURE_BYTES_MOST // 1024} KB are taken. "
            "Make it smaller: 256 pixels a side are plenty.",
            field="picture",
        )
    for media_type, read_size in _READERS.items():
        size = read_size(content)
        if size is not None:
            if not all(1 <= side <= SIDE_MOST for side in size):
                raise Invalid(f"The picture's sides must be 1 to {SIDE_MOST:,} pixels long.", field="picture")
            return Picture(media_type, content)
    raise Invalid("This is no PNG, JPEG or WebP picture. Save it as one of these.", field="picture")


def _png_size(content: bytes) -> tuple[int, int] | None:
    if not content.startswith(_PNG) or len(content) < 33 or content[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    if not content.startswith(b"\xff\xd8\xff"):
        return None
    place = 2
    while place + 9 <= len(content):
        if content[place] != 0xFF:
            return None
        marker = content[place + 1]
        if marker == 0xFF:
            place += 1
        elif marker in _BARE:
            place += 2
        elif marker in _FRAMES:
            height, width = struct.unpack(">HH", content[place + 5 : place + 9])
            return width, height
        else:
            length = struct.unpack(">H", content[place + 2 : place + 4])[0]
            if length < 2:
                return None
            place += 2 + length
    return None


def _webp_size(content: bytes) -> tuple[int, int] | None:
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP" or len(content) < 30:
        return None
    kind = content[12:16]
    if kind == b"VP8 " and content[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", content[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and content[20] == 0x2F:
        bits = int.from_bytes(content[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1
    return None


_READERS = {"image/png": _png_size, "image/jpeg": _jpeg_size, "image/webp": _webp_size}
