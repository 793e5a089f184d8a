"""Counting drafts by API."""

from flask.testing import FlaskClient

from tests.api.conftest import MODEL_ID

ADDRESS = "/api/v1/prompt-estimates"


def test_a_draft_is_counted_with_everything_above_it(client: FlaskClient, topic: dict[str, int]) -> None:
    answer = client.post(ADDRESS, json={"text": "And when do I water them?", "parent_id": topic["post_id"]})
    assert answer.status_code == 200
    estimate = answer.get_json()
    assert (estimate["persona_name"], estimate["model"], estimate["context_tokens"]) == ("Assistant", "tiny", 2048)
    assert estimate["text_tokens"] > 0
    assert estimate["breakdown"]["prompt_tokens"] > estimate["text_tokens"]
    assert estimate["breakdown"]["ancestor_count"] == 1
    assert estimate["problem"] is None
    # Nothing is foretold of a model before its first answer.
    assert (estimate["addition"]["machine_seconds"], estimate["addition"]["done_by"]) == (None, None)
    assert estimate["addition"]["words"].startswith("adds 1 reply")


def test_a_draft_that_does_not_fit_says_why(client: FlaskClient, topic: dict[str, int]) -> None:
    draft = {"text": "word " * 5_000, "title": "Long", "subforum_id": topic["subforum_id"], "model_id": MODEL_ID}
    estimate = client.post(ADDRESS, json=draft).get_json()
    assert estimate["breakdown"] is None
    assert "do not fit" in estimate["problem"]


def test_who_is_called_in_the_text_is_counted_too(client: FlaskClient, topic: dict[str, int]) -> None:
    for name in ("Skeptic", "Poet"):
        assert client.post("/api/v1/personas", json={"name": name, "instructions": "Doubt."}).status_code == 201
    text = "@poet @skeptic>@assistant and @nobody: why?"
    estimate = client.post(ADDRESS, json={"text": text, "parent_id": topic["post_id"]}).get_json()
    assert estimate["persona_name"] == "Poet"
    assert estimate["addition"]["words"].startswith("adds 3 replies")
    assert estimate["notes"] == ["@nobody names no persona, so nobody was asked by it."]
    asked = client.post(f"/api/v1/posts/{topic['post_id']}/replies", json={"content": text}).get_json()
    assert len(asked["llm_requests"]) == 3


def test_who_is_asked_and_called_as_well_is_counted_once(client: FlaskClient, topic: dict[str, int]) -> None:
    draft = {"text": "@assistant why?", "parent_id": topic["post_id"], "persona_id": 1}
    estimate = client.post(ADDRESS, json=draft).get_json()
    assert estimate["addition"]["words"].startswith("adds 1 reply")
    assert estimate["notes"] == []


def test_counting_stores_nothing(client: FlaskClient, topic: dict[str, int]) -> None:
    client.post(ADDRESS, json={"text": "x", "parent_id": topic["post_id"]})
    assert client.get("/api/v1/llm-requests").get_json()["items"] == []
    assert len(client.get(f"/api/v1/topics/{topic['id']}/posts").get_json()["items"]) == 1


def test_a_draft_that_could_not_be_asked_names_its_field(client: FlaskClient) -> None:
    for draft, status, field in (
        ({}, 422, "text"),
        ({"text": "x", "model_id": 99}, 422, "model_id"),
        ({"text": "x", "persona_id": 99}, 404, "persona_id"),
        ({"text": "x", "content": "y"}, 422, "content"),
    ):
        answer = client.post(ADDRESS, json=draft)
        assert (answer.status_code, answer.get_json()["field"]) == (status, field), draft
    assert client.post(ADDRESS, json={"text": "x", "parent_id": 99}).status_code == 404


def test_without_a_model_only_the_text_is_counted(client: FlaskClient) -> None:
    client.patch("/api/v1/backends/1", json={"is_enabled": False})
    estimate = client.post(ADDRESS, json={"text": "Hello there"}).get_json()
    assert estimate["text_tokens"] > 0
    assert {estimate[name] for name in ("model", "context_tokens", "breakdown", "problem", "addition")} == {None}
