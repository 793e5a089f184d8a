"""A theme of one's own: changed in the form, kept, served as a style sheet, given away and taken in."""

import io
import json
from pathlib import Path

import pytest

from forllm_server.db import Database
from forllm_server.settings.theme import COLOUR_NAMES
from tests.pages.conftest import Browser
from tests.support.app import make_app


def test_the_form_begins_with_the_colours_of_a_theme_that_comes_along(browser: Browser) -> None:
    page = browser.open("/theme?start=contrast-light")
    assert page.find("input", attrs={"name": "ground"})["value"] == "#ffffff"
    assert {control["name"] for control in page.find_all("input", type="color")} == set(COLOUR_NAMES)
    assert page.find("input", attrs={"name": "scheme", "checked": True})["value"] == "light"
    browser.open("/theme?start=elsewhere")
    assert browser.status == 404


def test_a_kept_theme_is_on_every_page_as_a_style_sheet(browser: Browser) -> None:
    browser.open("/theme?start=dark")
    page = browser.send("/theme", {"ground": "#101020", "corners": "0", "name": "Ink"})
    assert page.html["data-theme"] == "own"
    address = next(link["href"] for link in page.find_all("link") if "/theme/own.css" in link["href"])
    sheet = browser.client.get(address)
    assert sheet.mimetype == "text/css"
    assert "immutable" in sheet.headers["Cache-Control"]
    assert "--ground: #101020;" in sheet.text
    assert "--corners: 0px;" in sheet.text
    assert "color-scheme: dark;" in sheet.text
    assert browser.open("/settings").find("input", attrs={"name": "theme", "value": "own", "checked": True})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ground", "red"),
        ("text", "#fff"),
        ("link", "#12345g"),
        ("line", "#000000; } body { display: none"),
        ("corners", "99"),
        ("leading", "1}"),
        ("scheme", "dusk"),
        ("name", "x" * 61),
    ],
)
def test_nothing_but_colours_and_numbers_gets_into_the_style_sheet(browser: Browser, field: str, value: str) -> None:
    browser.open("/theme")
    browser.send("/theme", {field: value, "quiet": "#abcdef"})
    assert browser.status == 422
    assert browser.page.find("input", attrs={"name": "quiet"})["value"] == "#abcdef"
    assert browser.client.get("/theme/own.css").status_code == 404


def test_colours_that_are_too_alike_are_told_without_keeping_them(browser: Browser) -> None:
    browser.open("/theme?start=light")
    assert "Everything can be read well" in browser.words()
    browser.send("/theme/contrast", {"text": "#999999"})
    assert "text on ground" in browser.words()
    assert browser.page.find("input", attrs={"name": "text"})["value"] == "#999999"
    assert browser.client.get("/theme/own.css").status_code == 404


def test_a_theme_is_given_away_and_taken_in(browser: Browser, sqlite_database: Database, tmp_path: Path) -> None:
    browser.open("/theme?start=soft-light")
    browser.send("/theme", {"name": "Für dich", "text": "#000001"})
    given = browser.client.get("/theme/file")
    assert "attachment" in given.headers["Content-Disposition"]
    browser.send("/theme/deletion", {})
    assert browser.page.html["data-theme"] == "auto"
    other = Browser(make_app(sqlite_database, tmp_path).test_client())
    other.open("/theme")
    other.send("/theme/import", {"file": (io.BytesIO(given.data), "theme.json")})
    assert "Für dich" in other.words()
    assert "--text: #000001;" in other.client.get("/theme/own.css").text
    assert other.client.get("/theme/file").data == given.data


@pytest.mark.parametrize(
    "content",
    [
        b"not json",
        b"[" * 5000,
        b"\xff\xfe",
        b"{}",
        json.dumps({"forllm_theme": 2}).encode(),
        json.dumps({"forllm_theme": 1, "scheme": "dark", "colours": {"ground": "url(x)"}}).encode(),
        json.dumps({"forllm_theme": 1, "scheme": "dark", "colours": []}).encode(),
        b'{"forllm_theme": 1' + b" " * 20_000 + b"}",
    ],
)
def test_a_file_that_is_no_theme_is_refused_and_changes_nothing(browser: Browser, content: bytes) -> None:
    browser.open("/theme")
    browser.send("/theme/import", {"file": (io.BytesIO(content), "theme.json")})
    assert browser.status == 422
    assert browser.problem("file")
    assert browser.page.find("input", attrs={"name": "ground"})["value"].startswith("#")
    assert browser.client.get("/theme/own.css").status_code == 404
