"""One browser for each module: two at once would share Playwright's loop."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browser import Forum, chromium, watched


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("forum")


@pytest.fixture(scope="module")
def forum(folder: Path) -> Iterator[Forum]:
    with Forum(folder) as forum:
        yield forum


@pytest.fixture
def page(browser: Browser, forum: Forum) -> Iterator[Page]:
    """A page that fails its test for whatever a script or the content policy complains about."""
    with watched(browser, forum.url) as (page, watch):
        yield page
    assert watch.complaints == []


@pytest.fixture
def plain_page(browser: Browser, forum: Forum) -> Iterator[Page]:
    """A page that runs no script."""
    with watched(browser, forum.url, java_script_enabled=False) as (page, watch):
        yield page
    assert watch.complaints == []
