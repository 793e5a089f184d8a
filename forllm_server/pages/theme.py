"""The theme page: a look of one's own, changed while it is looked at, kept, given away and taken in."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from flask import Blueprint, Response, make_response, request

from forllm_server.clock import now
from forllm_server.config import static_dir
from forllm_server.errors import Invalid, NotFound
from forllm_server.pages.frame import current_settings
from forllm_server.settings.palette import DEMANDS, Scheme, contrast, palette, read_tokens, shortfalls
from forllm_server.settings.theme import (
    COLOUR_NAMES,
    COLOURS,
    LARGEST_FILE_BYTES,
    MEASURES,
    Theme,
    check_theme,
    find_theme,
    forget_theme,
    keep_theme,
    theme_css,
    theme_file,
    theme_from_file,
)
from forllm_server.web.assets import FOR_EVER
from forllm_server.web.current import current
from forllm_server.web.forms import Form, shows_again, was_entered
from forllm_server.web.fragments import notice, page, see_other

blueprint = Blueprint("theme", __name__)

#: What a theme can begin with: the style sheet that comes with FORLLM, and its scheme.
STARTS: dict[str, tuple[str, Scheme, str]] = {
    "dark": ("dark", "dark", "dark"),
    "light": ("light", "light", "light"),
    "soft-dark": ("soft", "dark", "soft, dark"),
    "soft-light": ("soft", "light", "soft, light"),
    "contrast-dark": ("contrast", "dark", "high contrast, dark"),
    "contrast-light": ("contrast", "light", "high contrast, light"),
}


@blueprint.get("/theme")
def show() -> Response:
    """The colours and measures to change: of the stored theme, or of the one to start with."""
    kept = _kept()
    start = request.args.get("start", "")
    if start and start not in STARTS:
        raise NotFound("There is no theme of that name to start with.")
    dark, light = _begins(current_settings().theme)
    theme = _start(start or dark) if start or kept is None else kept
    is_open = not (start or kept or was_entered()) and light != dark
    return _show(theme, is_kept=kept is not None, light=_start(light) if is_open else None)


@blueprint.post("/theme")
@shows_again(show)
def keep() -> Response:
    """Store the theme and put it on."""
    theme = _entered()
    with current().database.transaction() as connection:
        keep_theme(connection, theme, now())
    notice("Your theme is kept, and on.")
    return see_other("/theme")


@blueprint.post("/theme/contrast")
@shows_again(show)
def judge() -> Response:
    """What cannot be read well in the theme as it stands in the form; nothing is stored."""
    return _show(_entered(), is_kept=_kept() is not None)


@blueprint.post("/theme/import")
@shows_again(show)
def take_in() -> Response:
    """Store the theme of a file and put it on."""
    sent = request.files.get("file")
    content = sent.read(LARGEST_FILE_BYTES + 1) if sent else b""
    if not content:
        raise Invalid("Choose a theme file first.", field="file")
    theme = theme_from_file(content)
    with current().database.transaction() as connection:
        keep_theme(connection, theme, now())
    notice(f"“{theme.name}” is kept as your theme, and on.")
    return see_other("/theme")


@blueprint.post("/theme/deletion")
def forget() -> Response:
    """Remove the theme."""
    with current().database.transaction() as connection:
        forget_theme(connection, "auto", now())
    notice("Your theme is removed. The colours follow the system again.")
    return see_other("/theme")


@blueprint.get("/theme/own.css")
def style_sheet() -> Response:
    """The stored theme for a browser; its address carries when it was stored."""
    response = make_response(theme_css(_demanded()))
    response.content_type = "text/css; charset=utf-8"
    response.headers["Cache-Control"] = FOR_EVER.replace("public", "private")
    return response


@blueprint.get("/theme/file")
def give_away() -> Response:
    """The stored theme as a file."""
    response = make_response(theme_file(_demanded()))
    response.content_type = "application/json; charset=utf-8"
    response.headers["Content-Disposition"] = 'attachment; filename="theme.forllm.json"'
    return response


def _begins(theme: str) -> tuple[str, str]:
    """What to begin with on a dark and on a light screen: the theme that is on."""
    if theme in ("light", "dark"):
        return theme, theme
    sheet = f"{theme}-" if f"{theme}-dark" in STARTS else ""
    return f"{sheet}dark", f"{sheet}light"


def _show(theme: Theme, *, is_kept: bool, light: Theme | None = None) -> Response:
    """``light``: what the form holds instead on a light screen, which only the browser knows."""
    ratios = {(each.ink, each.paper): contrast(theme.colours[each.ink], theme.colours[each.paper]) for each in DEMANDS}
    return page(
        "theme/show.html",
        block="contrast",
        theme=theme,
        groups=COLOURS,
        measures=MEASURES,
        starts=STARTS,
        shortfalls=shortfalls(theme.colours),
        reading=min(ratios["text", paper] for paper in ("ground", "surface", "raised")),
        is_kept=is_kept,
        light=light,
    )


def _entered() -> Theme:
    form = Form.of_request()
    measures = {
        name: form.number(name, least=measure.least, most=measure.most, default=measure.default)
        for name, measure in MEASURES.items()
    }
    colours = {name: form.text(name, longest=20) for name in COLOUR_NAMES}
    values: dict[str, Any] = {"name": form.text("name", longest=200), "scheme": form.text("scheme", longest=20)}
    return check_theme(values | {"colours": colours, "measures": measures})


def _kept() -> Theme | None:
    with current().database.read() as connection:
        found = find_theme(connection)
    return found[0] if found else None


def _demanded() -> Theme:
    theme = _kept()
    if theme is None:
        raise NotFound("There is no theme of your own yet.")
    return theme


@cache
def _start(name: str) -> Theme:
    sheet, scheme, label = STARTS[name]
    css = static_dir() / "css"
    tokens: Mapping[str, str] = read_tokens((css / "tokens" / "colours.css").read_text("utf-8")) | read_tokens(
        (css / "themes" / f"{sheet}.css").read_text("utf-8")
    )
    colours = palette(tokens, scheme)
    return Theme({name: colours[name] for name in COLOUR_NAMES}, scheme, name=f"My {label}")
