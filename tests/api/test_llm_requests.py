"""LLM requests by API."""

import pytest
from flask.testing import FlaskClient

from forllm_server.db import Database
from forllm_server.queue.chunk_store import insert_chunk
from tests.api.conftest import MODEL_ID


@pytest.fixture
def asked(client: FlaskClient, topic: dict[str, int]) -> int:
    return int(client.post(f"/api/v1/posts/{topic['post_id']}/llm-requests", json={}).get_json()["id"])


def test_a_request_is_cancelled_and_retried(client: FlaskClient, asked: int) -> None:
    address = f"/api/v1/llm-requests/{asked}"
    cancelled = client.post(f"{address}/cancellation")
    assert (cancelled.status_code, cancelled.get_json()["status"]) == (200, "cancelled")
    assert cancelled.get_json()["cause"] == "cancelled"
    assert client.post(f"{address}/cancellation").status_code in (200, 409)
    retried = client.post(f"{address}/retry").get_json()
    assert (retried["status"], retried["attempts"], retried["cause"]) == ("queued", 0, None)


def test_requests_are_listed_newest_first_and_filtered(client: FlaskClient, topic: dict[str, int], asked: int) -> None:
    other = client.post(f"/api/v1/posts/{topic['post_id']}/llm-requests", json={"another": True}).get_json()["id"]
    client.post(f"/api/v1/llm-requests/{asked}/cancellation")

    def listed(**query: object) -> list[int]:
        page = client.get("/api/v1/llm-requests", query_string=query).get_json()
        return [item["id"] for item in page["items"]]

    assert listed() == [other, asked]
    assert listed(status="cancelled") == [asked]
    assert listed(status="queued,running,cancelled") == [other, asked]
    assert listed(topic_id=topic["id"]) == [other, asked]
    assert listed(topic_id=99) == []
    first = client.get("/api/v1/llm-requests?limit=1").get_json()
    assert listed(after=first["next"]) == [asked]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=sleeping", "status"),
        ("status=", "status"),
        ("topic_id=x", "topic_id"),
        ("topic_id=0", "topic_id"),
        ("topic_id=99999999999999999999", "topic_id"),
        ("limit=0", "limit"),
        ("limit=1&limit=2", "limit"),
        ("limit=201", "limit"),
        ("per_page=5", "per_page"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(client: FlaskClient, query: str, field: str) -> None:
    answer = client.get(f"/api/v1/llm-requests?{query}")
    assert (answer.status_code, answer.get_json()["field"]) == (422, field)


def test_acts_take_no_body(client: FlaskClient, asked: int) -> None:
    address = f"/api/v1/llm-requests/{asked}/cancellation"
    assert client.post(address, json={"force": True}).status_code == 422
    assert client.post(address, json={}).status_code == 200


def test_acts_cannot_be_done_by_reading(client: FlaskClient, asked: int) -> None:
    for act in ("cancellation", "retry", "hold", "release", "run-now", "requeue"):
        assert client.get(f"/api/v1/llm-requests/{asked}/{act}").status_code == 405
    assert client.get(f"/api/v1/llm-requests/{asked}").get_json()["status"] == "queued"


def test_a_request_that_is_not_there_is_not_found(client: FlaskClient) -> None:
    assert client.get("/api/v1/llm-requests/99").status_code == 404
    assert client.post("/api/v1/llm-requests/99/retry").status_code == 404


def test_a_request_is_held_released_and_run_now(client: FlaskClient, asked: int) -> None:
    address = f"/api/v1/llm-requests/{asked}"
    held = client.post(f"{address}/hold").get_json()
    assert (held["status"], held["cause"], held["position"]) == ("held", "held", None)
    released = client.post(f"{address}/release").get_json()
    assert (released["status"], released["cause"], released["lane"]) == ("queued", None, "night")
    assert client.post(f"{address}/run-now").get_json()["lane"] == "live"
    client.post(f"{address}/cancellation")
    for act in ("hold", "release", "run-now"):
        refused = client.post(f"{address}/{act}")
        assert (refused.status_code, refused.get_json()["code"]) == (409, "conflict"), act


def test_priority_changes_the_place_in_line(client: FlaskClient, topic: dict[str, int], asked: int) -> None:
    other = client.post(f"/api/v1/posts/{topic['post_id']}/llm-requests", json={"another": True}).get_json()
    assert other["position"] == 2
    changed = client.patch(f"/api/v1/llm-requests/{other['id']}", json={"priority": 7}).get_json()
    assert (changed["priority"], changed["position"]) == (7, 1)
    for body in ({}, {"priority": 1001}, {"priority": "7"}, {"status": "running", "priority": 1}):
        assert client.patch(f"/api/v1/llm-requests/{asked}", json=body).status_code == 422, body


def test_another_model_can_be_given_the_question(client: FlaskClient, asked: int) -> None:
    address = f"/api/v1/llm-requests/{asked}"
    client.post(f"{address}/cancellation")
    requeued = client.post(f"{address}/requeue", json={"model_id": MODEL_ID}).get_json()
    assert (requeued["status"], requeued["model_id"], requeued["attempts"]) == ("queued", MODEL_ID, 0)
    for body in ({}, {"model_id": 99}, {"model_id": None}):
        refused = client.post(f"{address}/requeue", json=body)
        assert (refused.status_code, refused.get_json()["field"]) == (422, "model_id"), body


def test_a_kept_partial_text_is_posted_once_and_marked(
    client: FlaskClient, topic: dict[str, int], asked: int, sqlite_database: Database
) -> None:
    address = f"/api/v1/llm-requests/{asked}"
    assert client.post(f"{address}/partial-reply").status_code == 409
    client.post(f"{address}/cancellation")
    refused = client.post(f"{address}/partial-reply")
    assert (refused.status_code, refused.get_json()["code"]) == (422, "invalid")
    with sqlite_database.transaction() as connection:
        insert_chunk(connection, asked, run=1, seq=0, text="Cut them in **March**", thinking="")
    posted = client.post(f"{address}/partial-reply")
    assert posted.status_code == 201
    reply = posted.get_json()
    assert (reply["content"], reply["is_partial"], reply["parent_id"]) == (
        "Cut them in **March**",
        True,
        topic["post_id"],
    )
    assert posted.headers["Location"] == f"/api/v1/posts/{reply['id']}"
    assert client.post(f"{address}/partial-reply").get_json()["id"] == reply["id"]
    settled = client.get(address).get_json()
    assert (settled["status"], settled["finish_reason"], settled["reply_post_id"]) == (
        "succeeded",
        "partial",
        reply["id"],
    )


def test_parameters_and_a_version_hold_for_one_reply_alone(
    client: FlaskClient, topic: dict[str, int], asked: int
) -> None:
    address = f"/api/v1/posts/{topic['post_id']}/llm-requests"
    given = {"temperature": 0.2, "max_tokens": 12, "seed": 7}
    other = client.post(address, json={"parameters": given, "persona_version_id": 1}).get_json()
    assert other["id"] != asked
    assert other["parameters"] | given == other["parameters"]
    for wrong, field in (({"parameters": {"temperature": 9}}, "temperature"), ({"persona_version_id": 99}, None)):
        refused = client.post(address, json=wrong)
        assert (refused.status_code, refused.get_json()["field"]) == (422, field or "persona_version_id")
