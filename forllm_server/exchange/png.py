"""Text kept in PNG pictures, as character cards do: reading and writing ``tEXt`` chunks, and nothing else. Pure.

A picture is never decoded. Every length is checked against what is there, and every chunk against its CRC, before it is
used. Source: PNG specification, third edition (W3C), 5.2-5.6 and 11.3.3.3.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping

from forllm_server.errors import Invalid

SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: A picture has a header, an end, and rarely more than some hundred pieces between them.
CHUNKS_MOST = 100_000
_KEYWORD_BYTES_MOST = 79


class BadPicture(Invalid):
    """This PNG picture is damaged. Save it again, or take the card as JSON."""

    code = "bad_picture"


def is_png(content: bytes) -> bool:
    return content.startswith(SIGNATURE)


def read_texts(content: bytes) -> dict[str, bytes]:
    """Keyword to text of every ``tEXt`` chunk; of two with one keyword the first. Raises BadPicture."""
    texts: dict[str, bytes] = {}
    for kind, data in _chunks(content):
        if kind == b"tEXt":
            keyword, separator, text = data.partition(b"\0")
            if separator and 0 < len(keyword) <= _KEYWORD_BYTES_MOST:
                texts.setdefault(keyword.decode("latin-1"), text)
    return texts


def with_texts(content: bytes, texts: Mapping[str, bytes]) -> bytes:
    """The picture with these texts instead of all that it holds. Raises BadPicture."""
    parts = [SIGNATURE]
    for kind, data in _chunks(content):
        if kind in (b"tEXt", b"zTXt", b"iTXt", b"eXIf"):
            continue
        if kind == b"IEND":
            parts += [_chunk(b"tEXt", keyword.encode("latin-1") + b"\0" + text) for keyword, text in texts.items()]
        parts.append(_chunk(kind, data))
    return b"".join(parts)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, data) from IHDR to IEND; what follows the end is ignored."""
    if not is_png(content):
        raise BadPicture(field="file")
    place = len(SIGNATURE)
    for number in range(CHUNKS_MOST):
        if place + 12 > len(content):
            raise BadPicture(field="file")
        (length,) = struct.unpack_from(">I", content, place)
        kind = content[place + 4 : place + 8]
        end = place + 12 + length
        if end > len(content) or not kind.isalpha() or (number == 0) != (kind == b"IHDR"):
            raise BadPicture(field="file")
        if struct.unpack_from(">I", content, end - 4)[0] != zlib.crc32(content[place + 4 : end - 4]):
            raise BadPicture(field="file")
        yield kind, content[place + 8 : end - 4]
        if kind == b"IEND":
            return
        place = end
    raise BadPicture(field="file")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
