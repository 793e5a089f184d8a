"""A theme of one's own: values for the tokens of the look, checked one by one, as a style sheet and as a file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import Connection

from forllm_server.errors import Invalid
from forllm_server.settings.palette import HEX, Scheme
from forllm_server.settings.settings_store import delete_setting, find_stamped, update_setting

#: Where it is stored, beside the settings.
KEY = "own_theme"
#: What a theme file calls itself, and its version.
FILE_MARK, FILE_VERSION = "forllm_theme", 1
LONGEST_NAME = 60
LARGEST_FILE_BYTES = 20_000

#: The colours of a theme by name, with what they are for; in groups, as the form shows them.
COLOURS: dict[str, dict[str, str]] = {
    "Paper": {
        "ground": "the page",
        "surface": "fields and cards",
        "raised": "code, and the present place",
        "line": "lines",
        "edge": "edges of fields",
    },
    "Ink": {"text": "text", "quiet": "quiet lines", "link": "links", "focus": "the frame of the focus"},
    "The night at work": {
        "lamp": "waiting, running, unread",
        "lamp-fill": "the main button, bars",
        "lamp-ink": "text on the main button",
        "lamp-soft": "ground of a notice",
        "lamp-line": "edge of a notice",
    },
    "What needs you": {"bad": "text", "bad-soft": "ground", "bad-line": "edge"},
    "What is done": {"good": "text", "good-soft": "ground", "good-line": "edge"},
}
COLOUR_NAMES: tuple[str, ...] = tuple(name for group in COLOURS.values() for name in group)


@dataclass(frozen=True)
class Measure:
    """A number of a theme: the token that it sets, from ``least`` to ``most`` in ``unit``."""

    label: str
    least: float
    most: float
    step: float
    unit: str
    default: float


MEASURES: dict[str, Measure] = {
    "corners": Measure("Roundness of corners", 0, 16, 1, "px", 6),
    "measure": Measure("Longest line of text, in letters", 40, 110, 1, "ch", 68),
    "leading": Measure("Height of a line", 1.2, 2, 0.05, "", 1.55),
}

_DEFAULTS = {name: measure.default for name, measure in MEASURES.items()}


@dataclass(frozen=True)
class Theme:
    """Every colour as ``#rrggbb`` by token, every measure by token; ``scheme`` decides what is not a token (hues)."""

    colours: Mapping[str, str]
    scheme: Scheme = "dark"
    measures: Mapping[str, float] = field(
        default_factory=lambda: {name: each.default for name, each in MEASURES.items()}
    )
    name: str = "My theme"


def check_theme(values: Mapping[str, Any]) -> Theme:
    """The theme in ``values``: ``name``, ``scheme``, ``colours`` and ``measures``.

    Raises Invalid, with ``field`` naming the token, for anything that is not exactly a colour or a number in its range:
    what passes may stand in a style sheet.
    """
    scheme, name = values.get("scheme"), values.get("name", "")
    colours, measures = values.get("colours"), values.get("measures", {})
    if scheme not in ("light", "dark"):
        raise Invalid("A theme is either light or dark.", field="scheme")
    if not isinstance(name, str) or len(name) > LONGEST_NAME or not name.isprintable():
        raise Invalid(f"The name must be one line of up to {LONGEST_NAME} characters.", field="name")
    if not isinstance(colours, Mapping) or not isinstance(measures, Mapping):
        raise Invalid("A theme has colours and measures, by name.", field="colours")
    return Theme(
        {token: _colour(token, colours.get(token)) for token in COLOUR_NAMES},
        cast(Scheme, scheme),
        {token: _number(token, measures.get(token, _DEFAULTS[token])) for token in MEASURES},
        name.strip() or "My theme",
    )


def theme_css(theme: Theme) -> str:
    """The style sheet that puts the theme on. Every value in it passed :func:`check_theme`."""
    lines = [f"color-scheme: {theme.scheme};"]
    lines += [f"--{token}: {colour};" for token, colour in theme.colours.items()]
    lines += [f"--{token}: {value:g}{MEASURES[token].unit};" for token, value in theme.measures.items()]
    body = "\n".join(f"    {line}" for line in lines)
    return f'@layer tokens {{\n  [data-theme="own"] {{\n{body}\n  }}\n}}\n'


def theme_file(theme: Theme) -> str:
    """The theme as a file to give away: JSON."""
    return json.dumps({FILE_MARK: FILE_VERSION, **asdict(theme)}, ensure_ascii=False, indent=2) + "\n"


def theme_from_file(content: bytes) -> Theme:
    """The theme in a file. Raises Invalid, with ``field`` ``file``, saying what is wrong with it."""
    if len(content) > LARGEST_FILE_BYTES:
        raise Invalid(f"A theme file has at most {LARGEST_FILE_BYTES:,} bytes.", field="file")
    try:
        values = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Invalid("That is not a theme file: it holds no JSON.", field="file") from error
    if not isinstance(values, dict) or values.get(FILE_MARK) != FILE_VERSION:
        raise Invalid(f"That is not a theme file: “{FILE_MARK}” must be {FILE_VERSION}.", field="file")
    try:
        return check_theme(values)
    except Invalid as problem:
        raise Invalid(f"The theme in that file cannot be used. {problem.message}", field="file") from problem


def find_theme(connection: Connection) -> tuple[Theme, datetime] | None:
    """The stored theme and when it was stored; None when there is none that can be used."""
    found = find_stamped(connection, KEY)
    if found is None:
        return None
    try:
        return check_theme(json.loads(found[0])), found[1]
    except (Invalid, TypeError, ValueError):
        return None


def keep_theme(connection: Connection, theme: Theme, now: datetime) -> None:
    """Store the theme in place of the one that was stored, and use it."""
    update_setting(connection, KEY, json.dumps(asdict(theme)), now=now)
    update_setting(connection, "theme", "own", now=now)


def forget_theme(connection: Connection, fallback: Literal["auto", "light", "dark"], now: datetime) -> None:
    """Remove the stored theme; ``fallback`` is used from now on."""
    delete_setting(connection, KEY)
    update_setting(connection, "theme", fallback, now=now)


def _colour(token: str, value: Any) -> str:
    if not isinstance(value, str) or not HEX.fullmatch(value.lower()):
        raise Invalid(f"The colour {token} must be written as # and six hexadecimal digits.", field=token)
    return value.lower()


def _number(token: str, value: Any) -> float:
    measure = MEASURES[token]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not measure.least <= value <= measure.most:
        raise Invalid(f"{measure.label} must be a number from {measure.least:g} to {measure.most:g}.", field=token)
    return float(value)
