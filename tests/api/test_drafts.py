"""Drafts by API, and who is called in a text that a program posts."""

from flask.testing import FlaskClient


def make(client: FlaskClient, post_id: int, content: str = "Half a thought") -> dict[str, object]:
    answer = client.post("/api/v1/drafts", json={"kind": "reply", "target_id": post_id, "content": content})
    assert answer.status_code == 201
    return dict(answer.get_json())


def test_a_draft_is_kept_read_changed_and_discarded(client: FlaskClient, topic: dict[str, int]) -> None:
    draft = make(client, topic["post_id"])
    assert (draft["kind"], draft["place"], draft["is_place_there"], draft["version"]) == ("reply", "Roses", True, 1)
    address = f"/api/v1/drafts/{draft['id']}"
    changed = client.patch(address, json={"content": "More of it", "version": 1}).get_json()
    assert (changed["content"], changed["version"]) == ("More of it", 2)
    assert client.patch(address, json={"content": "Late", "version": 1}).status_code == 409
    assert client.get(address).get_json() == changed
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert client.get("/api/v1/drafts").get_json() == {"items": [], "next": None}


def test_drafts_are_listed_last_written_first(client: FlaskClient, topic: dict[str, int]) -> None:
    for content in ("One", "Two", "Three"):
        make(client, topic["post_id"], content)
    first = client.get("/api/v1/drafts?limit=2").get_json()
    rest = client.get(f"/api/v1/drafts?limit=2&after={first['next']}").get_json()
    assert [item["content"] for item in first["items"] + rest["items"]] == ["Three", "Two", "One"]


def test_what_cannot_be_kept_is_refused(client: FlaskClient, topic: dict[str, int]) -> None:
    for status, values in (
        (422, {"kind": "reply", "target_id": topic["post_id"], "content": " "}),
        (422, {"kind": "poem", "target_id": 1, "content": "x"}),
        (404, {"kind": "topic", "target_id": 99, "content": "x"}),
        (422, {"kind": "edit", "target_id": topic["post_id"], "content": "x" * 1_000_001}),
    ):
        assert client.post("/api/v1/drafts", json=values).status_code == status, values


def test_who_is_called_in_a_text_is_asked(client: FlaskClient, topic: dict[str, int]) -> None:
    client.post("/api/v1/personas", json={"name": "Careful Skeptic", "instructions": "Doubt."})
    reply = client.post(
        f"/api/v1/posts/{topic['post_id']}/replies", json={"content": "@careful-skeptic what of this?"}
    ).get_json()
    assert [item["persona_id"] for item in reply["llm_requests"]] == [2]
    opened = client.post(
        f"/api/v1/subforums/{topic['subforum_id']}/topics",
        json={"title": "Again", "content": "@assistant?", "ask": [{"persona_id": 1}]},
    ).get_json()
    assert len(opened["llm_requests"]) == 1
    client.patch(f"/api/v1/posts/{reply['id']}", json={"content": "@careful-skeptic and @assistant?"})
    asked = client.get("/api/v1/llm-requests").get_json()["items"]
    assert sorted((item["post_id"], item["persona_id"]) for item in asked) == [(2, 1), (2, 2), (3, 1)]
