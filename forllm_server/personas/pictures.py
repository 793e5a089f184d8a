"""Uploaded pictures of personas: what is taken, by what the file itself says. Pure."""

from dataclasses import dataclass

from forllm_server.errors import Invalid
from forllm_server.markup.pictures import find_picture_header

PICTURE_BYTES_MOST = 512 * 1024
SIDE_MOST = 4096
#: What a persona's picture may be; moving ones beside every post would be a nuisance.
_TAKEN = frozenset({"image/png", "image/jpeg", "image/webp"})


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
    header = find_picture_header(content)
    if header is None or header.media_type not in _TAKEN:
        raise Invalid("This is no PNG, JPEG or WebP picture. Save it as one of these.", field="picture")
    if not all(1 <= side <= SIDE_MOST for side in (header.width, header.height)):
        raise Invalid(f"The picture's sides must be 1 to {SIDE_MOST:,} pixels long.", field="picture")
    return Picture(header.media_type, content)
