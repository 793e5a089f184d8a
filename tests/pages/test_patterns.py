"""The page of patterns: only while debugging, and drawn from what is there."""

import re
from pathlib import Path

from forllm_server.config import static_dir
from forllm_server.db import Database
from tests.pages.conftest import Browser
from tests.support.app import make_app

#: What is drawn by its parent, or only carries meaning for a script.
WITHOUT_STYLE = {"thread"}


def test_it_is_there_only_while_debugging(browser: Browser) -> None:
    browser.open("/status/patterns")
    assert browser.status == 404


def test_every_class_on_it_is_one_that_the_style_sheets_know(sqlite_database: Database, tmp_path: Path) -> None:
    page = Browser(make_app(sqlite_database, tmp_path, debug=True).test_client()).open("/status/patterns")
    sheets = "".join(file.read_text("utf-8") for file in (static_dir() / "css").rglob("*.css"))
    known = set(re.findall(r"\.([a-z][\w-]*)", sheets)) | WITHOUT_STYLE
    used = {name for element in page.main.find_all(class_=True) for name in element["class"]}
    assert used - known == set()


def test_every_colour_of_every_theme_is_shown_with_its_contrast(sqlite_database: Database, tmp_path: Path) -> None:
    page = Browser(make_app(sqlite_database, tmp_path, debug=True).test_client()).open("/status/patterns")
    assert len(page.select(".patterns__tones")) == 6
    assert len(page.select(".patterns__tones")[0].find_all("li")) == 20
