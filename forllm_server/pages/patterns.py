"""Every component of the look in its states, for those who build pages. Only in a process that was started to debug."""

from dataclasses import dataclass

from flask import Blueprint, Response

from forllm_server.clock import now
from forllm_server.config import static_dir
from forllm_server.errors import NotFound
from forllm_server.pages.bar import bar_parts
from forllm_server.settings.palette import DEMANDS, Scheme, contrast, palette, read_tokens
from forllm_server.settings.theme import COLOURS
from forllm_server.web.current import current
from forllm_server.web.fragments import page

blueprint = Blueprint("patterns", __name__)

THEMES = ("dark", "light", "soft", "contrast")
PERSONAS = ("Assistant", "Skeptic", "Teacher", "Archivist", "Council", "Poet", "Editor", "Critic")
STEPS = ("-2", "-1", "0", "1", "2", "3")
SPACES = ("0", "1", "2", "3", "4", "5", "6")


@dataclass(frozen=True)
class Tone:
    """A colour token in one theme and scheme. ``ratio``: its lowest contrast where one is demanded, else None."""

    name: str
    what: str
    colour: str
    ratio: float | None


@blueprint.get("/status/patterns")
def show() -> Response:
    """All of them, on the theme that is on; the colours of every theme."""
    if not current().config.debug:
        raise NotFound
    return page(
        "patterns/show.html",
        tones={(theme, scheme): _tones(theme, scheme) for theme in THEMES for scheme in _schemes(theme)},
        personas=PERSONAS,
        steps=STEPS,
        spaces=SPACES,
        parts=bar_parts([("persona", 320), ("thread", 1400), ("reply", 1024)], 8192),
        now=now(),
    )


def _schemes(theme: str) -> tuple[Scheme, ...]:
    if theme == "light":
        return ("light",)
    return ("dark",) if theme == "dark" else ("dark", "light")


def _tones(theme: str, scheme: Scheme) -> list[Tone]:
    css = static_dir() / "css"
    tokens = read_tokens((css / "tokens" / "colours.css").read_text("utf-8"))
    colours = palette(tokens | read_tokens((css / "themes" / f"{theme}.css").read_text("utf-8")), scheme)
    return [
        Tone(name, what, colours[name], _lowest(name, colours))
        for group in COLOURS.values()
        for name, what in group.items()
    ]


def _lowest(name: str, colours: dict[str, str]) -> float | None:
    ratios = [contrast(colours[name], colours[demand.paper]) for demand in DEMANDS if demand.ink == name]
    return min(ratios, default=None)
