"""The trash by API."""

from flask.testing import FlaskClient


def listed(client: FlaskClient, **query: object) -> list[tuple[str, str]]:
    items = client.get("/api/v1/trash", query_string=query).get_json()["items"]
    return [(item["kind"], item["title"]) for item in items]


def test_what_was_deleted_is_listed_and_comes_back(client: FlaskClient, topic: dict[str, int]) -> None:
    reply = client.post(f"/api/v1/posts/{topic['post_id']}/replies", json={"content": "In March."}).get_json()
    addresses = [
        f"/api/v1/posts/{reply['id']}",
        f"/api/v1/topics/{topic['id']}",
        f"/api/v1/subforums/{topic['subforum_id']}",
    ]
    client.delete(addresses[0])
    assert client.get("/api/v1/trash").get_json()["items"][0]["excerpt"] == "In March."
    for address in addresses[1:]:
        client.delete(address)
    # A post inside a deleted topic comes back with it.
    assert listed(client) == [("subforum", "Gardening"), ("topic", "Roses")]
    assert client.post(f"{addresses[1]}/restoration").status_code == 404
    for address in reversed(addresses):
        restored = client.post(f"{address}/restoration")
        assert restored.status_code == 200, restored.text
        assert client.get(address).get_json()["id"] == restored.get_json()["id"]
    assert client.get(addresses[0]).get_json()["content"] == "In March."
    assert listed(client) == []


def test_the_trash_is_read_page_by_page(client: FlaskClient) -> None:
    for name in "ABC":
        client.delete(client.post("/api/v1/subforums", json={"name": name}).headers["Location"])
    first = client.get("/api/v1/trash?limit=2").get_json()
    assert [item["title"] for item in first["items"]] == ["C", "B"]
    assert listed(client, after=first["next"]) == [("subforum", "A")]


def test_a_name_given_away_meanwhile_keeps_a_subforum_in_the_trash(client: FlaskClient, topic: dict[str, int]) -> None:
    address = f"/api/v1/subforums/{topic['subforum_id']}"
    client.delete(address)
    client.post("/api/v1/subforums", json={"name": "gardening"})
    assert client.post(f"{address}/restoration").status_code == 409
    assert client.get(address).status_code == 404


def test_the_erased_does_not_come_back(client: FlaskClient, topic: dict[str, int]) -> None:
    client.delete(f"/api/v1/topics/{topic['id']}")
    assert client.delete("/api/v1/trash").get_json() == {"subforums": 0, "topics": 1, "posts": 1, "personas": 0}
    assert client.post(f"/api/v1/topics/{topic['id']}/restoration").status_code == 404
    assert client.post("/api/v1/topics/99/restoration").status_code == 404
