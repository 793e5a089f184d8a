"""Reading a topic: unread posts, where to go on, the two views, votes, folding, quotes, and all about a post."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from forllm_server.activity import seen_store
from forllm_server.db import Database, metadata
from forllm_server.forum.editing import add_reply, answer_post
from forllm_server.forum.model import Answer
from tests.pages.conftest import Browser
from tests.support.world import World, make_world, queue_request


@pytest.fixture
def world(browser: Browser, sqlite_database: Database, now: datetime) -> World:
    return make_world(sqlite_database, now)


def reply(database: Database, parent_id: int, now: datetime, content: str = "A reply") -> int:
    with database.transaction() as connection:
        return add_reply(connection, owner_id=1, parent_id=parent_id, content=content, now=now).id


def answer(database: Database, parent_id: int, now: datetime, *, model_name: str = "qwen3:8b") -> int:
    """A persona's answer without an LLM request of its own."""
    with database.transaction() as connection:
        answered = Answer(
            llm_request_id=900 + parent_id,
            owner_id=1,
            parent_id=parent_id,
            content="It depends.",
            persona_version_id=1,
            persona_name="Assistant",
            model_name=model_name,
            parameters={"temperature": 0.5, "seed": None},
            usage={"completion_tokens": 40, "prompt_tokens": 900, "generation_seconds": 4, "is_complete_thread": True},
        )
        return answer_post(connection, answered, now)


def unseen(browser: Browser) -> list[str]:
    return [row["id"] for row in browser.page.find_all("article", attrs={"data-unseen": True})]


def see(browser: Browser, *post_ids: int, topic_id: int = 1) -> int:
    token = browser.page.find("input", attrs={"name": "csrf_token"})["value"]
    named = ",".join(str(post_id) for post_id in post_ids)
    form = {"csrf_token": token, "post_ids": named, "is_quiet": "1"}
    return browser.client.post(f"/topics/{topic_id}/seen", data=form).status_code


def test_looking_at_a_topic_changes_nothing_and_what_the_script_saw_is_seen(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    post_id = answer(sqlite_database, world.post_id, now)
    browser.open("/topics/1")
    browser.open("/topics/1")
    assert unseen(browser) == ["post-1", f"post-{post_id}"]
    assert "post--unread" in browser.page.find(id=f"post-{post_id}")["class"]
    assert "post--unread" not in browser.page.find(id="post-1")["class"]
    assert see(browser, 1, post_id) == 204
    browser.open("/topics/1")
    assert unseen(browser) == []
    assert not browser.page.find("a", string="First unread")


def test_without_a_script_a_button_marks_what_the_page_shows(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    for _ in range(60):
        reply(sqlite_database, world.post_id, now)
    form = browser.open("/topics/1").find("noscript").find("form", action="/topics/1/seen")
    fields = {field["name"]: field["value"] for field in form.find_all("input")}
    assert browser.client.post("/topics/1/seen", data=fields).status_code == 303
    browser.open("/topics/1")
    assert unseen(browser) == []
    browser.open(browser.page.find("a", rel="next")["href"])
    assert len(unseen(browser)) == 11


@pytest.mark.parametrize("post_ids", ["x", "1,-2", "1 2", ",".join(["7"] * 501)])
def test_marks_that_cannot_be_read_are_refused(browser: Browser, world: World, post_ids: str) -> None:
    browser.open("/topics/1")
    token = browser.page.find("input", attrs={"name": "csrf_token"})["value"]
    refused = browser.client.post("/topics/1/seen", data={"csrf_token": token, "post_ids": post_ids})
    assert refused.status_code == 422


def test_the_first_unread_post_is_found_on_its_page(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    ids = [reply(sqlite_database, world.post_id, now) for _ in range(120)]
    browser.open("/topics/1")
    see(browser, 1, *ids[:80])
    browser.open("/topics/1")
    response = browser.client.get("/topics/1/unread", follow_redirects=False)
    assert response.headers["Location"] == f"/posts/{ids[80]}"
    browser.open("/topics/1/unread")
    assert f"post-{ids[80]}" in unseen(browser)
    see(browser, *ids[80:])
    browser.open("/topics/1/unread")
    assert "You have seen everything here." in browser.words()


def test_what_one_opens_oneself_is_not_unread(browser: Browser, world: World, sqlite_database: Database) -> None:
    browser.open("/subforums/1/topics/new")
    browser.send("/subforums/1/topics/new", {"title": "Mine", "content": "x"}, button={"is_asking": "0"})
    assert unseen(browser) == []
    with sqlite_database.read() as connection:
        assert seen_store.list_topic_marks(connection, 1, [2])[2].is_unread is False


def test_a_muted_topic_is_quiet_until_something_comes_after_it_was_muted_no_longer(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    assert browser.open("/").find(class_="row--unread")
    browser.open("/topics/1")
    browser.send("/topics/1/attention", {"attention": "muted"})
    assert unseen(browser) == []
    assert "muted" in browser.page.find("header", class_="heading").get_text()
    assert not browser.open("/").find(class_="row--unread")
    reply(sqlite_database, world.post_id, now + timedelta(minutes=1))
    browser.open("/topics/1")
    browser.send("/topics/1/attention", {"attention": ""})
    assert not browser.open("/").find(class_="row--unread")
    reply(sqlite_database, world.post_id, now + timedelta(minutes=2))
    assert browser.open("/").find(class_="row--unread").find("a", string="1 new post")


def test_the_flat_view_is_in_the_order_of_writing_and_is_remembered(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    first = reply(sqlite_database, world.post_id, now)
    second = reply(sqlite_database, world.post_id, now)
    below_first = reply(sqlite_database, first, now)
    queued = queue_request(sqlite_database, world, now, post_id=first)
    browser.open("/topics/1")
    order = [row["id"] for row in browser.page.find_all("article")]
    assert order == ["post-1", f"post-{first}", f"post-{below_first}", f"pending-{queued.id}", f"post-{second}"]
    browser.send("/topics/1/view", {"view": "flat"})
    order = [row["id"] for row in browser.page.find_all("article")]
    assert order == ["post-1", f"post-{first}", f"post-{second}", f"post-{below_first}", f"pending-{queued.id}"]
    row = browser.page.find(id=f"post-{below_first}")
    assert "depth-0" in row["class"]
    assert row.find("a", href=f"/posts/{first}", string="answers You")
    assert browser.open("/topics/1").find("button", value="flat")["aria-pressed"] == "true"
    assert browser.open("/topics/1?view=tree").find("button", value="tree")["aria-pressed"] == "true"


def test_the_flat_view_has_pages_permanent_links_and_a_poll(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    ids = [reply(sqlite_database, world.post_id, now) for _ in range(120)]
    browser.open("/topics/1")
    browser.send("/topics/1/view", {"view": "flat"})
    browser.open(browser.page.find("a", rel="next")["href"])
    assert browser.page.find("article")["id"] == f"post-{ids[49]}"
    browser.open(browser.page.find("a", rel="prev")["href"])
    assert browser.page.find("article")["id"] == "post-1"
    page = browser.open(f"/posts/{ids[100]}")
    shown = [row["id"] for row in page.find_all("article")]
    assert f"post-{ids[100]}" in shown
    thread = page.find("forllm-thread")
    names = ("from", "until", "base", "pending", "view")
    query = "&".join(f"{name}={thread[f'data-{name}']}" for name in names)
    late = reply(sqlite_database, ids[0], now)
    fresh = browser.open(f"/topics/1/updates?{query}")
    assert [row["id"] for row in fresh.find_all("article")] == [*shown, f"post-{late}"]
    assert browser.client.get("/topics/1?view=flat&after=ff").status_code == 422


def test_a_post_is_voted_for_and_a_second_press_takes_it_back(browser: Browser, world: World) -> None:
    def pressed() -> list[str]:
        buttons = browser.page.find_all("button", class_="vote", attrs={"aria-pressed": "true"})
        return [button["aria-label"] for button in buttons]

    browser.open("/topics/1")
    token = browser.page.find("form", id="act-1").find("input")["value"]
    for direction, expected in (("up", ["Vote for"]), ("down", ["Vote against"]), ("down", [])):
        answered = browser.client.post(f"/posts/1/{direction}", data={"csrf_token": token})
        assert answered.status_code == 303
        browser.open("/topics/1")
        assert pressed() == expected
    assert browser.client.post("/posts/99/up", data={"csrf_token": token}).status_code == 404


def test_a_quote_leads_to_the_post_and_back(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    quote = "> **You** [#1](/posts/1):\n>\n> Which file system?\n\nBtrfs."
    first = reply(sqlite_database, world.post_id, now, quote)
    browser.open("/topics/1")
    page = browser.open("/topics/1")
    assert page.find(id=f"post-{first}").find("blockquote").find("a", href="/posts/1")
    assert page.find(id="post-1").find("a", href=f"/posts/{first}", string=f"#{first}")
    reply(sqlite_database, world.post_id, now, quote)
    browser.open("/topics/1")
    head = browser.open("/topics/1").find(id="post-1").header
    assert "quoted by 2" in " ".join(head.get_text().split())


def test_a_long_post_is_folded_and_can_be_unfolded_without_a_script(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    post_id = reply(sqlite_database, world.post_id, now, "A line.\n\n" * 200)
    row = browser.open("/topics/1").find(id=f"post-{post_id}")
    assert "post__body--long" in row.find(class_="prose")["class"]
    assert "Show all 400 lines" in row.find("details").get_text()
    assert not browser.page.find(id="post-1").find("details")


def test_the_line_of_an_answer_is_short_and_the_rest_one_click_away(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    post_id = answer(sqlite_database, world.post_id, now)
    line = browser.open("/topics/1").find(id=f"post-{post_id}").header.get_text(" ", strip=True)
    assert "v1 · qwen3:8b" in line
    assert "40 tokens" in line
    assert "temperature" not in line.lower()
    browser.open(f"/posts/{post_id}/details")
    for words in ("Assistant v1", "40 tokens, 10.0 a second", "900 tokens", "Temperature 0.5", "the whole thread"):
        assert words in browser.words()
    assert "Seed" not in browser.words()
    fragment = browser.client.get(f"/posts/{post_id}/details", headers={"HX-Request": "true"})
    assert "<html" not in fragment.get_data(as_text=True)


def test_answers_of_the_embedded_model_are_marked(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    models = metadata.tables["models"]
    with sqlite_database.transaction() as connection:
        connection.execute(update(models).values(backend_id=1, name="tiny"))
    tiny = answer(sqlite_database, world.post_id, now, model_name="tiny")
    other = answer(sqlite_database, tiny, now)
    page = browser.open("/topics/1")
    assert page.find(id=f"post-{tiny}").find("a", string="tiny model")["title"].startswith("Written by the embedded")
    assert not page.find(id=f"post-{other}").find("a", string="tiny model")


def test_what_was_written_before_a_failure_can_be_posted(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    queued = queue_request(sqlite_database, world, now)
    requests, chunks = metadata.tables["llm_requests"], metadata.tables["llm_chunks"]
    with sqlite_database.transaction() as connection:
        failed = {"status": "failed", "cause": "error", "run": 1, "finished_at": now, "started_at": now}
        connection.execute(requests.update().where(requests.c.id == queued.id).values(failed))
        chunk = {"llm_request_id": queued.id, "run": 1, "seq": 1, "text": "Half a thought", "thinking": ""}
        connection.execute(chunks.insert().values(chunk))
    browser.open("/topics/1")
    browser.send(f"/queue/{queued.id}/partial-reply", {})
    assert "Half a thought" in browser.page.find("article", class_="hue-" + hue(browser)).get_text()


def hue(browser: Browser) -> str:
    found = browser.page.find("article", class_=lambda names: names and "hue-" in names)
    return next(str(name) for name in found["class"] if name.startswith("hue-")).removeprefix("hue-")


def test_reading_costs_no_more_statements_with_more_posts_in_either_view(
    browser: Browser,
    world: World,
    sqlite_database: Database,
    now: datetime,
    count_queries: Callable[[Callable[[], object]], int],
) -> None:
    answer(sqlite_database, world.post_id, now)
    browser.open("/topics/1")
    few = {view: count_queries(lambda view=view: browser.open(f"/topics/1?view={view}")) for view in ("tree", "flat")}
    parent = world.post_id
    for _ in range(40):
        parent = reply(sqlite_database, answer(sqlite_database, reply(sqlite_database, parent, now), now), now)
    browser.open("/topics/1")
    many = {view: count_queries(lambda view=view: browser.open(f"/topics/1?view={view}")) for view in ("tree", "flat")}
    assert many["tree"] == few["tree"]
    assert many["flat"] <= few["flat"]
