"""Hooks and their calls by API, and what a hook does by API in turn."""

from datetime import datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from forllm_server.db import Database
from tests.hooks.making import add, calls
from tests.support.world import make_world

HOOKS, CALLS = "/api/v1/hooks", "/api/v1/hook-calls"
NEW = {"kind": "webhook", "name": "Hook", "events": ["reply.posted"], "url": "https://example.org/in"}


def test_a_hook_lives_by_api_and_tells_no_secret(client: FlaskClient) -> None:
    added = client.post(HOOKS, json=NEW | {"secret": "quite secret"})
    assert added.status_code == 201
    told = added.get_json()
    assert (told["has_secret"], told["timeout_seconds"], told["most_attempts"]) == (True, 60, 5)
    assert "quite" not in added.get_data(as_text=True)
    address = added.headers["Location"]
    assert client.get(address).get_json() == told
    assert client.get(HOOKS).get_json() == {"items": [told], "next": None}
    changed = client.patch(address, json={"events": ["night.over"], "secret": None}).get_json()
    assert (changed["events"], changed["has_secret"], changed["name"]) == (["night.over"], False, "Hook")
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("events", {"events": ["moon.full"]}),
        ("events", {"events": []}),
        ("events", {"events": "reply.posted"}),
        ("kind", {"kind": "pigeon"}),
        ("url", {"url": "ftp://example.org"}),
        ("command", {"command": "true"}),
        ("most_repeats", {"most_repeats": 6}),
        ("may_be_local", {"may_be_local": "yes"}),
        ("owner_id", {"owner_id": 2}),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(client: FlaskClient, field: str, values: dict[str, Any]) -> None:
    refused = client.post(HOOKS, json=NEW | values)
    assert (refused.status_code, refused.get_json()["field"]) == (422, field)


def test_calls_are_listed_page_by_page_and_read_with_their_log(client: FlaskClient) -> None:
    client.post(HOOKS, json=NEW)
    for _ in range(3):
        assert client.post(f"{HOOKS}/1/tests").headers["Location"].startswith(CALLS)
    first = client.get(f"{CALLS}?limit=2&hook_id=1&status=waiting").get_json()
    rest = client.get(f"{CALLS}?limit=2&hook_id=1&after={first['next']}").get_json()
    assert [each["id"] for each in first["items"] + rest["items"]] == [3, 2, 1]
    assert client.get(f"{CALLS}?status=done").get_json()["items"] == []
    one = client.get(f"{CALLS}/1").get_json()
    assert (one["event"], one["log"], one["chain"]) == ("test", [], [1])
    assert client.post(f"{CALLS}/1/retry").status_code == 409
    assert client.get(f"{CALLS}?status=lost").status_code == 422
    client.patch(f"{HOOKS}/1", json={"is_enabled": False})
    assert client.post(f"{HOOKS}/1/tests").get_json()["code"] == "conflict"


def test_what_a_hook_posts_with_its_event_id_does_not_call_it_again(
    client: FlaskClient, sqlite_database: Database, now: datetime
) -> None:
    world = make_world(sqlite_database, now)
    add(sqlite_database, now)
    replies = f"/api/v1/posts/{world.post_id}/replies"
    assert client.post(replies, json={"content": "Draw a cat."}).status_code == 201
    (call,) = calls(sqlite_database)
    headers = {"X-Forllm-Event-Id": call.event_id}
    assert client.post(replies, json={"content": "A cat."}, headers=headers).status_code == 201
    # The same thread of the server answers the next one, which follows from nothing.
    assert client.post(replies, json={"content": "Thank you."}).status_code == 201
    assert [each.status.value for each in calls(sqlite_database)] == ["waiting", "stopped", "waiting"]
    refused = client.post(replies, json={"content": "x"}, headers={"X-Forllm-Event-Id": "so"})
    assert (refused.status_code, refused.get_json()["field"]) == (422, "X-Forllm-Event-Id")
    assert len(calls(sqlite_database)) == 3
