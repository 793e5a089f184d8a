"""The pages of batches, as a browser without scripts uses them."""

import io
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from forllm_server.clock import now
from forllm_server.db import Database, metadata
from forllm_server.jobs.staging import tend_batches
from forllm_server.schedule.planning import add_window, new_window
from forllm_server.schedule.windows import DAYS
from tests.conftest import EVENING
from tests.pages.conftest import Browser
from tests.support.world import insert, insert_backend, insert_model

LIST = "/batches"
TOWNS = "town,land\nGraz,Austria\nUlm,Germany\nGraz,Austria\n"
FORM = {"title": "Towns", "text": TOWNS, "format": "csv", "template": "Is {{town}} in {{land}}?", "model_ids": ["own"]}


@pytest.fixture
def homelab(browser: Browser) -> Browser:
    browser.open("/subforums/new")
    browser.send("/subforums/new", {"name": "Homelab"})
    return browser


def look(browser: Browser, **fields: object) -> None:
    browser.open(f"{LIST}/new")
    browser.send(f"{LIST}/preview", FORM | fields)


def create(browser: Browser, **fields: object) -> None:
    look(browser, **fields)
    browser.send(f"{LIST}/new", {})


def answer_all(database: Database, text: str) -> None:
    """Every LLM request becomes answered with this text."""
    requests = metadata.tables["llm_requests"]
    with database.transaction() as connection:
        for row in connection.execute(requests.select()).all():
            place = {"topic_id": row.topic_id, "parent_id": row.post_id, "path": b"\x05" + row.id.to_bytes(3)}
            whose = {"owner_id": 1, "author_kind": "persona", "persona_name": "Assistant"}
            post_id = insert(connection, "posts", content=text, depth=2, created_at=EVENING, **place, **whose)
            values = {"status": "succeeded", "reply_post_id": post_id, "started_at": EVENING, "finished_at": EVENING}
            connection.execute(requests.update().where(requests.c.id == row.id).values(values))


def test_without_a_subforum_or_a_batch_it_says_what_to_do_first(browser: Browser) -> None:
    browser.open(LIST)
    assert "No batch yet" in browser.words()
    browser.open(f"{LIST}/new")
    assert "Make one first" in browser.words()


def test_a_preview_shows_the_questions_and_what_repeats_and_creates_nothing(homelab: Browser) -> None:
    look(homelab)
    words = homelab.words()
    assert "3 lines, 3 answers" in words
    assert "Is Graz in Austria?" in words
    assert "1 line asks what an earlier one asks (3 as 1)" in words
    assert homelab.page.find(attrs={"name": "title"})["value"] == "Towns"
    homelab.open(LIST)
    assert "No batch yet" in homelab.words()


def test_from_the_preview_to_the_grid_and_the_list(homelab: Browser) -> None:
    create(homelab, is_each_once="1")
    assert (homelab.status, homelab.path) == (200, f"{LIST}/1")
    words = homelab.words()
    assert "2 lines × 1 answer" in words
    assert "Assistant v1 on its own model" in words
    assert "all asked, 0 %" in words
    homelab.open(LIST)
    assert "Towns" in homelab.words()


def test_an_uploaded_file_is_read_by_its_ending_and_stands_in_the_text_from_then_on(homelab: Browser) -> None:
    upload = (io.BytesIO("town;land\nZürich;Schweiz\n".encode("latin-1")), "towns.csv")
    look(homelab, text="", format="", file=upload, encoding="latin-1")
    assert "Is Zürich in Schweiz?" in homelab.words()
    assert "semicolons" in homelab.words()
    homelab.send(f"{LIST}/new", {})
    assert homelab.path == f"{LIST}/1"


def test_a_wrong_encoding_is_told_beside_its_field(homelab: Browser) -> None:
    look(homelab, text="", file=(io.BytesIO("n\nü\n".encode("latin-1")), "towns.csv"))
    assert homelab.status == 422
    assert "Line 2 of the file is no UTF-8 text" in homelab.problem("encoding")


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"text": 'town,land\n"Graz,Austria\n'}, "text", "Row 2 has a quote that is never closed"),
        ({"text": "town,land\nGraz\n"}, "text", "Row 2 has 1 value"),
        ({"text": " "}, "text", "Paste some lines"),
        ({"template": "Why?"}, "template", "names no column"),
        ({"template": "{{city}}"}, "template", "which is no column"),
        ({"repeats": "99"}, "repeats", "1 to 20"),
        ({"title": "x" * 201}, "title", "1 to 200 characters"),
        ({"rubric": "Is short."}, "judge_persona_id", "Choose the persona"),
        ({"judge_persona_id": "1"}, "rubric", "what an answer must do"),
        ({"judge_persona_id": "99", "rubric": "Is short."}, "judge_persona_id", "not there any more"),
    ],
)
def test_what_cannot_be_taken_is_told_beside_its_field_and_nothing_is_lost(
    homelab: Browser, fields: dict[str, str], field: str, words: str
) -> None:
    look(homelab, **fields)
    assert homelab.status == 422
    assert words in homelab.problem(field)
    typed = FORM | fields
    assert homelab.page.find(attrs={"name": "text"}).get_text().removeprefix("\n") == typed["text"]
    assert homelab.page.find(attrs={"name": "title"})["value"] == typed.get("title")


def test_checks_that_make_no_sense_are_told(homelab: Browser) -> None:
    look(homelab, check_matches="(")
    assert homelab.status == 422
    assert "is no regular expression" in homelab.words()
    look(homelab, check_schema='{"type": ')
    assert homelab.status == 422
    assert "This is no JSON, and so no JSON Schema" in homelab.words()
    assert homelab.page.find(attrs={"name": "check_schema"}).get_text().strip() == '{"type":'


def test_a_paused_batch_goes_on_and_a_cancelled_one_does_not(homelab: Browser) -> None:
    create(homelab)
    homelab.send(f"{LIST}/1/pause", {})
    assert "paused, 0 %" in homelab.words()
    homelab.send(f"{LIST}/1/resume", {})
    assert "3 in the queue" in homelab.words()
    homelab.send(f"{LIST}/1/cancellation", {})
    assert "cancelled, 100 %" in homelab.words()
    homelab.open(LIST)
    assert "cancelled" in [state.get_text() for state in homelab.page.select(".state--quiet")]
    homelab.open(f"{LIST}/1/delete")
    homelab.send(f"{LIST}/1/delete", {})
    assert homelab.path == LIST
    assert "No batch yet" in homelab.words()


def test_failed_cells_can_be_tried_again_from_the_grid(homelab: Browser, sqlite_database: Database) -> None:
    create(homelab)
    with sqlite_database.transaction() as connection:
        connection.execute(
            metadata.tables["llm_requests"].update().values(status="failed", cause_detail="Out of paper.")
        )
    homelab.open(f"{LIST}/1?show=failed")
    assert "Out of paper." in homelab.words()
    homelab.send(f"{LIST}/1/retries", {})
    assert "3 in the queue" in homelab.words()


def test_downloads_hold_the_answers_and_no_formula(homelab: Browser, sqlite_database: Database) -> None:
    create(homelab, check_contains="1")
    answer_all(sqlite_database, "=1+1|<b>\nnext")
    csv = homelab.client.get(f"{LIST}/1/export?format=csv")
    assert csv.headers["Content-Disposition"] == 'attachment; filename="batch-1.csv"'
    assert '1,Graz,Austria,"\'=1+1|<b>\nnext",succeeded,' in csv.text
    jsonl = homelab.client.get(f"{LIST}/1/export?format=jsonl").text.splitlines()
    assert len(jsonl) == 3
    assert '"text": "=1+1|<b>\\nnext"' in jsonl[0]
    markdown = homelab.client.get(f"{LIST}/1/export?format=md").text
    assert "| =1+1\\|&lt;b><br>next |" in markdown


def test_verdicts_stand_in_the_grid_and_narrow_it(homelab: Browser, sqlite_database: Database) -> None:
    create(homelab, judge_persona_id="1", rubric="Names <the> town.")
    assert "Judged by Assistant v1 : Names <the> town." in homelab.words()
    answer_all(sqlite_database, "Graz.")
    verdicts = [(1, "pass", ""), (2, "fail", ""), (3, "unreadable", "“It is nice.”")]
    with sqlite_database.transaction() as connection:
        for number, word, said in verdicts:
            row = {"batch_id": 1, "number": number, "ask": 0, "llm_request_id": number, "word": word, "said": said}
            connection.execute(metadata.tables["batch_verdicts"].insert().values(row))
    homelab.open(f"{LIST}/1")
    words = homelab.words()
    assert "1 pass and 1 fail by the rubric" in words
    assert "1 without a readable verdict" in words
    cells = [cell.get_text(" ", strip=True) for cell in homelab.page.select("tbody td")]
    told = [cell.partition("the judge: ")[2].split()[0] for cell in cells]
    assert told == ["pass", "fail", "unreadable"]
    assert homelab.page.select_one('a.badge[href="/queue/3"]')["title"] == "“It is nice.”"
    homelab.open(f"{LIST}/1?show=rejected")
    assert [row.th.find("span").get_text() for row in homelab.page.select("tbody tr")] == ["2"]
    homelab.open(f"{LIST}/1?show=undecided")
    assert [row.th.find("span").get_text() for row in homelab.page.select("tbody tr")] == ["3"]


def test_the_preview_says_how_long_it_takes_as_far_as_that_is_known(homelab: Browser) -> None:
    look(homelab)
    assert "How long it takes is known when each model has answered once." in homelab.words()


def test_what_waits_for_the_hours_says_so(homelab: Browser, sqlite_database: Database) -> None:
    moment = now() + timedelta(hours=2)
    minute = moment.hour * 60 + moment.minute
    with sqlite_database.transaction() as connection:
        insert_model(connection, insert_backend(connection, now()), now())
        window = new_window(days=list(DAYS), start_minute=minute, end_minute=(minute + 30) % 1440, timezone="UTC")
        add_window(connection, window, owner_id=1, now=now())
    create(homelab)
    assert "3 wait. Window opens " in homelab.words()
    homelab.send(f"{LIST}/1/pause", {})
    assert "Window opens " not in homelab.words()


def test_the_morning_names_a_batch_that_was_finished_in_its_night(homelab: Browser, sqlite_database: Database) -> None:
    create(homelab)
    answer_all(sqlite_database, "Yes.")
    homelab.open("/morning")
    assert homelab.page.find("a", href=f"{LIST}/1") is None
    tend_batches(sqlite_database, now())
    homelab.open("/morning")
    assert homelab.page.find("a", href=f"{LIST}/1", string="Towns")
    assert "3 lines × 1 answer" in homelab.words()


def test_a_grid_costs_as_many_statements_with_few_lines_as_with_many(
    homelab: Browser, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    # Of both batches a part is not asked yet.
    create(homelab, text="n\n" + "\n".join(map(str, range(51))), template="{{n}}")
    create(homelab, text="n\n" + "\n".join(map(str, range(90))), template="{{n}}", repeats="4")
    counts = [count_queries(partial(homelab.open, f"{LIST}/{number}")) for number in (1, 2)]
    assert counts[0] == counts[1]
