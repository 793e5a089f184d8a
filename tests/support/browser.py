"""A forum in a real process and a real Chromium before it.

with chromium() as browser, Forum(folder) as forum, watched(browser, forum.url) as (page, watch):
    page.goto("/")
    assert watch.complaints == []
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.support.processes import ForllmProcess, wait_for
from tests.support.scripted_server import Script, ScriptedServer

#: How long an expectation waits: more than the ten seconds between two looks of a page at a waiting thread.
PATIENCE_MS = 20_000
DESK = {"width": 1280, "height": 900}
PHONE = {"width": 375, "height": 740}
MODEL = "night-writer"

_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`content policy: ${event.violatedDirective} ${event.blockedURI}`));
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser, from $FORLLM_CHROMIUM or the path."""
    found = os.environ.get("FORLLM_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=_FLAGS)
        yield browser
        browser.close()


@dataclass
class Watch:
    """What a page did that no page may: errors of scripts, violations of the content policy, requests elsewhere."""

    origin: str
    complaints: list[str] = field(default_factory=list)

    def heard(self, message: ConsoleMessage) -> None:
        # An error page that was asked for is told on the console too; only what a page fetched itself counts.
        is_own_status = message.text.startswith("Failed to load resource") and self._is_document(message)
        if message.type in ("error", "warning") and not is_own_status:
            self.complaints.append(f"{message.text} {message.location}")

    def asked(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:", "about:")):
            self.complaints.append(f"a request to {request.url}")

    @staticmethod
    def _is_document(message: ConsoleMessage) -> bool:
        return message.page is not None and message.location.get("url") == message.page.url


@contextmanager
def watched(browser: Browser, origin: str, **options: Any) -> Iterator[tuple[Page, Watch]]:
    """A page in a context of its own, with relative addresses; ``options`` are those of a Playwright context."""
    context = browser.new_context(**{"base_url": origin, "viewport": DESK, **options})
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(_REPORT_VIOLATIONS)
    watch = Watch(origin)
    context.on("console", watch.heard)
    context.on("weberror", lambda fault: watch.complaints.append(str(fault.error)))
    context.on("request", watch.asked)
    yield context.new_page(), watch
    context.close()


class Forum:
    """A `serve` on an empty folder, and a scripted llama.cpp server as its default model. Ends both."""

    def __init__(self, folder: Path, *, answers: Script | None = None) -> None:
        self.models = ScriptedServer("llama_cpp", models=(MODEL,), default=answers or Script())
        self.process = ForllmProcess("serve", folder / "data", "--port", "0", log=folder / "serve.log")
        self.url = ""
        self.backend_id = 0
        self.model_id = 0

    def __enter__(self) -> Self:
        self.url = self.process.wait_until_open()
        new = {"name": "Desk", "kind": "llama_cpp", "base_url": self.models.url, "concurrency": 1}
        self.backend_id = self.api("POST", "backends", new)["id"]
        self.api("POST", f"backends/{self.backend_id}/probe")
        models = self.api("GET", "models")["items"]
        self.model_id = next(model["id"] for model in models if model["backend_id"] == self.backend_id)
        self.api("PATCH", "settings", {"default_model_id": self.model_id})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.__exit__(kind, error, trace)
        self.models.close()

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON answer of the API."""
        return self.process.api(method, path, body)

    def subforum(self, name: str = "Workshop", description: str = "What is being made") -> int:
        """A new subforum; its id."""
        return int(self.api("POST", "subforums", {"name": name, "description": description})["id"])

    def topic(self, subforum_id: int, title: str, content: str = "What do you think?") -> tuple[int, int]:
        """A new topic about which nobody is asked; its id and that of its first post."""
        made = self.api("POST", f"subforums/{subforum_id}/topics", {"title": title, "content": content, "ask": []})
        return int(made["id"]), int(made["first_post"]["id"])

    def reply(self, post_id: int, content: str) -> int:
        """A new reply; its id."""
        return int(self.api("POST", f"posts/{post_id}/replies", {"content": content, "ask": []})["id"])

    def ask(self, post_id: int, **wishes: Any) -> int:
        """Ask the default persona about a post; the id of the LLM request."""
        return int(self.api("POST", f"posts/{post_id}/llm-requests", wishes)["id"])

    def wait_for_status(self, llm_request_id: int, *statuses: str) -> Any:
        """Wait until an LLM request is in one of these states; it, then."""

        def seen() -> Any:
            found = self.api("GET", f"llm-requests/{llm_request_id}")
            return found if found["status"] in statuses else None

        return wait_for(seen, " or ".join(statuses), self.process.words)

    def answered(self, post_id: int) -> int:
        """Ask about a post and wait for the reply; the reply's id."""
        return int(self.wait_for_status(self.ask(post_id), "succeeded")["reply_post_id"])


def accessibility_faults(page: Page) -> list[str]:
    """What the checker axe finds wrong on the page as it stands: rule, weight and the first element it is about."""
    found = Axe().run(page, options={"resultTypes": ["violations"], "preload": False})
    return [
        f"{item['id']} ({item['impact']}): {item['nodes'][0]['html'][:200]} {item['nodes'][0]['failureSummary'][:200]}"
        for item in found.response["violations"]
    ]


def is_scrolled_sideways(page: Page) -> bool:
    """Whether the document is wider than the window."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def poll_now(page: Page) -> None:
    """Let the open thread look for news at once instead of at its pace."""
    page.evaluate("document.querySelector('forllm-thread').poll()")
