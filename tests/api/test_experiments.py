"""Experiments over the API: chosen, started, read blind, voted on, downloaded, deleted."""

import json
from datetime import datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from forllm_server.db import Database, metadata
from tests.support.world import make_world
from tests.votes.world import Contest

ADDRESS = "/api/v1/experiments"


@pytest.fixture
def contest(client: FlaskClient, sqlite_database: Database, now: datetime) -> Contest:
    contest = Contest(sqlite_database, make_world(sqlite_database, now), now, "Ada", "Bob")
    for _ in range(3):
        contest.round()
    return contest


@pytest.fixture
def experiment(client: FlaskClient, contest: Contest) -> Any:
    body = {"old_persona_version_id": contest.versions["Ada"], "persona_version_id": contest.versions["Bob"]}
    return client.post(ADDRESS, json=body).get_json()


def answer(database: Database, now: datetime, number: int) -> None:
    pairs = metadata.tables["experiment_pairs"]
    values = {"new_text": "New", "new_characters": 3, "answered_at": now, "new_finish_reason": "stop"}
    with database.transaction() as connection:
        connection.execute(pairs.update().where(pairs.c.number == number).values(values))


def test_it_is_chosen_estimated_started_and_cancelled(client: FlaskClient, experiment: Any) -> None:
    assert (experiment["state"], experiment["pair_count"], experiment["left_out"]) == ("draft", 3, {})
    assert experiment["challenger"] == "Bob v1 on the same model"
    assert experiment["estimate"].startswith("adds 3 replies")
    address = f"{ADDRESS}/{experiment['id']}"
    assert client.get(address).get_json() == experiment
    assert [item["id"] for item in client.get(ADDRESS).get_json()["items"]] == [experiment["id"]]
    started = client.post(f"{address}/start", json={"is_run_now": True}).get_json()
    assert (started["state"], started["progress"]["waiting"]) == ("open", 3)
    assert client.post(f"{address}/start", json={}).status_code == 409
    assert client.post(f"{address}/pause").get_json()["state"] == "paused"
    assert client.post(f"{address}/resumption").get_json()["state"] == "open"
    assert client.post(f"{address}/cancellation").get_json()["progress"]["cancelled"] == 3
    assert client.post(f"{address}/resumption").status_code == 409
    assert client.post(f"{address}/retries").status_code == 409
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


def test_pairs_come_by_pages_and_tell_no_names_before_the_vote(
    client: FlaskClient, experiment: Any, sqlite_database: Database, now: datetime
) -> None:
    address = f"{ADDRESS}/{experiment['id']}"
    client.post(f"{address}/start", json={})
    answer(sqlite_database, now, 2)
    first = client.get(f"{address}/pairs", query_string={"limit": 1}).get_json()
    second = client.get(f"{address}/pairs", query_string={"limit": 1, "after": first["next"]}).get_json()
    [pair] = second["items"]
    assert (pair["number"], pair["choice"]) == (2, None)
    for side in (pair["left"], pair["right"]):
        assert {name for name, value in side.items() if value is not None} == {"text"}
    wanted = "left" if pair["left"]["text"] == "New" else "right"
    voted = client.put(f"{address}/pairs/2/vote", json={"choice": wanted}).get_json()
    assert voted["choice"] == "new"
    assert voted[wanted] | {"is_new": True, "persona": "Bob v1"} == voted[wanted]
    assert client.put(f"{address}/pairs/2/vote", json={"choice": "bad"}).get_json()["code"] == "already_voted"
    assert client.put(f"{address}/pairs/1/vote", json={"choice": "bad"}).status_code == 409
    assert client.get(address).get_json()["report"]["won"] == 1
    assert [row["number"] for row in client.get(f"{address}/pairs?show=new").get_json()["items"]] == [2]
    assert client.delete(f"{address}/pairs/2/vote").status_code == 204
    posted = client.post(f"{address}/pairs/2/post").get_json()["post_id"]
    assert client.get(f"/api/v1/posts/{posted}").get_json()["content"] == "New"
    assert client.get(f"{address}/pairs/9").status_code == 404


def test_it_is_downloaded_in_every_form(client: FlaskClient, experiment: Any) -> None:
    address = f"{ADDRESS}/{experiment['id']}/export"
    assert json.loads(client.get(f"{address}?format=json").text)["pair_count"] == 3
    assert client.get(address).text.startswith("pair,topic_id,")
    assert client.get(f"{address}?format=md").text.startswith("# Bob v1 on the same model")


def test_what_cannot_be_made_names_its_field(client: FlaskClient, contest: Contest) -> None:
    for body, field in (
        ({"persona_version_id": contest.versions["Bob"]}, "topic_ids"),
        ({"topic_ids": [], "persona_version_id": contest.versions["Bob"]}, "topic_ids"),
        ({"topic_ids": [1], "persona_version_id": 999}, "persona_version_id"),
        ({"is_everything": True, "model_id": 999}, "model_id"),
    ):
        refused = client.post(ADDRESS, json=body)
        assert (refused.status_code, refused.get_json()["field"]) == (422, field), body


def test_five_thousand_topics_are_taken(client: FlaskClient, contest: Contest) -> None:
    body = {
        "topic_ids": [contest.world.topic_id, *range(1000, 5999)],
        "old_persona_version_id": contest.versions["Ada"],
        "persona_version_id": contest.versions["Bob"],
    }
    made = client.post(ADDRESS, json=body).get_json()
    assert (made["pair_count"], made["source"]) == (3, "Answers by Ada v1 in 5,000 chosen topics")
