"""Every component in its states, photographed: at a desk and on a phone, by night and by day, and checked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser

from tests.support.browser import accessibility_faults, is_scrolled_sideways
from tests.support.pictures import PICTURES, WIDTHS, debugged, patterns, photograph

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with debugged(folder) as url:
        yield url


@pytest.mark.parametrize("scheme", ["dark", pytest.param("light", marks=pytest.mark.thorough)])
@pytest.mark.parametrize("sight", WIDTHS)
def test_the_patterns_are_accessible_fit_and_can_be_photographed(
    browser: Browser, address: str, tmp_path: Path, scheme: Literal["dark", "light"], sight: str
) -> None:
    with patterns(browser, address, scheme, WIDTHS[sight]) as (page, watch):
        assert accessibility_faults(page) == []
        assert not is_scrolled_sideways(page)
        pictures = photograph(page, scheme, tmp_path)
        assert watch.complaints == []
    assert min(picture.stat().st_size for picture in pictures) > 2_000
    missing = [picture.name for picture in pictures if not (PICTURES / picture.name).is_file()]
    assert missing == [], "take them with: python -m tests.support.pictures"
