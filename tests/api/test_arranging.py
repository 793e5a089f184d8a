"""Groups, tags, the orders of topics, and topics moved, locked, merged and split by API."""

import pytest
from flask.testing import FlaskClient


def open_topic(client: FlaskClient, subforum_id: int, title: str, **more: object) -> dict[str, int]:
    body = {"title": title, "content": "Text", **more}
    answer: dict[str, int] = client.post(f"/api/v1/subforums/{subforum_id}/topics", json=body).get_json()
    return answer


def test_a_topic_is_changed_in_one_call(client: FlaskClient, topic: dict[str, int]) -> None:
    other = client.post("/api/v1/subforums", json={"name": "Kitchen"}).get_json()["id"]
    address = f"/api/v1/topics/{topic['id']}"
    body = {"title": "Old roses", "subforum_id": other, "is_pinned": True, "is_locked": True, "tags": ["A", "b"]}
    changed = client.patch(address, json=body).get_json()
    assert {name: changed[name] for name in body} == body
    assert client.get(address).get_json() == changed
    assert client.get("/api/v1/subforums/1").get_json()["topic_count"] == 0
    assert client.patch(address, json={"tags": []}).get_json()["tags"] == []
    assert client.patch(address, json={"is_pinned": "yes"}).status_code == 422
    assert client.patch(address, json={"subforum_id": 99}).get_json()["field"] == "subforum_id"


def test_a_locked_topic_refuses_posts_and_questions(client: FlaskClient, topic: dict[str, int]) -> None:
    client.patch(f"/api/v1/topics/{topic['id']}", json={"is_locked": True})
    for path, body in (("replies", {"content": "x"}), ("llm-requests", {})):
        answer = client.post(f"/api/v1/posts/{topic['post_id']}/{path}", json=body)
        assert (answer.status_code, answer.get_json()["code"]) == (409, "topic_locked")
    client.patch(f"/api/v1/topics/{topic['id']}", json={"is_locked": False})
    assert client.post(f"/api/v1/posts/{topic['post_id']}/llm-requests", json={}).status_code == 202


def test_merging_and_splitting_take_questions_along(client: FlaskClient, topic: dict[str, int]) -> None:
    other = open_topic(client, topic["subforum_id"], "Tulips", ask=[{}])
    asked_id = client.get("/api/v1/llm-requests").get_json()["items"][0]["id"]
    merged = client.post(f"/api/v1/topics/{other['id']}/merge", json={"into_post_id": topic["post_id"]})
    assert (merged.status_code, merged.get_json()["topic_id"], merged.get_json()["depth"]) == (200, topic["id"], 1)
    assert client.get(f"/api/v1/llm-requests/{asked_id}").get_json()["topic_id"] == topic["id"]
    moved = client.get(f"/api/v1/topics/{other['id']}")
    assert (moved.status_code, moved.headers["Location"]) == (301, f"/api/v1/topics/{topic['id']}")
    refused = client.delete(f"/api/v1/topics/{other['id']}")
    assert (refused.status_code, refused.get_json()["code"]) == (404, "topic_moved")
    post_id = merged.get_json()["id"]
    split = client.post(f"/api/v1/posts/{post_id}/split", json={"title": "Tulips again"})
    assert (split.status_code, split.get_json()["split_from_post_id"]) == (201, topic["post_id"])
    assert client.get(split.headers["Location"]).get_json() == split.get_json()
    assert client.get(f"/api/v1/llm-requests/{asked_id}").get_json()["topic_id"] == split.get_json()["id"]
    for body, status in (({}, 422), ({"title": "x" * 5_000}, 422), ({"title": "Again"}, 403)):
        assert client.post(f"/api/v1/posts/{post_id}/split", json=body).status_code == status
    assert client.post(f"/api/v1/topics/{topic['id']}/merge", json={"into_post_id": 999}).status_code == 404


def test_groups_and_colours(client: FlaskClient, topic: dict[str, int]) -> None:
    ids = [client.post("/api/v1/subforum-groups", json={"name": name}).get_json()["id"] for name in ("Work", "Play")]
    address = f"/api/v1/subforums/{topic['subforum_id']}"
    changed = client.patch(address, json={"group_id": ids[1], "colour": "rose"}).get_json()
    assert (changed["group_id"], changed["group_name"], changed["colour"]) == (ids[1], "Play", "rose")
    assert client.patch(address, json={"colour": "#f00"}).get_json()["field"] == "colour"
    assert client.patch(address, json={"group_id": 99}).get_json()["field"] == "group_id"
    moved = client.patch(f"/api/v1/subforum-groups/{ids[1]}", json={"position": 0, "name": "Games"})
    assert (moved.get_json()["name"], moved.get_json()["position"]) == ("Games", 0)
    assert [each["name"] for each in client.get("/api/v1/subforum-groups").get_json()["items"]] == ["Games", "Work"]
    assert client.delete(f"/api/v1/subforum-groups/{ids[1]}").status_code == 204
    assert client.get(f"/api/v1/subforum-groups/{ids[1]}").status_code == 404
    assert client.patch(address, json={"colour": None}).get_json()["colour"] is None
    assert client.get(address).get_json()["group_id"] is None


@pytest.mark.parametrize("order", ["active", "new", "awaiting", "unanswered"])
def test_every_order_is_paged_to_its_end(client: FlaskClient, topic: dict[str, int], order: str) -> None:
    made = {topic["id"]}
    client.post(f"/api/v1/posts/{topic['post_id']}/llm-requests", json={})
    for number in range(4):
        made.add(open_topic(client, topic["subforum_id"], f"T{number}", ask=[{}], tags=["all"])["id"])
    seen: list[int] = []
    after = ""
    while after is not None:
        more = f"&after={after}" if after else ""
        page = client.get(f"/api/v1/topics?order={order}&limit=2{more}").get_json()
        seen += [item["id"] for item in page["items"]]
        after = page["next"]
    assert (len(seen), set(seen)) == (5, made)
    assert client.get("/api/v1/topics?order=best").status_code == 422
    assert client.get("/api/v1/topics?order=finished").get_json()["items"] == []


def test_tags_are_listed_filtered_and_limited(client: FlaskClient, topic: dict[str, int]) -> None:
    made = open_topic(client, topic["subforum_id"], "Tagged", tags=["Roses", "#roses", "old"])
    assert made["tags"] == ["old", "Roses"]
    assert client.get("/api/v1/tags").get_json()["items"] == [
        {"name": "old", "topic_count": 1},
        {"name": "Roses", "topic_count": 1},
    ]
    for path in ("/api/v1/topics?tag=ROSES", f"/api/v1/subforums/{topic['subforum_id']}/topics?tag=roses"):
        assert [item["title"] for item in client.get(path).get_json()["items"]] == ["Tagged"]
    assert client.get("/api/v1/topics?tag=none").status_code == 404
    many = client.patch(f"/api/v1/topics/{topic['id']}", json={"tags": [f"t{number}" for number in range(500)]})
    assert (many.status_code, many.get_json()["field"]) == (422, "tags")
    assert "500 tags" in many.get_json()["detail"]
