"""Votes between two replies, and the leaderboard."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from forllm_server.db import Database
from tests.conftest import EVENING
from tests.support.world import make_world
from tests.votes.world import Contest

API = "/api/v1"


@pytest.fixture
def contest(app: Flask, sqlite_database: Database) -> Contest:
    return Contest(sqlite_database, make_world(sqlite_database, EVENING), EVENING, "Skeptic", "Teacher")


def test_two_replies_are_offered_without_names_and_voted_on(client: FlaskClient, contest: Contest) -> None:
    assert client.get(f"{API}/votes/next").status_code == 404
    replies = contest.round()
    pair = client.get(f"{API}/votes/next").get_json()
    assert {pair["left"]["post_id"], pair["right"]["post_id"]} == set(replies.values())
    assert (pair["question"], pair["waiting"]) == ("Question 1?", 1)
    assert "Skeptic" not in str(pair)
    sent = {"left_post_id": pair["left"]["post_id"], "right_post_id": pair["right"]["post_id"], "choice": "right"}
    voted = client.post(f"{API}/votes", json=sent)
    assert voted.status_code == 201
    assert client.get(voted.headers["Location"]).get_json() == voted.get_json()
    assert client.get(f"{API}/votes").get_json()["items"] == [voted.get_json()]
    assert voted.get_json() | sent == voted.get_json()


def test_the_sides_may_be_named_either_way(client: FlaskClient, contest: Contest) -> None:
    replies = contest.round()
    names = {"left_post_id": replies["Teacher"], "right_post_id": replies["Skeptic"], "choice": "left"}
    voted = client.post(f"{API}/votes", json=names).get_json()
    assert voted[f"{voted['choice']}_post_id"] == replies["Teacher"]
    again = client.post(f"{API}/votes", json=names)
    assert (again.status_code, again.get_json()["id"]) == (201, voted["id"])
    other = client.post(f"{API}/votes", json=names | {"choice": "tie"})
    assert (other.status_code, other.get_json()["code"]) == (409, "already_voted")
    address = f"{API}/votes/{voted['id']}"
    assert client.patch(address, json={"choice": "tie"}).get_json()["choice"] == "tie"
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


def test_what_cannot_be_compared_is_refused(client: FlaskClient, contest: Contest) -> None:
    replies = contest.round()
    wrong = {"left_post_id": replies["Skeptic"], "right_post_id": 1, "choice": "left"}
    assert client.post(f"{API}/votes", json=wrong).status_code == 422
    assert client.post(f"{API}/votes", json=wrong | {"right_post_id": replies["Skeptic"]}).status_code == 422
    assert client.post(f"{API}/votes", json=wrong | {"choice": "low"}).status_code == 422


def test_the_leaderboard_is_read_over_all_and_by_subforum(client: FlaskClient, contest: Contest) -> None:
    contest.series("Skeptic", "Teacher", 9)
    contest.series("Teacher", "Skeptic", 3)
    board = client.get(f"{API}/leaderboard").get_json()
    first = board["standings"][0]
    assert (board["comparisons"], first["persona"], first["version"], first["wins"]) == (12, "Skeptic", 1, 9)
    # By hand: see tests/votes/test_rating.py.
    assert first["points"] == pytest.approx(1090.57, abs=0.01)
    assert first["high"] - first["points"] == pytest.approx(109.23, abs=0.01)
    assert client.get(f"{API}/leaderboard?subforum_id=1").get_json() == board
    assert client.get(f"{API}/leaderboard?subforum_id=99").status_code == 404


def test_the_judges_leaderboard_is_there_once_there_is_a_judge(client: FlaskClient, contest: Contest) -> None:
    assert client.get(f"{API}/leaderboard?by=judge").status_code == 404
    assert client.get(f"{API}/leaderboard?by=them").status_code == 422
    client.patch(f"{API}/settings", json={"judge_persona_id": 1})
    assert client.get(f"{API}/leaderboard?by=judge").get_json() == {"comparisons": 0, "standings": []}
