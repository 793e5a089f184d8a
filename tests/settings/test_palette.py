"""Colours by calculation, and the contrast of every theme that comes with FORLLM."""

import re
from pathlib import Path

import pytest

from forllm_server.config import static_dir
from forllm_server.settings.palette import (
    DEMANDS,
    SIGN,
    TEXT,
    Scheme,
    colour_of,
    contrast,
    from_oklch,
    palette,
    read_tokens,
    shortfalls,
    to_hex,
)

CSS = static_dir() / "css"
BASE = (CSS / "tokens" / "colours.css").read_text("utf-8")
THEMES = sorted((CSS / "themes").glob("*.css"))
HUES = [float(hue) for hue in re.findall(r"--hue: (\d+)", (CSS / "tokens" / "hues.css").read_text("utf-8"))]


@pytest.mark.parametrize(
    ("oklch", "expected"),
    [((1, 0, 0), "#ffffff"), ((0, 0, 0), "#000000"), ((0.627955, 0.257683, 29.2339), "#ff0000")],
)
def test_oklch_becomes_the_colour_that_a_browser_shows(oklch: tuple[float, float, float], expected: str) -> None:
    assert to_hex(from_oklch(*oklch)) == expected


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_a_value_is_read_for_each_scheme() -> None:
    value = "light-dark(oklch(1 0 0), oklch(0 0 0))"
    assert (colour_of(value, "light"), colour_of(value, "dark")) == ("#ffffff", "#000000")
    assert colour_of("color-mix(in oklab, var(--ground) 90%, transparent)", "light") is None
    assert colour_of("oklch(0.3 0.02 265 / 0.13)", "light") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.stem)
def test_every_theme_has_the_contrast_that_reading_needs(theme: Path, scheme: Scheme) -> None:
    colours = palette(read_tokens(BASE) | read_tokens(theme.read_text("utf-8")), scheme)
    assert {name for demand in DEMANDS for name in (demand.ink, demand.paper)} <= colours.keys()
    found = [(each.demand.ink, each.demand.paper, round(each.ratio, 2)) for each in shortfalls(colours)]
    assert found == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.stem)
def test_every_persona_can_be_read_in_every_theme(theme: Path, scheme: Scheme) -> None:
    """Names in a persona's hue are text; its line and its mark are signs."""
    colours = palette(read_tokens(BASE) | read_tokens(theme.read_text("utf-8")), scheme)
    rules = read_tokens((CSS / "tokens" / "hues.css").read_text("utf-8").replace("var(--hue)", "@"))
    found = []
    for hue in HUES:
        of_hue = palette({name: value.replace("@", f"{hue:g}") for name, value in rules.items()}, scheme)
        pairs = [("hue-text", colours["ground"], TEXT), ("hue-text", colours["surface"], TEXT)]
        pairs += [("hue-text", of_hue["hue-soft"], SIGN)]
        found += [
            (hue, name, paper, round(contrast(of_hue[name], paper), 2))
            for name, paper, least in pairs
            if contrast(of_hue[name], paper) < least
        ]
    assert found == []


def test_themes_redefine_colours_and_nothing_else() -> None:
    known = read_tokens(BASE).keys() | {"glint"}
    assert {name for theme in THEMES for name in read_tokens(theme.read_text("utf-8"))} <= known
