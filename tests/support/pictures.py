"""The pictures of docs/design.md, taken of the page of patterns.

``python -m tests.support.pictures`` writes them anew into docs/pictures.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page

from forllm_server.config import CHECKOUT
from tests.support.browser import Watch, chromium, watched
from tests.support.processes import ForllmProcess

PICTURES = CHECKOUT / "docs" / "pictures"
WIDTHS = {"desk": 1280, "phone": 375}


@contextmanager
def debugged(folder: Path) -> Iterator[str]:
    """The address of a forum that was started to debug, without workers."""
    options = ("--port", "0", "--debug", "--workers", "0", "--no-embedded")
    with ForllmProcess("serve", folder / "data", *options, log=folder / "serve.log") as process:
        yield process.wait_until_open()


@contextmanager
def patterns(browser: Browser, url: str, scheme: Literal["dark", "light"], width: int) -> Iterator[tuple[Page, Watch]]:
    """The page of patterns, open."""
    view = {"width": width, "height": 900}
    with watched(browser, url, color_scheme=scheme, viewport=view, reduced_motion="reduce") as (page, watch):
        page.goto("/status/patterns")
        yield page, watch


def photograph(page: Page, scheme: str, folder: Path) -> list[Path]:
    """A picture of each section."""
    taken = []
    for section in page.locator("[data-pattern]").all():
        file = folder / f"patterns-{section.get_attribute('data-pattern')}-{scheme}.png"
        section.screenshot(path=file, animations="disabled")
        taken.append(file)
    return taken


def main() -> None:
    """Take them all."""
    with tempfile.TemporaryDirectory() as folder, debugged(Path(folder)) as url, chromium() as browser:
        for scheme in ("dark", "light"):
            with patterns(browser, url, scheme, 1000) as (page, _):
                photograph(page, scheme, PICTURES)


if __name__ == "__main__":
    main()
