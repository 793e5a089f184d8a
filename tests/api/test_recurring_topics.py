"""Recurring topics by API."""

from datetime import UTC, datetime

import pytest
import time_machine
from flask.testing import FlaskClient

from tests.api.conftest import MODEL_ID
from tests.conftest import EVENING

ADDRESS = "/api/v1/recurring-topics"


@pytest.fixture
def weekly(topic: dict[str, int]) -> dict[str, object]:
    return {
        "subforum_id": topic["subforum_id"],
        "title": "Week of {date}",
        "content": "No. {number}",
        "days": ["fri", "mon"],
        "minute": 1320,
        "timezone": "UTC",
        "ask": [{}, {"persona_id": 1, "model_id": MODEL_ID}],
    }


@pytest.fixture(autouse=True)
def evening() -> object:
    with time_machine.travel(EVENING, tick=False) as traveller:
        yield traveller


def test_they_are_added_listed_changed_and_deleted(client: FlaskClient, weekly: dict[str, object]) -> None:
    added = client.post(ADDRESS, json=weekly)
    assert added.status_code == 201
    told = added.get_json()
    assert (told["days"], told["missed"], told["is_enabled"]) == (["mon", "fri"], "latest", True)
    assert told["ask"] == [{"persona_id": None, "model_id": None}, {"persona_id": 1, "model_id": MODEL_ID}]
    assert datetime.fromisoformat(told["next_at"]) == datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
    address = added.headers["Location"]
    assert client.get(address).get_json() == told
    assert client.get(ADDRESS).get_json() == {"items": [told], "next": None}
    changed = client.patch(address, json={"missed": "all", "ask": [], "is_enabled": False}).get_json()
    assert (changed["missed"], changed["ask"], changed["next_at"]) == ("all", [], None)
    assert (changed["title"], changed["days"]) == (told["title"], told["days"])
    assert client.patch(address, json={"is_enabled": True}).get_json()["next_at"] == told["next_at"]
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert client.patch(address, json={}).status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": ""}, "title"),
        ({"content": " "}, "content"),
        ({"days": []}, "days"),
        ({"days": ["someday"]}, "days.0"),
        ({"minute": 1440}, "minute"),
        ({"minute": "22:00"}, "minute"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"missed": "some"}, "missed"),
        ({"subforum_id": 99}, "subforum_id"),
        ({"ask": [{"persona_id": 99}]}, "ask"),
        ({"ask": [{"model": 1}]}, "ask.0.model"),
        ({"asks": []}, "asks"),
    ],
)
def test_what_cannot_be_one_names_its_field(
    client: FlaskClient, weekly: dict[str, object], change: dict[str, object], field: str
) -> None:
    for answer in (
        client.post(ADDRESS, json={**weekly, **change}),
        client.patch(client.post(ADDRESS, json=weekly).headers["Location"], json=change),
    ):
        assert (answer.status_code, answer.get_json()["field"]) == (422, field)


def test_a_run_opens_the_topic_now_and_a_repeated_call_the_same(client: FlaskClient, weekly: dict[str, object]) -> None:
    address = client.post(ADDRESS, json=weekly).headers["Location"]
    first, again = (client.post(f"{address}/runs", headers={"Idempotency-Key": "once"}) for _ in range(2))
    assert (first.status_code, first.get_json()) == (201, again.get_json())
    opened = client.get(first.headers["Location"]).get_json()
    assert (opened["id"], opened["title"]) == (first.get_json()["topic_id"], "Week of 2026-11-20")
    (llm_request_id,) = first.get_json()["llm_request_ids"]
    assert client.get(f"/api/v1/llm-requests/{llm_request_id}").get_json()["status"] == "queued"
    told = client.get(address).get_json()
    assert (told["opened_count"], told["last_topic_id"], told["last_occurrence_at"]) == (1, opened["id"], None)


def test_a_run_in_a_subforum_in_the_trash_is_refused(client: FlaskClient, weekly: dict[str, object]) -> None:
    address = client.post(ADDRESS, json=weekly).headers["Location"]
    client.delete(f"/api/v1/subforums/{weekly['subforum_id']}")
    assert client.post(f"{address}/runs").status_code == 409
    assert client.post(f"{ADDRESS}/99/runs").status_code == 404
