"""Pages and polls: in the server alone (the WSGI application is called), and over HTTP from a running `serve`."""

import io
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

import requests
from bs4 import BeautifulSoup
from flask import Flask
from werkzeug.test import EnvironBuilder

from forllm_server.app import create_app
from forllm_server.cli.memory import settle
from forllm_server.cli.runtime import Installation
from tests.benchmarks.measure import Row, Scale, at_most, medians
from tests.benchmarks.places import SHAPES, Place, find_place, forum_copy, forum_folder
from tests.support.processes import ForllmProcess

_LISTS = {
    "home": "/",
    "topics of a subforum": "/subforums/1",
    "queue": "/queue",
    "queue, answered": "/queue/history?status=succeeded",
}


class Site:
    """An installation's pages, called without a network."""

    def __init__(self, installation: Installation) -> None:
        self._base_url = f"http://127.0.0.1:{installation.config.port}"
        self._app: Flask = create_app(
            installation.config, installation.database, secret_key=installation.secret_key, wake_worker=lambda: None
        )
        settle()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[float, int, dict[str, str], bytes]:
        """Ask for a page: (seconds, status, headers, body). Making the question is not counted."""
        environ = EnvironBuilder(path, base_url=self._base_url, headers=dict(headers or {}).items()).get_environ()
        environ["wsgi.errors"] = io.StringIO()
        heard: list[Any] = []

        def start_response(status: str, given: list[tuple[str, str]], _error: Any = None) -> Callable[[bytes], None]:
            heard.extend((int(status[:3]), dict(given)))
            return lambda _data: None

        started = time.perf_counter()
        answer = self._app(environ, start_response)
        body = b"".join(answer)
        seconds = time.perf_counter() - started
        close = getattr(answer, "close", None)
        if close is not None:
            close()
        return seconds, heard[0], heard[1], body

    def page(self, path: str) -> bytes:
        _, status, _, body = self.get(path)
        assert status == 200, f"{path} answered {status}: {body[:500]!r}"
        return body

    def milliseconds(self, path: str, runs: int, headers: Mapping[str, str] | None = None) -> float:
        """The median of ``runs`` calls."""
        return 1000 * median(self.get(path, headers)[0] for _ in range(runs))


class Browser:
    """The same over HTTP, on one connection that stays open."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()

    def milliseconds(self, path: str, runs: int, headers: Mapping[str, str] | None = None) -> float:
        taken = []
        for _ in range(runs):
            started = time.perf_counter()
            response = self._session.get(self._url + path, headers=headers, timeout=60)
            taken.append(time.perf_counter() - started)
            assert response.status_code in (200, 304), f"{path} answered {response.status_code}"
        return 1000 * median(taken)

    def close(self) -> None:
        self._session.close()


def measure_pages(folder: Path, scale: Scale) -> list[Row]:
    """All of it on two copies of one forum: one whose queue is empty, one with a long history."""
    rows: list[Row] = []
    with ExitStack() as stack:
        places = {}
        for name, finished in (("empty", 0), ("full", scale.finished)):
            source = forum_folder(scale.posts, scale.topic_sizes, finished=finished)
            places[name] = stack.enter_context(forum_copy(source, folder / name))
        sites = {name: Site(installation) for name, installation in places.items()}
        serve = stack.enter_context(
            ForllmProcess("serve", folder / "full", "--port", "0", "--workers", "0", log=folder / "serve.log")
        )
        browser = Browser(serve.wait_until_open())
        stack.callback(browser.close)
        place = find_place(places["full"].database, scale.topic_sizes)
        for size in scale.topic_sizes:
            rows += _measure_topics(sites["full"], browser, place, size, scale)
        rows += _measure_lists(sites, browser, scale)
    return rows


def _measure_topics(site: Site, browser: Browser, place: Place, size: int, scale: Scale) -> list[Row]:
    paths = {shape: f"/topics/{place.topic_ids[shape, size]}" for shape in SHAPES}
    first, kilobytes = {}, {}
    for shape, path in paths.items():
        # The first look renders the posts and keeps what it rendered; the second measures what is usual.
        first[shape] = 1000 * site.get(path)[0]
        kilobytes[shape] = len(site.page(path)) / 1000
    inside = _in_turns({shape: (site, path, None) for shape, path in paths.items()}, scale)
    outside = _in_turns({shape: (browser, path, None) for shape, path in paths.items()}, scale)
    is_largest = size == max(scale.topic_sizes)
    rows = []
    for shape in SHAPES:
        what = f"topic, first page, {size:,} posts, {shape}: in the server"
        note = f"{outside[shape]:.1f} ms over HTTP; {first[shape]:.0f} ms at the very first look"
        rows.append(
            at_most(what, inside[shape], "ms", 10, note) if is_largest else Row(what, inside[shape], "ms", note)
        )
        what = f"topic, first page, {size:,} posts, {shape}: HTML"
        rows.append(at_most(what, kilobytes[shape], "KB", 100))
    return rows + _measure_polls(site, browser, paths["tree"], size, scale)


def _measure_polls(site: Site, browser: Browser, path: str, size: int, scale: Scale) -> list[Row]:
    poll = poll_address(site.page(path))
    _, status, headers, _ = site.get(poll)
    assert status == 200, f"the poll answered {status}"
    known = {"If-None-Match": headers["ETag"]}
    assert site.get(poll, known)[1] == 304, "nothing changed and yet the poll was answered in full"
    inside = _in_turns({"304": (site, poll, known), "200": (site, poll, None)}, scale)
    outside = _in_turns({"304": (browser, poll, known), "200": (browser, poll, None)}, scale)
    return [
        at_most(f"poll, nothing new, {size:,} posts", inside["304"], "ms", 1, f"{outside['304']:.1f} ms over HTTP"),
        Row(f"poll, something new, {size:,} posts", inside["200"], "ms", f"{outside['200']:.1f} ms over HTTP"),
    ]


def poll_address(html: bytes) -> str:
    """What an open topic asks for again and again, put together as its script does."""
    thread = BeautifulSoup(html, "html.parser").select_one("[data-updates]")
    assert thread is not None, "the topic's page names no poll"
    names = ("from", "until", "base", "known", "pending")
    query = urlencode({name: thread.get(f"data-{name}", "") for name in names})
    return f"{thread['data-updates']}?{query}"


def _measure_lists(sites: Mapping[str, Site], browser: Browser, scale: Scale) -> list[Row]:
    pages = {
        "home": "/",
        "a subforum's topics": "/subforums/1",
        "queue": "/queue",
        "queue, answered": "/queue/history?status=succeeded",
    }
    rows = []
    for what, path in pages.items():
        sizes = {name: len(site.page(path)) / 1000 for name, site in sites.items()}
        inside = _in_turns({name: (site, path, None) for name, site in sites.items()}, scale)
        outside = _in_turns({"full": (browser, path, None)}, scale)["full"]
        rows.append(Row(f"{what}: no finished requests", inside["empty"], "ms", f"{sizes['empty']:.0f} KB"))
        note = f"{sizes['full']:.0f} KB; {outside:.1f} ms over HTTP"
        rows.append(Row(f"{what}: {scale.finished:,} finished requests", inside["full"], "ms", note))
    return rows


def _in_turns(
    asked: Mapping[str, tuple[Site | Browser, str, Mapping[str, str] | None]], scale: Scale
) -> dict[str, float]:
    """The median of each page, in milliseconds, after a look that warms everything up."""
    for asker, path, headers in asked.values():
        asker.milliseconds(path, 2, headers)

    def task(asker: Site | Browser, path: str, headers: Mapping[str, str] | None) -> Callable[[], float]:
        return lambda: asker.milliseconds(path, scale.runs, headers)

    return medians({name: task(*what) for name, what in asked.items()}, scale.repeats)
