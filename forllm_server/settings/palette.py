"""Colours by calculation: reading the tokens of a style sheet, turning oklch into sRGB, and contrast. Pure.

Sources: CSS Color Module Level 4 (oklch to linear sRGB), WCAG 2.2 (relative luminance, contrast ratio).
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Scheme = Literal["light", "dark"]
#: red, green, blue, each from 0 to 1, gamma-encoded as in ``#rrggbb``
Rgb = tuple[float, float, float]

HEX = re.compile(r"#[0-9a-f]{6}")
_OKLCH = re.compile(r"oklch\(\s*([\d.]+)\s+([\d.]+)\s+([\d.]+)\s*\)")
_LIGHT_DARK = re.compile(r"light-dark\(\s*((?:[^()]|\([^()]*\))+?)\s*,\s*((?:[^()]|\([^()]*\))+?)\s*\)")
_DECLARATION = re.compile(r"--([a-z0-9-]+):\s*([^;]+);")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)

#: What contrast the text that one reads needs (AAA), other text (AA), and what is only seen.
READING, TEXT, SIGN = 7.0, 4.5, 3.0


@dataclass(frozen=True)
class Demand:
    """``ink`` on ``paper`` (names of tokens) needs at least this contrast."""

    ink: str
    paper: str
    least: float
    what: str


DEMANDS: tuple[Demand, ...] = (
    *(Demand("text", paper, READING, "text that is read") for paper in ("ground", "surface", "raised")),
    *(Demand("quiet", paper, TEXT, "quiet lines") for paper in ("ground", "surface", "raised")),
    *(Demand("link", paper, TEXT, "links") for paper in ("ground", "surface", "raised")),
    *(Demand("lamp", paper, TEXT, "what waits or runs") for paper in ("ground", "surface", "raised", "lamp-soft")),
    *(Demand("bad", paper, TEXT, "what needs you") for paper in ("ground", "surface", "raised", "bad-soft")),
    *(Demand("good", paper, TEXT, "what is done") for paper in ("ground", "surface", "raised", "good-soft")),
    *(Demand("text", paper, READING, "notices") for paper in ("lamp-soft", "bad-soft", "good-soft")),
    Demand("lamp-ink", "lamp-fill", TEXT, "the main button"),
    *(Demand("edge", paper, SIGN, "edges of fields") for paper in ("ground", "surface")),
    *(Demand("focus", paper, SIGN, "the frame of the focus") for paper in ("ground", "surface", "raised")),
)


@dataclass(frozen=True)
class Shortfall:
    """A demand that is not met."""

    demand: Demand
    ratio: float


def read_tokens(css: str) -> dict[str, str]:
    """Custom properties of a style sheet by name (without ``--``), the later winning, as they are written."""
    return {name: value.strip() for name, value in _DECLARATION.findall(_COMMENT.sub("", css))}


def colour_of(value: str, scheme: Scheme) -> str | None:
    """``#rrggbb`` of a token's value, or None when it is no opaque colour written as oklch, light-dark or hex."""
    if found := _LIGHT_DARK.fullmatch(value.strip()):
        value = found[1 if scheme == "light" else 2]
    if HEX.fullmatch(value):
        return value
    if found := _OKLCH.fullmatch(value):
        return to_hex(from_oklch(float(found[1]), float(found[2]), float(found[3])))
    return None


def palette(tokens: Mapping[str, str], scheme: Scheme) -> dict[str, str]:
    """Name to ``#rrggbb`` of every token that is an opaque colour."""
    found = {name: colour_of(value, scheme) for name, value in tokens.items()}
    return {name: colour for name, colour in found.items() if colour is not None}


def shortfalls(colours: Mapping[str, str]) -> list[Shortfall]:
    """Which of :data:`DEMANDS` a palette (name to ``#rrggbb``) does not meet; missing names are not judged."""
    found = []
    for demand in DEMANDS:
        if demand.ink in colours and demand.paper in colours:
            ratio = contrast(colours[demand.ink], colours[demand.paper])
            if ratio < demand.least:
                found.append(Shortfall(demand, ratio))
    return found


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two ``#rrggbb``, from 1 to 21."""
    darker, lighter = sorted((luminance(from_hex(one)), luminance(from_hex(other))))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(rgb: Rgb) -> float:
    """Relative luminance, from 0 (black) to 1 (white)."""
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def from_hex(text: str) -> Rgb:
    """Of ``#rrggbb``."""
    red, green, blue = (int(text[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def to_hex(rgb: Rgb) -> str:
    """``#rrggbb``, parts outside of sRGB taken to its border."""
    return "#" + "".join(f"{round(min(max(part, 0), 1) * 255):02x}" for part in rgb)


def from_oklch(lightness: float, chroma: float, hue_degrees: float) -> Rgb:
    """sRGB of an oklch colour; parts may lie a little outside of 0 to 1."""
    a = chroma * math.cos(math.radians(hue_degrees))
    b = chroma * math.sin(math.radians(hue_degrees))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        _encoded(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
        _encoded(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
        _encoded(-0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short),
    )


def _encoded(linear: float) -> float:
    size = abs(linear)
    encoded = 12.92 * size if size <= 0.0031308 else 1.055 * size ** (1 / 2.4) - 0.055
    return math.copysign(encoded, linear)
