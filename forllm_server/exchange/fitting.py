"""Making texts from elsewhere fit the rules that hold here, without losing more than must be. Pure."""

import unicodedata

from forllm_server.errors import Invalid
from forllm_server.markup.names import MAX_TEXT_BYTES, clean_name, clean_text
from forllm_server.personas.editing import INSTRUCTIONS_MAX_CHARS

NO_TEXT = "*(no text)*"


def fitted_name(text: str, *, max_chars: int, otherwise: str) -> str:
    """A name that the rules take: cut with … when too long, ``otherwise`` when nothing visible is left."""
    name = " ".join(unicodedata.normalize("NFKC", text).split())
    if len(name) > max_chars:
        # the rules write … as three dots
        name = name[: max_chars - 3].rstrip() + "…"
    try:
        return clean_name(name, field="name", max_chars=max_chars)
    except Invalid:
        return otherwise


def numbered_name(name: str, number: int, *, max_chars: int) -> str:
    """``name (2)``, for a name that is taken."""
    ending = f" ({number})"
    return name[: max_chars - len(ending)].rstrip() + ending


def fitted_texts(text: str) -> list[str]:
    """A text in as many pieces as posts are needed to hold it; one in nearly every case.

    Cut at a line's end where there is one in the second half of a piece.
    """
    rest = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    pieces = []
    while rest:
        piece = rest.encode("utf-8")[:MAX_TEXT_BYTES].decode("utf-8", "ignore")
        line_end = piece.rfind("\n")
        if len(piece) < len(rest) and line_end > len(piece) // 2:
            piece = piece[: line_end + 1]
        pieces.append(piece)
        rest = rest[len(piece) :]
    return [piece for piece in pieces if _is_visible(piece)] or [NO_TEXT]


def _is_visible(text: str) -> bool:
    try:
        return bool(clean_text(text, field="content"))
    except Invalid:
        return False


def fitted_instructions(text: str) -> str:
    """Instructions of a persona that the rules take: cut when too long, a dash when there are none."""
    try:
        return clean_text(text[:INSTRUCTIONS_MAX_CHARS], field="instructions", max_chars=INSTRUCTIONS_MAX_CHARS)
    except Invalid:
        return "—"
