"""The queue as a whole by API: what is foretold, pauses, order, and many at once."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from forllm_server import clock
from forllm_server.db import Database
from forllm_server.queue.llm_request_store import update_status
from forllm_server.queue.model import Status
from forllm_server.queue.rate_store import replace_rates
from forllm_server.queue.worker_store import replace_worker, update_stopped
from tests.api.conftest import MODEL_ID

USAGE = {"prompt_tokens": 100, "completion_tokens": 100, "prompt_seconds": 10.0, "generation_seconds": 50.0}


@pytest.fixture
def ids(client: FlaskClient, topic: dict[str, int]) -> list[int]:
    """Three queued LLM requests."""
    address = f"/api/v1/posts/{topic['post_id']}/llm-requests"
    return [client.post(address, json={"another": True}).get_json()["id"] for _ in range(3)]


def planned(client: FlaskClient) -> list[int]:
    return [item["id"] for item in client.get("/api/v1/queue/plan").get_json()["items"]]


def test_the_queue_is_counted_and_what_is_unknown_is_said(client: FlaskClient, ids: list[int]) -> None:
    client.post(f"/api/v1/llm-requests/{ids[0]}/hold")
    queue = client.get("/api/v1/queue").get_json()
    assert queue["counts"] == {"queued": 2, "waiting": 0, "held": 1, "running": 0, "failed": 0}
    assert (queue["done_by"], queue["unknown_count"], queue["machine_seconds"]) == (None, 2, 0)
    (group,) = queue["groups"]
    assert (group["backend_id"], group["model_id"], group["llm_request_ids"]) == (1, MODEL_ID, ids[1:])
    (backend,) = queue["backends"]
    assert (backend["queued"], backend["running"], backend["is_open"], backend["is_paused"]) == (2, 0, True, False)


def test_an_empty_queue_is_told_too(client: FlaskClient) -> None:
    queue = client.get("/api/v1/queue").get_json()
    assert (queue["counts"]["queued"], queue["groups"], queue["done_by"], queue["unknown_count"]) == (0, [], None, 0)
    assert client.get("/api/v1/queue/plan").get_json() == {"items": [], "next": None}


def test_what_is_known_of_a_model_foretells(client: FlaskClient, ids: list[int], sqlite_database: Database) -> None:
    values = {"status": "succeeded", "usage": USAGE, "output_tokens": 100}
    with sqlite_database.transaction() as connection:
        update_status(connection, ids[0], from_statuses=[Status.QUEUED], values=values)
        replace_rates(connection, MODEL_ID, USAGE, clock.now())
    queue = client.get("/api/v1/queue").get_json()
    assert queue["unknown_count"] == 0
    assert queue["machine_seconds"] > 0
    first, second = client.get("/api/v1/queue/plan").get_json()["items"]
    assert [first["id"], second["id"]] == ids[1:]
    assert first["done_by"]["middle_at"] < second["done_by"]["middle_at"] <= second["done_by"]["high_at"]
    assert queue["done_by"]["low_at"] < queue["done_by"]["high_at"]
    assert len(client.get("/api/v1/queue/plan?limit=1").get_json()["items"]) == 1


def test_the_queue_is_paused_and_goes_on(client: FlaskClient, ids: list[int]) -> None:
    until = (clock.now() + timedelta(hours=1)).isoformat()
    added = client.post("/api/v1/queue/pauses", json={"until": until, "reason": "a game"})
    assert added.status_code == 201
    assert (added.get_json()["backend_id"], added.get_json()["reason"]) == (None, "a game")
    client.post("/api/v1/queue/pauses", json={"backend_id": 1})
    pauses = client.get("/api/v1/queue/pauses").get_json()["items"]
    assert [(pause["backend_id"], pause["until"] is None) for pause in pauses] == [(None, False), (1, True)]
    queue = client.get("/api/v1/queue").get_json()
    assert (queue["is_paused"], queue["backends"][0]["is_paused"], queue["pauses"]) == (True, True, pauses)
    standing = client.get(f"/api/v1/llm-requests/{ids[0]}").get_json()["standing"]
    assert standing["label"] == "paused"
    for query in ("", "?backend_id=1"):
        assert client.delete(f"/api/v1/queue/pauses{query}").status_code == 204
        assert client.delete(f"/api/v1/queue/pauses{query}").status_code == 404
    assert client.get("/api/v1/queue").get_json()["is_paused"] is False


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"backend_id": 99}, 404, "backend_id"),
        ({"until": "2020-01-01T00:00:00+00:00"}, 422, "until"),
        ({"until": "2030-01-01T00:00:00"}, 422, "until"),
        ({"until": "tomorrow"}, 422, "until"),
        ({"reason": "x" * 201}, 422, "reason"),
        ({"minutes": 5}, 422, "minutes"),
    ],
)
def test_what_cannot_be_a_pause_names_its_field(
    client: FlaskClient, body: dict[str, object], status: int, field: str
) -> None:
    answer = client.post("/api/v1/queue/pauses", json=body)
    assert (answer.status_code, answer.get_json()["field"]) == (status, field)


def test_requests_are_moved_by_hand(client: FlaskClient, ids: list[int]) -> None:
    a, b, c = ids
    moved = client.post("/api/v1/queue/moves", json={"ids": [c]}).get_json()["items"]
    assert [(item["id"], item["position"]) for item in moved] == [(c, 1)]
    assert planned(client) == [c, a, b]
    client.post("/api/v1/queue/moves", json={"ids": [b], "before_id": a})
    assert planned(client) == [c, b, a]
    refused = client.post("/api/v1/queue/moves", json={"ids": [a], "before_id": a})
    assert (refused.status_code, refused.get_json()["field"]) == (409, "before_id")
    assert client.post("/api/v1/queue/moves", json={"ids": [99]}).status_code == 404
    bodies: list[dict[str, object]] = [{}, {"ids": []}, {"ids": ["1"]}, {"ids": list(range(1, 1_002))}]
    for body in bodies:
        assert client.post("/api/v1/queue/moves", json=body).status_code == 422


def test_many_are_changed_at_once_and_refusals_are_told(client: FlaskClient, ids: list[int]) -> None:
    address = "/api/v1/queue/changes"
    done = client.post(address, json={"ids": [*ids, 99], "action": "hold"}).get_json()
    assert [(item["id"], item["status"]) for item in done["changed"]] == [(each, "held") for each in ids]
    assert [refused["id"] for refused in done["refused"]] == [99]
    done = client.post(address, json={"ids": ids, "action": "requeue", "model_id": MODEL_ID}).get_json()
    assert {item["model_id"] for item in done["changed"]} == {MODEL_ID}
    for action, status in (("release", "queued"), ("run_now", "queued"), ("cancel", "cancelled"), ("retry", "queued")):
        done = client.post(address, json={"ids": ids, "action": action}).get_json()
        assert [item["status"] for item in done["changed"]] == [status] * 3, action


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"ids": [1]}, "action"),
        ({"ids": [1], "action": "erase"}, "action"),
        ({"ids": [], "action": "hold"}, "ids"),
        ({"ids": [1, 0], "action": "hold"}, "ids.1"),
        ({"ids": [1], "action": "requeue"}, "model_id"),
        ({"ids": [1], "action": "hold", "model_id": 1}, "model_id"),
        ({"ids": [1], "action": "requeue", "model_id": 99}, "model_id"),
    ],
)
def test_a_change_that_makes_no_sense_names_its_field(
    client: FlaskClient, ids: list[int], body: dict[str, object], field: str
) -> None:
    answer = client.post("/api/v1/queue/changes", json=body)
    assert (answer.status_code, answer.get_json()["field"]) == (422, field)


def test_workers_are_listed_with_whether_they_are_alive(client: FlaskClient, sqlite_database: Database) -> None:
    assert client.get("/api/v1/workers").get_json() == {"items": [], "next": None}
    with sqlite_database.transaction() as connection:
        replace_worker(connection, "desk/boot/12/1", threads=2, backend_ids=[1], now=clock.now())
        replace_worker(connection, "attic/boot/13/1", threads=4, backend_ids=None, now=clock.now())
        update_stopped(connection, "attic/boot/13/1", clock.now())
    found = {item["host"]: item for item in client.get("/api/v1/workers").get_json()["items"]}
    assert (found["desk"]["is_alive"], found["desk"]["pid"], found["desk"]["backend_ids"]) == (True, 12, [1])
    assert (found["attic"]["is_alive"], found["attic"]["backend_ids"]) == (False, None)


def test_what_happened_to_a_request_is_told(client: FlaskClient, ids: list[int]) -> None:
    client.post(f"/api/v1/llm-requests/{ids[0]}/hold")
    client.post(f"/api/v1/llm-requests/{ids[0]}/release")
    events = client.get(f"/api/v1/llm-requests/{ids[0]}/events").get_json()["items"]
    assert [event["name"] for event in events] == ["queued", "held", "released"]
    assert client.get("/api/v1/llm-requests/99/events").status_code == 404


def test_the_plan_is_read_in_pages(client: FlaskClient, ids: list[int]) -> None:
    first = client.get("/api/v1/queue/plan?limit=2").get_json()
    second = client.get(f"/api/v1/queue/plan?limit=2&after={first['next']}").get_json()
    assert [item["id"] for item in first["items"] + second["items"]] == ids
    assert second["next"] is None
    assert client.get("/api/v1/queue/plan?after=nonsense").status_code == 400


def test_a_longer_plan_costs_no_more_queries(
    client: FlaskClient, ids: list[int], sqlite_database: Database, topic: dict[str, int]
) -> None:
    few = count_queries(sqlite_database, lambda: client.get("/api/v1/queue/plan"))
    for _ in range(10):
        client.post(f"/api/v1/posts/{topic['post_id']}/llm-requests", json={"another": True})
    assert count_queries(sqlite_database, lambda: client.get("/api/v1/queue/plan")) == few


def test_lists_say_who_is_asked_about_what_and_why_it_waits(client: FlaskClient, ids: list[int]) -> None:
    client.post(f"/api/v1/llm-requests/{ids[0]}/hold")
    for path in ("plan", "history"):
        items = client.get(f"/api/v1/queue/{path}").get_json()["items"]
        item = next(item for item in items if item["id"] == ids[1])
        assert item["persona"] == "Assistant"
        assert item["question"] == "When do I cut them?"
        assert item["standing"]["label"] == "next in line"
        assert item["standing"]["sentence"]


def count_queries(database: Database, act: Callable[[], object]) -> int:
    statements: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    act()
    event.remove(database.engine, "before_cursor_execute", note)
    return len(statements)


def test_the_history_is_filtered_and_paged(client: FlaskClient, ids: list[int], topic: dict[str, int]) -> None:
    client.post(f"/api/v1/llm-requests/{ids[0]}/cancellation")

    def found(query: str) -> list[int]:
        answer = client.get(f"/api/v1/queue/history?{query}")
        assert answer.status_code == 200, answer.get_json()
        return [item["id"] for item in answer.get_json()["items"]]

    assert found("") == ids[::-1]
    assert found("status=cancelled") == [ids[0]]
    assert found("status=cancelled,queued&model_id=1&persona_id=1") == ids[::-1]
    assert found(f"topic_id={topic['id']}&post_id={topic['post_id']}") == ids[::-1]
    assert found("subforum_id=99") == []
    assert found("text=no+such+words") == []
    page = client.get("/api/v1/queue/history?limit=2").get_json()
    assert found(f"limit=2&after={page['next']}") == [ids[0]]
    for wrong, field in (("status=asleep", "status"), ("text=%00", "text"), ("text=" + "x" * 201, "text")):
        answer = client.get(f"/api/v1/queue/history?{wrong}")
        assert (answer.status_code, answer.get_json()["field"]) == (422, field)


def test_a_place_given_by_hand_is_taken_back(client: FlaskClient, ids: list[int]) -> None:
    client.post("/api/v1/queue/moves", json={"ids": [ids[2]]})
    assert planned(client) == [ids[2], ids[0], ids[1]]
    answer = client.delete(f"/api/v1/queue/moves/{ids[2]}")
    assert (answer.status_code, answer.get_json()["position"]) == (200, 3)
    assert planned(client) == ids
    client.post(f"/api/v1/llm-requests/{ids[0]}/cancellation")
    assert client.delete(f"/api/v1/queue/moves/{ids[0]}").status_code == 409
    assert client.delete("/api/v1/queue/moves/999").status_code == 404


def test_what_was_to_run_now_is_sent_to_the_night(client: FlaskClient, ids: list[int]) -> None:
    client.post("/api/v1/queue/changes", json={"ids": ids, "action": "run_now"})
    done = client.post("/api/v1/queue/changes", json={"ids": [*ids, 999], "action": "run_tonight"}).get_json()
    assert {item["lane"] for item in done["changed"]} == {"night"}
    assert [item["id"] for item in done["refused"]] == [999]
