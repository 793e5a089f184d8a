"""Subforums by API."""

from datetime import datetime

import pytest
from flask.testing import FlaskClient


def test_a_subforum_is_added_read_changed_and_deleted(client: FlaskClient) -> None:
    added = client.post("/api/v1/subforums", json={"name": " Gardening ", "description": "Of plants"})
    assert added.status_code == 201
    assert added.headers["Location"] == f"/api/v1/subforums/{added.get_json()['id']}"
    assert added.get_json()["name"] == "Gardening"
    assert datetime.fromisoformat(added.get_json()["created_at"]).tzinfo is not None
    address = added.headers["Location"]
    assert client.get(address).get_json() == added.get_json()
    changed = client.patch(address, json={"description": "Of roses"}).get_json()
    assert (changed["name"], changed["description"]) == ("Gardening", "Of roses")
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert client.get("/api/v1/subforums").get_json() == {"items": [], "next": None}


def test_subforums_keep_the_order_they_are_given(client: FlaskClient) -> None:
    ids = [client.post("/api/v1/subforums", json={"name": name}).get_json()["id"] for name in "ABC"]
    client.patch(f"/api/v1/subforums/{ids[2]}", json={"position": 0})
    items = client.get("/api/v1/subforums").get_json()["items"]
    assert [item["name"] for item in items] == ["C", "A", "B"]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "name"),
        ({"name": ""}, 422, "name"),
        ({"name": " \n"}, 422, "name"),
        ({"name": None}, 422, "name"),
        ({"name": 5}, 422, "name"),
        ({"name": ["a"]}, 422, "name"),
        ({"name": "x" * 5_000}, 422, "name"),
        ({"name": "x" * 20_000}, 422, "name"),
        ({"name": "gardening"}, 409, "name"),
        ({"name": "New", "description": 7}, 422, "description"),
        ({"name": "New", "descripton": "typo"}, 422, "descripton"),
        ([], 422, None),
        ("text", 422, None),
        (None, 422, "name"),
    ],
)
def test_what_cannot_be_a_subforum_is_refused_by_field(
    client: FlaskClient, body: object, status: int, field: str | None
) -> None:
    client.post("/api/v1/subforums", json={"name": "Gardening"})
    answer = client.post("/api/v1/subforums", json=body)
    assert (answer.status_code, answer.get_json()["field"]) == (status, field)
    assert len(client.get("/api/v1/subforums").get_json()["items"]) == 1


def test_topics_are_listed_by_page_newest_activity_first(client: FlaskClient, topic: dict[str, int]) -> None:
    address = f"/api/v1/subforums/{topic['subforum_id']}/topics"
    for number in range(4):
        client.post(address, json={"title": f"T{number}", "content": "x"})
    client.post(f"/api/v1/posts/{topic['post_id']}/replies", json={"content": "Now."})
    titles: list[str] = []
    after = None
    for _ in range(3):
        page = client.get(address, query_string={"limit": 2, **({"after": after} if after else {})}).get_json()
        titles += [item["title"] for item in page["items"]]
        after = page["next"]
    assert titles == ["Roses", "T3", "T2", "T1", "T0"]
    assert after is None


def test_there_are_no_topics_where_there_is_no_subforum(client: FlaskClient) -> None:
    assert client.get("/api/v1/subforums/99/topics").status_code == 404
    assert client.post("/api/v1/subforums/99/topics", json={"title": "T", "content": "x"}).status_code == 404
