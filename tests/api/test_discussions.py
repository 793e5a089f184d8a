"""Debates, councils and automatic replies by API."""

import pytest
from flask.testing import FlaskClient


@pytest.fixture
def personas(client: FlaskClient) -> list[int]:
    names = ("Skeptic", "Teacher", "Poet")
    new = [client.post("/api/v1/personas", json={"name": name, "instructions": "x"}) for name in names]
    return [answer.get_json()["id"] for answer in new]


def debate(personas: list[int], **changes: object) -> dict[str, object]:
    seats = [{"persona_id": personas[0], "role": "for"}, {"persona_id": personas[1], "role": "against"}]
    return {"kind": "debate", "seats": seats, "max_turns": 2} | changes


def test_a_debate_is_planned_begun_read_and_stopped(
    client: FlaskClient, topic: dict[str, int], personas: list[int]
) -> None:
    address = f"/api/v1/posts/{topic['post_id']}"
    planned = client.post(f"{address}/discussion-plans", json=debate(personas)).get_json()
    assert planned["llm_requests"] == 2
    assert "up to 2 answers" in planned["words"]
    begun = client.post(f"{address}/discussions", json=debate(personas, motion="So it is"))
    assert begun.status_code == 201
    found = client.get(begun.headers["Location"]).get_json()
    assert [(seat["name"], seat["role"]) for seat in found["seats"]] == [("Skeptic", "for"), ("Teacher", "against")]
    assert (found["motion"], found["ending"], found["max_tokens"]) == ("So it is", None, None)
    assert [(step["kind"], step["seat"], step["status"]) for step in found["steps"]] == [("turn", 0, "queued")]
    stopped = client.post(f"{begun.headers['Location']}/cancellation").get_json()
    assert (stopped["ending"], stopped["steps"][0]["status"]) == ("stopped", "cancelled")
    assert [each["id"] for each in client.get("/api/v1/discussions").get_json()["items"]] == [found["id"]]
    of_topic = client.get(f"/api/v1/discussions?topic_id={topic['id']}").get_json()
    assert [each["id"] for each in of_topic["items"]] == [found["id"]]


def test_those_of_a_topic_come_page_by_page(client: FlaskClient, topic: dict[str, int], personas: list[int]) -> None:
    address = f"/api/v1/posts/{topic['post_id']}/discussions"
    begun = [client.post(address, json=debate(personas)).get_json()["id"] for _ in range(3)]
    for query in (f"topic_id={topic['id']}", ""):
        first = client.get(f"/api/v1/discussions?limit=2&{query}").get_json()
        second = client.get(f"/api/v1/discussions?limit=2&after={first['next']}&{query}").get_json()
        assert [each["id"] for each in first["items"] + second["items"]] == begun[::-1]
        assert second["next"] is None


def test_what_is_wrong_is_named(client: FlaskClient, topic: dict[str, int], personas: list[int]) -> None:
    address = f"/api/v1/posts/{topic['post_id']}/discussions"
    for changes, field in (
        ({"max_turns": 0}, "max_turns"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"seats": [{"persona_id": personas[0]}]}, "seats"),
        ({"kind": "council"}, "seats"),
        ({"kind": "quarrel"}, "kind"),
    ):
        answer = client.post(address, json=debate(personas, **changes))
        assert (answer.status_code, answer.get_json()["field"]) == (422, field)
    assert client.post("/api/v1/posts/999/discussions", json=debate(personas)).status_code == 404
    assert client.get("/api/v1/discussions/9").status_code == 404


def test_automatic_replies_answer_what_is_posted_by_api(
    client: FlaskClient, topic: dict[str, int], personas: list[int]
) -> None:
    address = f"/api/v1/topics/{topic['id']}/automatic-replies"
    assert client.get(address).status_code == 404
    turned_on = client.put(address, json={"persona_ids": personas[:2], "most_replies": 3}).get_json()
    assert (turned_on["is_on"], turned_on["asked_count"]) == (True, 0)
    posted = client.post(f"/api/v1/posts/{topic['post_id']}/replies", json={"content": "Well?"}).get_json()
    assert [each["persona_id"] for each in posted["llm_requests"]] == personas[:2]
    client.post(f"/api/v1/posts/{topic['post_id']}/replies", json={"content": "And?"})
    found = client.get(address).get_json()
    assert (found["is_on"], found["ending"], found["asked_count"]) == (False, "count", 3)
    assert client.delete(address).status_code == 204
    assert client.put(address, json={"persona_ids": []}).status_code == 422
