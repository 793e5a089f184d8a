"""Summaries by API: asking, reading whether one still holds, writing by hand, versions, removing."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from forllm_server import clock
from forllm_server.db import Database
from forllm_server.summaries import summary_store
from forllm_server.summaries.model import CoveredPost, NewVersion, SummaryAuthor
from tests.support.world import LOCAL_USER

API = "/api/v1"


@pytest.fixture
def replies(client: FlaskClient, topic: dict[str, int]) -> list[int]:
    """A chain of three replies to the first post."""
    ids = [topic["post_id"]]
    for number in range(3):
        sent = client.post(f"{API}/posts/{ids[-1]}/replies", json={"content": f"Reply {number}"})
        ids.append(sent.get_json()["id"])
    return ids[1:]


def write(database: Database, summary_id: int, topic: dict[str, int], replies: list[int]) -> None:
    """What a model would have written."""
    way = zip([topic["post_id"], *replies], replies, strict=False)
    covered = tuple(CoveredPost(post_id, 1, True, parent_id) for parent_id, post_id in way)
    with database.transaction() as connection:
        new = NewVersion("In short.", SummaryAuthor.MODEL, LOCAL_USER, replies[-1], covered)
        summary_store.insert_version(connection, summary_id, new, clock.now())


def test_a_way_is_summed_up_told_to_be_stale_and_written_by_hand(
    app: Flask, topic: dict[str, int], replies: list[int], sqlite_database: Database
) -> None:
    client = app.test_client()
    asked = client.post(f"{API}/posts/{replies[-1]}/summaries", json={"scope": "way"})
    assert asked.status_code == 202
    summary = asked.get_json()
    assert (summary["scope"], summary["version"], summary["status"]) == ("way", None, "queued")
    again = client.post(f"{API}/posts/{replies[-1]}/summaries", json={"scope": "way"}).get_json()
    assert again["llm_request_id"] == summary["llm_request_id"]
    write(sqlite_database, summary["id"], topic, replies)
    address = asked.headers["Location"]
    held = client.get(address).get_json()
    assert (held["version"]["content"], held["post_ids"], held["is_stale"]) == ("In short.", replies, False)
    client.patch(f"{API}/posts/{replies[1]}", json={"content": "Otherwise."})
    stale = client.get(f"{API}/topics/{topic['id']}/summaries").get_json()["items"][0]
    assert (stale["is_stale"], stale["changes"]) == (True, [{"post_id": replies[1], "change": "edited"}])
    own = client.patch(address, json={"content": "My own.", "version": 1}).get_json()
    assert (own["version"]["number"], own["version"]["author"], own["is_stale"]) == (2, "person", False)
    late = client.patch(address, json={"content": "Late.", "version": 1})
    assert (late.status_code, late.get_json()["code"]) == (409, "conflict")
    back = client.post(f"{address}/versions/1/restoration").get_json()
    assert (back["version"]["number"], back["version"]["content"], back["is_stale"]) == (3, "In short.", True)
    assert [each["number"] for each in client.get(f"{address}/versions").get_json()["items"]] == [3, 2, 1]
    assert client.post(f"{address}/versions/9/restoration").status_code == 404
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert client.get(f"{API}/topics/{topic['id']}/summaries").get_json()["items"] == []


def test_what_cannot_be_summed_up_is_told(client: FlaskClient, topic: dict[str, int], replies: list[int]) -> None:
    for address, body, status, code in (
        (f"{API}/topics/999/summaries", {}, 404, "not_found"),
        (f"{API}/posts/{replies[0]}/summaries", {"scope": "way"}, 422, "nothing_to_sum_up"),
        (f"{API}/posts/{replies[0]}/summaries", {"scope": "replies", "post_ids": replies[:1]}, 422, "invalid"),
        (f"{API}/posts/{replies[0]}/summaries", {"scope": "all"}, 422, "invalid"),
        (f"{API}/summaries/999/renewals", {}, 404, "not_found"),
    ):
        answer = client.post(address, json=body)
        assert (answer.status_code, answer.get_json()["code"]) == (status, code), address
    assert client.patch(f"{API}/summaries/999", json={"content": "x"}).status_code == 404
    assert client.get(f"{API}/summaries/1").status_code == 404
