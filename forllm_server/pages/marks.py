"""The sign that stands for a name: a small mirrored pattern and one of twelve hues, both from a hash. Pure."""

from functools import lru_cache
from hashlib import blake2b
from itertools import groupby

from markupsafe import Markup

#: how many classes ``hue-N`` the style sheets have
HUES = 12
_SIDE = 5
_HALF = 3


def hue_class(name: str) -> str:
    """The class that carries the hue of a persona: the same name always has the same one."""
    return f"hue-{_digest(name)[0] % HUES}"


@lru_cache(maxsize=512)
def mark(name: str, is_persona: bool = True, size: str = "") -> Markup:
    """An SVG of 5 × 5 fields, mirrored left to right. A person's has no hue. Decoration: hidden from readers."""
    classes = " ".join(
        part for part in ("mark", f"mark--{size}" if size else "", hue_class(name) if is_persona else "") if part
    )
    return Markup('<svg class="{}" viewBox="-1 -1 7 7" aria-hidden="true"><path d="{}"/></svg>').format(
        classes, _pattern(name)
    )


def portrait(persona_id: int, name: str, picture_digest: str = "", size: str = "") -> Markup:
    """A persona's uploaded picture, else its drawn mark. Decoration, like the mark."""
    if not picture_digest:
        return mark(name, True, size)
    classes = f"mark mark--{size}" if size else "mark"
    return Markup('<img class="{}" src="/personas/{}/picture/{}" alt="" width="36" height="36" loading="lazy">').format(
        classes, persona_id, picture_digest
    )


@lru_cache(maxsize=512)
def mark_symbol(name: str) -> Markup:
    """The drawing of a name's mark, to be put once into a page that refers to it with :func:`mark_use`."""
    return Markup('<symbol id="{}" viewBox="-1 -1 7 7"><path d="{}"/></symbol>').format(
        _symbol_id(name), _pattern(name)
    )


@lru_cache(maxsize=512)
def mark_use(name: str, is_persona: bool = True) -> Markup:
    """A name's mark by reference: a page with fifty posts by one author draws it once."""
    classes = f"mark {hue_class(name)}" if is_persona else "mark"
    return Markup('<svg class="{}" aria-hidden="true"><use href="#{}"/></svg>').format(classes, _symbol_id(name))


def _symbol_id(name: str) -> str:
    return f"mark-{_digest(name)[1:5].hex()}"


def _pattern(name: str) -> str:
    """The lit fields as a path, each run of neighbours in a row as one rectangle: a page has a mark a post."""
    bits = int.from_bytes(_digest(name)[1:4], "big")
    strokes = []
    for row in range(_SIDE):
        half = [bool(bits >> (row * _HALF + column) & 1) for column in range(_HALF)]
        # The middle column is always lit in one row, so that no pattern is empty.
        half[-1] = half[-1] or row == 2
        place = 0
        for is_lit, run in groupby(half + half[-2::-1]):
            length = len(list(run))
            if is_lit:
                strokes.append(f"M{place} {row}h{length}v1h-{length}z")
            place += length
    return "".join(strokes)


def _digest(name: str) -> bytes:
    return blake2b(name.strip().casefold().encode("utf-8", errors="replace"), digest_size=8).digest()
