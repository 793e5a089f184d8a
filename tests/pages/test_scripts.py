"""The pages in a real browser: what the scripts add, what works without them, and what a checker says of them."""

import logging
import os
import shutil
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright
from werkzeug.serving import make_server

from forllm_server.app import create_app
from forllm_server.config import Config
from forllm_server.db import Database, metadata
from forllm_server.forum.editing import add_reply
from forllm_server.queue.chunk_store import insert_chunk
from forllm_server.queue.version_store import bump_versions
from tests.support.app import SECRET_KEY
from tests.support.world import World, make_world, queue_request

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    executable = os.environ.get("FORLLM_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def world(sqlite_database: Database, now: datetime) -> World:
    return make_world(sqlite_database, now)


@pytest.fixture
def address(sqlite_database: Database, tmp_path: Path) -> Iterator[str]:
    """A real server over the test's database."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, lambda environ, start: app(environ, start), threaded=True)
    app = create_app(Config(data_dir=tmp_path, port=server.server_port), sqlite_database, secret_key=SECRET_KEY)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Page]:
    """A page that fails its test for anything a script or the content policy complains about."""
    context = chromium.new_context(base_url=address)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert complaints == []


def poll(page: Page) -> None:
    page.evaluate("document.querySelector('forllm-thread').poll()")


def reply(database: Database, parent_id: int, now: datetime, content: str) -> int:
    with database.transaction() as connection:
        return add_reply(connection, owner_id=1, parent_id=parent_id, content=content, now=now).id


def set_running(database: Database, llm_request_id: int, now: datetime) -> None:
    requests = metadata.tables["llm_requests"]
    values = {"status": "running", "run": 1, "started_at": now, "first_token_at": now, "output_tokens": 3}
    with database.transaction() as connection:
        connection.execute(requests.update().where(requests.c.id == llm_request_id).values(values))
        bump_versions(connection, 1)


def write(database: Database, llm_request_id: int, seq: int, text: str) -> None:
    with database.transaction() as connection:
        insert_chunk(connection, llm_request_id, run=1, seq=seq, text=text, thinking="")
        bump_versions(connection, 1)


def test_a_text_grows_in_place_and_becomes_the_reply(
    page: Page, world: World, sqlite_database: Database, now: datetime
) -> None:
    queued = queue_request(sqlite_database, world, now)
    page.goto("/topics/1")
    set_running(sqlite_database, queued.id, now)
    write(sqlite_database, queued.id, 1, "It ")
    poll(page)
    expect(page.locator(".pending__text--writing")).to_have_text("It ")
    page.evaluate("window.row = document.querySelector('[data-pending]')")
    write(sqlite_database, queued.id, 2, "grows.")
    poll(page)
    expect(page.locator(".pending__text--writing")).to_have_text("It grows.")
    assert page.evaluate("window.row.isConnected")


def test_new_replies_above_do_not_move_what_is_read_and_are_offered(
    page: Page, world: World, sqlite_database: Database, now: datetime
) -> None:
    first = reply(sqlite_database, 1, now, "The first answer")
    for number in range(30):
        reply(sqlite_database, 1, now, f"Paragraph {number}\n\nmore of it")
    page.goto("/topics/1")
    target = page.locator("#post-20")
    target.evaluate("row => row.scrollIntoView({behavior: 'instant'})")
    before = target.bounding_box()
    for number in range(2):
        reply(sqlite_database, first, now, f"New above {number}\n\nand long\n\nand longer")
    poll(page)
    button = page.get_by_role("button", name="2 new replies")
    expect(button).to_be_visible()
    after = target.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(after["y"] - before["y"]) < 2
    assert page.locator("[data-announcements]").text_content() == "2 new replies"
    button.click()
    expect(page.get_by_text("New above 0")).to_be_in_viewport()


def test_a_reply_being_written_survives_what_arrives(
    page: Page, world: World, sqlite_database: Database, now: datetime
) -> None:
    page.goto("/topics/1")
    page.locator("#post-1").get_by_role("link", name="Reply", exact=True).click()
    field = page.get_by_label("Reply to You")
    expect(field).to_be_focused()
    field.fill("Half a thought")
    reply(sqlite_database, 1, now, "Meanwhile")
    poll(page)
    expect(page.get_by_text("Meanwhile")).to_be_visible()
    expect(field).to_have_value("Half a thought")
    expect(page.get_by_text("tokens for Assistant")).to_be_visible()
    field.press("Control+Enter")
    expect(page.locator("article .prose", has_text="Half a thought")).to_be_visible()


def test_the_toolbar_and_the_preview_help_with_markdown(page: Page, world: World) -> None:
    page.goto("/subforums/1/topics/new")
    field = page.get_by_label("First post")
    field.fill("word")
    field.press("Control+a")
    page.get_by_role("button", name="Bold").click()
    expect(field).to_have_value("**word**")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("[data-previewed] strong")).to_have_text("word")


def test_a_question_is_called_off_without_leaving_the_place(
    page: Page, world: World, sqlite_database: Database, now: datetime
) -> None:
    queue_request(sqlite_database, world, now - timedelta(minutes=1))
    page.goto("/topics/1")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".state", has_text="cancelled").first).to_be_visible()
    assert page.url.endswith("/topics/1")


def test_without_scripts_everything_can_be_read_posted_and_asked(chromium: Browser, address: str, world: World) -> None:
    context = chromium.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/topics/1")
    page.locator("#post-1").get_by_role("link", name="Reply", exact=True).click()
    page.get_by_label("Reply to You").fill("Plain HTML")
    page.get_by_role("button", name="Post reply").click()
    expect(page.get_by_text("Plain HTML")).to_be_visible()
    page.locator("#post-1").get_by_role("link", name="Ask…").click()
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator(".post--pending")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("cancelled").first).to_be_visible()
    context.close()


PATHS = (
    "/", "/subforums/1", "/subforums/1/topics/new", "/subforums/1/personas", "/topics/1", "/posts/1/ask", "/queue",
    "/queue/1", "/personas", "/personas/1", "/personas/1/edit", "/schedule", "/backends", "/backends/2", "/settings",
    "/trash", "/nowhere",
)  # fmt: skip


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("light", 375),
        pytest.param("dark", 1280, marks=pytest.mark.thorough),
        pytest.param("light", 1280, marks=pytest.mark.thorough),
        pytest.param("dark", 375, marks=pytest.mark.thorough),
    ],
)
def test_a_checker_finds_nothing_and_nothing_sticks_out(
    chromium: Browser,
    address: str,
    world: World,
    sqlite_database: Database,
    now: datetime,
    width: int,
    scheme: str,
) -> None:
    queue_request(sqlite_database, world, now)
    reply(sqlite_database, 1, now, "# Heading\n\n`code`\n\n```py\nx = 1\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |")
    context = chromium.new_context(
        base_url=address, viewport={"width": width, "height": 800}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    for path in PATHS:
        page.goto(path)
        found = Axe().run(page, options={"preload": False})
        problems = [(item["id"], item["nodes"][0]["html"][:160]) for item in found.response["violations"]]
        assert problems == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    context.close()
