"""Mornings, channels and deliveries by API."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine
from flask.testing import FlaskClient

from forllm_server.db import Database
from tests.morning.night_world import answer, end_request
from tests.support.outside import Hook
from tests.support.world import make_world

NIGHT = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
CHANNELS = "/api/v1/channels"


@pytest.fixture(autouse=True)
def morning() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 11, 21, 7, 5, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as hook:
        yield hook


def test_a_morning_is_read(client: FlaskClient, sqlite_database: Database, now: datetime) -> None:
    world = make_world(sqlite_database, now)
    post_id = answer(sqlite_database, world, NIGHT, usage={"watt_hours": 2.5, "is_energy_measured": True})
    failed_id = end_request(sqlite_database, world, NIGHT, "failed", cause="error")
    told = client.get("/api/v1/mornings/2026-11-21").get_json()
    assert (told["day"], told["is_latest"], told["failed_llm_request_ids"]) == ("2026-11-21", True, [failed_id])
    assert (told["figures"]["answered"], told["figures"]["energy"]["watt_hours"]) == (1, 2.5)
    assert [reply["post_id"] for reply in told["topics"][0]["replies"]] == [post_id]
    assert told["topics"][0]["gist"] is None
    assert client.get("/api/v1/mornings/latest").get_json() == told


@pytest.mark.parametrize("day", ["2026-11-23", "yesterday", "20261121", "0001-01-01", "9999-12-31", "2026-02-30"])
def test_a_morning_that_is_none_is_not_found(client: FlaskClient, day: str) -> None:
    response = client.get(f"/api/v1/mornings/{day}")
    assert (response.status_code, response.get_json()["code"]) == (404, "not_found")


def test_a_channel_lives_by_api_and_tells_no_secret(client: FlaskClient, hook: Hook) -> None:
    options = {"url": hook.url, "may_be_local": True}
    new = {"kind": "webhook", "name": "Hook", "options": options, "secret": "quite secret"}
    added = client.post(CHANNELS, json=new)
    assert added.status_code == 201
    told = added.get_json()
    assert (told["has_secret"], told["options"]["url"], told["tells_nights"]) == (True, hook.url, True)
    assert "quite" not in added.get_data(as_text=True)
    address = added.headers["Location"]
    assert client.get(address).get_json() == told
    assert client.get(CHANNELS).get_json() == {"items": [told], "next": None}
    changed = client.patch(address, json={"tells_stalls": False, "secret": None}).get_json()
    assert (changed["tells_stalls"], changed["has_secret"]) == (False, False)
    sent = client.post(f"{address}/tests")
    assert (sent.status_code, sent.get_json()["status"]) == (201, "sent")
    assert len(hook.posted) == 1
    assert [each["occasion"] for each in client.get("/api/v1/deliveries").get_json()["items"]] == ["test"]
    assert client.post("/api/v1/deliveries/1/retry").status_code == 409
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "pigeon"}, "kind"),
        ({"options": {"url": "gopher://x"}}, "url"),
        ({"options": {"url": 5}}, "url"),
        ({"options": []}, "options"),
        ({"name": ""}, "name"),
        ({"is_enabled": "yes"}, "is_enabled"),
        ({"colour": "red"}, "colour"),
        ({"body": "{nonsense}"}, "body"),
    ],
)
def test_bad_input_is_refused_by_its_field(client: FlaskClient, change: dict[str, object], field: str) -> None:
    good = {"kind": "webhook", "name": "Hook", "options": {"url": "https://example.org/"}}
    response = client.post(CHANNELS, json=good | change)
    assert (response.status_code, response.get_json()["field"]) == (422, field)


def test_deliveries_are_listed_page_by_page(client: FlaskClient, hook: Hook) -> None:
    new = {"kind": "webhook", "name": "Hook", "options": {"url": hook.url, "may_be_local": True}}
    address = client.post(CHANNELS, json=new).headers["Location"]
    for _ in range(3):
        client.post(f"{address}/tests")
    first = client.get("/api/v1/deliveries?limit=2&channel_id=1").get_json()
    rest = client.get(f"/api/v1/deliveries?limit=2&after={first['next']}").get_json()
    assert [each["id"] for each in (*first["items"], *rest["items"])] == [3, 2, 1]
    assert client.get("/api/v1/deliveries?channel_id=9").get_json()["items"] == []
