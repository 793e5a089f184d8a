"""The queue page: the evening in a sentence, the window as a bar, the plan, and the poll that keeps it fresh."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from forllm_server.db import Database, metadata
from forllm_server.queue.chunk_store import insert_chunk
from tests.pages.conftest import Browser
from tests.pages.queue_stage import clock_stands, fail, have_answered, have_window, run, world
from tests.support.world import World, insert, queue_request

__all__ = ["clock_stands", "world"]


def test_an_empty_queue_says_what_would_stand_here(browser: Browser) -> None:
    browser.open("/queue")
    assert "Nothing is queued" in browser.words()
    assert "A quiet night" in browser.words()


def test_every_list_is_there_and_another_is_refused(browser: Browser) -> None:
    for shown, path in (("plan", "/queue"), ("failed", "/queue"), ("done", "/queue/history")):
        browser.open(f"/queue?show={shown}")
        assert (browser.status, browser.path) == (200, path)
    browser.open("/queue?show=nonsense")
    assert browser.status == 422


def test_before_any_reply_has_finished_nothing_is_foretold(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    have_window(sqlite_database, now)
    queue_request(sqlite_database, world, now)
    browser.open("/queue")
    assert browser.page.h1.get_text() == "Tonight: 1 reply"
    assert "unknown until one reply has finished" in browser.words()
    assert browser.page.find("svg", class_="bar") is None


def test_the_evening_is_one_sentence_with_its_range_and_how_often_it_was_right(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    have_window(sqlite_database, now)
    have_answered(sqlite_database, world, now)
    with sqlite_database.transaction() as connection:
        moments = {"low_at": now, "middle_at": now, "high_at": now}
        insert(connection, "llm_estimates", llm_request_id=1, made_at=now, **moments)
    for _ in range(4):
        queue_request(sqlite_database, world, now, parameters={})
    browser.open("/queue")
    assert browser.page.h1.get_text() == "Tonight: 4 replies, done by 22:33"
    assert "likely 22:32–22:3" in browser.words()
    assert "1 of the last 1 were done when foretold" in browser.words()


def test_the_window_is_a_picture_with_words_and_a_table(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    have_window(sqlite_database, now)
    have_answered(sqlite_database, world, now)
    queue_request(sqlite_database, world, now, parameters={})
    browser.open("/queue")
    picture = browser.page.find("svg", class_="bar")
    assert picture.title.get_text() == "The window on Desk, by model"
    assert picture.desc.get_text() == "Desk: qwen3:8b from 22:30 to 22:30".removeprefix("Desk: ")
    # Hidden with what holds it: a table cannot be narrower than its words, and widens a phone’s page.
    cells = [cell.get_text() for cell in browser.page.select("div.for-readers td")]
    assert cells == ["Desk", "qwen3:8b", "1", "22:30", "22:30"]


def test_the_plan_names_question_persona_model_place_and_time(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    have_answered(sqlite_database, world, now)
    for _ in range(2):
        queue_request(sqlite_database, world, now, parameters={})
    browser.open("/queue")
    words = browser.words()
    assert "qwen3:8b on Desk, 2 requests" in words
    first, second = (" ".join(row.get_text(" ").split()) for row in browser.page.select("tr.line"))
    assert "1 ZFS or Btrfs? Which file system for two disks?" in first
    assert "Assistant v1" in first
    assert "21:01 21:01–21:02" in first
    assert " 2 ZFS or Btrfs?" in second
    assert "Waits for those before it on Desk." in words


def test_what_is_being_written_shows_its_growing_end_and_its_speed(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    running = run(sqlite_database, world, now, output_tokens=100)
    with sqlite_database.transaction() as connection:
        insert_chunk(connection, running.id, run=1, seq=0, text="word " * 200 + "the end", thinking="")
    browser.open("/queue")
    article = browser.page.find("article", id=f"running-{running.id}")
    assert article.find(class_="pending__text").get_text().startswith("…word")
    assert article.find(class_="pending__text").get_text().endswith("the end")
    assert "100 tokens, 5.0 a second" in article.get_text()


def test_the_poll_is_304_until_something_changes_and_sends_only_what_grows(
    browser: Browser, world: World, sqlite_database: Database, now: datetime
) -> None:
    running = run(sqlite_database, world, now, output_tokens=3)
    queue_request(sqlite_database, world, now)
    element = browser.open("/queue").find("forllm-queue")
    path, headers = f"/queue/updates?known={element['data-known']}", {"If-None-Match": element["data-tag"]}
    assert browser.client.get(path, headers=headers).status_code == 304
    requests = metadata.tables["llm_requests"]
    with sqlite_database.transaction() as connection:
        connection.execute(requests.update().where(requests.c.id == running.id).values(output_tokens=9))
    grown = browser.client.get(path, headers=headers).get_data(as_text=True)
    assert "9 tokens" in grown
    assert "tr class" not in grown
    queue_request(sqlite_database, world, now)
    answer = browser.client.get(path, headers=headers)
    assert answer.get_data(as_text=True).count('<tr class="line ') == 2
    assert browser.client.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_a_longer_queue_costs_no_more_queries(
    browser: Browser,
    world: World,
    sqlite_database: Database,
    now: datetime,
    count_queries: Callable[[Callable[[], object]], int],
) -> None:
    have_answered(sqlite_database, world, now)

    def one_of_each() -> None:
        queue_request(sqlite_database, world, now)
        fail(sqlite_database, world, now, "error")
        run(sqlite_database, world, now)

    def queries() -> list[int]:
        paths = ("/queue", "/queue?show=failed", "/queue/history", "/queue/updates", "/workers")
        return [count_queries(partial(browser.open, path)) for path in paths]

    one_of_each()
    few = queries()
    for _ in range(12):
        one_of_each()
    assert queries() == few
