"""Posts, replies and asking by API."""

import pytest
from flask.testing import FlaskClient

from tests.api.conftest import MODEL_ID


def test_a_reply_hangs_on_its_post_and_asks_for_answers(client: FlaskClient, topic: dict[str, int]) -> None:
    answer = client.post(f"/api/v1/posts/{topic['post_id']}/replies", json={"content": "In *spring*.", "ask": [{}]})
    assert answer.status_code == 201
    reply = answer.get_json()
    assert (reply["parent_id"], reply["depth"]) == (topic["post_id"], 1)
    assert [item["post_id"] for item in reply["llm_requests"]] == [reply["id"]]
    assert "<em>spring</em>" in client.get(answer.headers["Location"]).get_json()["content_html"]


def test_a_call_that_reaches_nobody_is_told(client: FlaskClient, topic: dict[str, int]) -> None:
    address = f"/api/v1/posts/{topic['post_id']}/replies"
    reply = client.post(address, json={"content": "@Assistant and @nobody, when?"}).get_json()
    assert [item["persona_id"] for item in reply["llm_requests"]] == [1]
    assert reply["notes"] == ["@nobody names no persona, so nobody was asked by it."]
    assert client.post(address, json={"content": "Thanks."}).get_json()["notes"] == []


def test_an_edit_tells_whom_it_asks_and_which_calls_reach_nobody(client: FlaskClient, topic: dict[str, int]) -> None:
    address = f"/api/v1/posts/{topic['post_id']}"
    edited = client.patch(address, json={"content": "@assistant and @nobody, when?"}).get_json()
    assert [item["persona_id"] for item in edited["llm_requests"]] == [1]
    assert edited["notes"] == ["@nobody names no persona, so nobody was asked by it."]
    assert edited["content_html"]
    again = client.patch(address, json={"content": "@assistant and @nobody, when and how?"}).get_json()
    assert (again["llm_requests"], again["notes"]) == ([], [])


def test_editing_keeps_the_earlier_text(client: FlaskClient, topic: dict[str, int]) -> None:
    address = f"/api/v1/posts/{topic['post_id']}"
    edited = client.patch(address, json={"content": "When?", "expected_version": 1}).get_json()
    assert (edited["content"], edited["revision_count"]) == ("When?", 1)
    assert "When?" in edited["content_html"]
    revisions = client.get(f"{address}/revisions").get_json()["items"]
    assert [(item["number"], item["content"]) for item in revisions] == [(1, "When do I *cut* them?")]
    late = client.patch(address, json={"content": "Where?", "expected_version": 1})
    assert late.status_code == 409


def test_a_deleted_post_keeps_its_place_without_its_text(client: FlaskClient, topic: dict[str, int]) -> None:
    reply = client.post(f"/api/v1/posts/{topic['post_id']}/replies", json={"content": "secret"}).get_json()
    assert client.delete(f"/api/v1/posts/{reply['id']}").status_code == 204
    posts = client.get(f"/api/v1/topics/{topic['id']}/posts").get_json()["items"]
    assert [(post["is_deleted"], post["content"], post["content_html"]) for post in posts][1:] == [(True, "", None)]
    assert client.delete(f"/api/v1/posts/{topic['post_id']}").status_code == 403


def test_asking_answers_202_with_the_request(client: FlaskClient, topic: dict[str, int]) -> None:
    answer = client.post(
        f"/api/v1/posts/{topic['post_id']}/llm-requests",
        json={"persona_id": 1, "model_id": MODEL_ID, "run_now": True, "priority": 5},
    )
    assert answer.status_code == 202
    asked = answer.get_json()
    assert (asked["status"], asked["position"], asked["attempts"]) == ("queued", 1, 0)
    assert (asked["lane"], asked["priority"], asked["model"]) == ("live", 5, "tiny")
    assert (asked["prompt"], asked["breakdown"], asked["reply_post_id"], asked["error"]) == (None, None, None, None)
    assert client.get(answer.headers["Location"]).get_json()["id"] == asked["id"]


def test_a_double_click_asks_once_and_another_answer_is_a_wish_of_its_own(
    client: FlaskClient, topic: dict[str, int]
) -> None:
    address = f"/api/v1/posts/{topic['post_id']}/llm-requests"
    ids = [client.post(address, json={}).get_json()["id"] for _ in range(2)]
    assert ids[0] == ids[1]
    another = client.post(address, json={"another": True}).get_json()
    assert another["id"] != ids[0]
    assert another["answer_number"] == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"model_id": 99}, "model_id"),
        ({"model_id": "1"}, "model_id"),
        ({"model_id": 1.0}, "model_id"),
        ({"model_id": True}, "model_id"),
        ({"model_id": 0}, "model_id"),
        ({"model_id": 2**63}, "model_id"),
        ({"run_now": 1}, "run_now"),
        ({"run_now": "true"}, "run_now"),
        ({"priority": 10_000}, "priority"),
        ({"priority": 0.5}, "priority"),
        ({"when": "tonight"}, "when"),
    ],
)
def test_a_wish_that_makes_no_sense_names_its_field(
    client: FlaskClient, topic: dict[str, int], body: dict[str, object], field: str
) -> None:
    answer = client.post(f"/api/v1/posts/{topic['post_id']}/llm-requests", json=body)
    assert (answer.status_code, answer.get_json()["field"]) == (422, field)
    assert client.get("/api/v1/llm-requests").get_json()["items"] == []


def test_a_persona_that_is_not_there_cannot_be_asked(client: FlaskClient, topic: dict[str, int]) -> None:
    answer = client.post(f"/api/v1/posts/{topic['post_id']}/llm-requests", json={"persona_id": 99})
    assert (answer.status_code, answer.get_json()["field"]) == (404, "persona_id")


def test_nothing_can_be_said_to_a_post_that_is_not_there(client: FlaskClient) -> None:
    for post_id in (0, 99, 2**63 - 1, 2**63, 10**30):
        assert client.get(f"/api/v1/posts/{post_id}").status_code == 404
        assert client.post(f"/api/v1/posts/{post_id}/replies", json={"content": "x"}).status_code == 404
        assert client.post(f"/api/v1/posts/{post_id}/llm-requests", json={}).status_code == 404


@pytest.mark.parametrize("content", ["", " \n\t", "x" * 300_000])
def test_a_text_that_cannot_be_posted_is_refused(client: FlaskClient, topic: dict[str, int], content: str) -> None:
    answer = client.post(f"/api/v1/posts/{topic['post_id']}/replies", json={"content": content})
    assert (answer.status_code, answer.get_json()["field"]) == (422, "content")
