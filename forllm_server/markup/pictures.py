"""What a file says of itself as a picture: its kind and its sides. Pure.

The header alone is read and nothing is decoded. No SVG: it can hold scripts. Sources: PNG (W3C, third edition) 11.2.1,
JPEG (ITU-T T.81) B.2.2, WebP (RFC 9649) 2.5-2.7, GIF89a section 18.
"""

import struct
from dataclasses import dataclass

_PNG = b"\x89PNG\r\n\x1a\n"
#: Frame headers of JPEG; C4, C8 and CC in the midst of them are something else.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: Markers without a length.
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """``media_type`` is image/png, image/jpeg, image/webp or image/gif; the sides are in pixels, as the file says."""

    media_type: str
    width: int
    height: int


def find_picture_header(content: bytes) -> PictureHeader | None:
    """What the beginning of a file says; None when it is no picture of these kinds, or its sides come later."""
    for media_type, read_size in _READERS.items():
        size = read_size(content)
        if size is not None:
            return PictureHeader(media_type, *size)
    return None


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


def _gif_size(content: bytes) -> tuple[int, int] | None:
    if content[:6] not in (b"GIF87a", b"GIF89a") or len(content) < 10:
        return None
    width, height = struct.unpack("<HH", content[6:10])
    return width, height


_READERS = {"image/png": _png_size, "image/jpeg": _jpeg_size, "image/webp": _webp_size, "image/gif": _gif_size}
