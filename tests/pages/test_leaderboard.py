"""The leaderboard."""

from datetime import datetime

import pytest

from forllm_server.db import Database
from forllm_server.settings.values import change_settings
from tests.pages.conftest import Browser
from tests.support.world import make_world
from tests.votes.world import Contest


@pytest.fixture
def contest(browser: Browser, sqlite_database: Database, now: datetime) -> Contest:
    return Contest(sqlite_database, make_world(sqlite_database, now), now, "Skeptic", "Teacher")


def test_it_says_so_when_there_is_nothing_to_tell(browser: Browser, contest: Contest) -> None:
    browser.open("/leaderboard")
    assert "No votes yet" in browser.words()
    contest.series("Skeptic", "Teacher", 2)
    browser.open("/leaderboard")
    assert "Too few to tell" in browser.words()
    assert browser.page.main.find("table") is None


def test_it_tells_points_intervals_and_how_often(browser: Browser, contest: Contest) -> None:
    contest.series("Skeptic", "Teacher", 9)
    contest.series("Teacher", "Skeptic", 3)
    browser.open("/leaderboard")
    rows = [
        [cell.get_text(" ", strip=True) for cell in row.find_all(["td", "th"])]
        for row in browser.page.select("tbody tr")
    ]
    # By hand: see tests/votes/test_rating.py.
    assert rows == [
        ["1", "Skeptic v1 qwen3:8b", "1,091", "981 to 1,200", "12", "9 · 3 · 0", "0"],
        ["1", "Teacher v1 qwen3:8b", "909", "800 to 1,019", "12", "3 · 9 · 0", "0"],
    ]
    assert "with 100 points more 64 times of 100" in browser.words()
    assert "style" not in browser.page.find("svg", class_="interval").attrs


def test_it_is_told_by_subforum(browser: Browser, contest: Contest) -> None:
    contest.series("Skeptic", "Teacher", 9)
    assert browser.open("/leaderboard?subforum=1").select("tbody tr")
    browser.open("/leaderboard?subforum=99")
    assert browser.status == 404
    browser.open("/leaderboard?subforum=x")
    assert browser.status == 422


def test_the_judge_is_asked_when_a_person_wants_it_and_only_where_there_is_one(
    browser: Browser, contest: Contest, sqlite_database: Database, now: datetime
) -> None:
    contest.round()
    assert browser.open("/leaderboard").main.find("a", href="/leaderboard/judge") is None
    assert "Nobody judges" in browser.open("/leaderboard/judge").main.get_text()
    with sqlite_database.transaction() as connection:
        change_settings(connection, {"judge_persona_id": 1}, now)
    assert browser.open("/leaderboard").main.find("a", href="/leaderboard/judge")
    browser.open("/leaderboard/judge")
    assert "No pair has both your vote and the judge’s yet" in browser.words()
    browser.send("/leaderboard/judge", {})
    assert "The judge is asked about 1 pair." in browser.words()
    assert "2 of its answers are still to come" in browser.words()
    browser.send("/leaderboard/judge", {})
    assert "The judge has been asked about all." in browser.words()
