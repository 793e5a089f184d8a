"""Bookmarks, notes, votes, and what is unread."""

import pytest
from flask.testing import FlaskClient

API = "/api/v1"


def reply(client: FlaskClient, post_id: int) -> int:
    return int(client.post(f"{API}/posts/{post_id}/replies", json={"content": "In spring."}).get_json()["id"])


def test_a_bookmark_is_set_read_changed_and_removed(client: FlaskClient, topic: dict[str, int]) -> None:
    added = client.post(f"{API}/bookmarks", json={"post_id": topic["post_id"], "note": "roses"})
    bookmark = added.get_json()
    assert (added.status_code, added.headers["Location"]) == (201, f"{API}/bookmarks/{bookmark['id']}")
    assert (bookmark["topic_title"], bookmark["content"]) == ("Roses", "When do I *cut* them?")
    assert client.post(f"{API}/bookmarks", json={"post_id": topic["post_id"]}).status_code == 409
    changed = client.patch(added.headers["Location"], json={"note": ""})
    assert changed.get_json()["note"] == ""
    assert client.get(added.headers["Location"]).get_json() == changed.get_json()
    assert client.get(f"{API}/bookmarks").get_json()["items"] == [changed.get_json()]
    assert client.delete(added.headers["Location"]).status_code == 204
    assert client.get(added.headers["Location"]).status_code == 404


def test_bookmarks_are_given_in_pages(client: FlaskClient, topic: dict[str, int]) -> None:
    post_ids = [topic["post_id"], *(reply(client, topic["post_id"]) for _ in range(4))]
    for post_id in post_ids:
        client.post(f"{API}/bookmarks", json={"post_id": post_id})
    first = client.get(f"{API}/bookmarks?limit=3").get_json()
    second = client.get(f"{API}/bookmarks?limit=3&after={first['next']}").get_json()
    assert [item["post_id"] for item in first["items"] + second["items"]] == post_ids[::-1]
    assert second["next"] is None


def test_a_note_is_kept_on_a_topic(client: FlaskClient, topic: dict[str, int]) -> None:
    address = f"{API}/topics/{topic['id']}/note"
    assert client.get(address).status_code == 404
    assert client.put(address, json={"content": "Ask again."}).get_json()["content"] == "Ask again."
    assert client.get(address).get_json()["topic_title"] == "Roses"
    assert client.put(address, json={"content": "  "}).status_code == 422
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert client.put(f"{API}/topics/99/note", json={"content": "x"}).status_code == 404


def test_a_post_is_voted_on(client: FlaskClient, topic: dict[str, int]) -> None:
    address = f"{API}/posts/{topic['post_id']}/votes"
    assert client.put(address, json={"value": -1}).get_json() == {"up": 0, "down": 1, "own": -1}
    assert client.get(address).get_json()["own"] == -1
    assert client.put(address, json={"value": 0}).get_json() == {"up": 0, "down": 0, "own": 0}
    for wrong in (2, "1", True):
        assert client.put(address, json={"value": wrong}).status_code == 422
    assert client.put(f"{API}/posts/99/votes", json={"value": 1}).status_code == 404


def test_what_is_unread_is_counted_listed_and_seen(client: FlaskClient, topic: dict[str, int]) -> None:
    subforum_id = topic["subforum_id"]
    late = reply(client, topic["post_id"])
    assert client.get(f"{API}/unread").get_json() == {
        "topics": 1,
        "subforums": [{"subforum_id": subforum_id, "topics": 1}],
    }
    assert [item["id"] for item in client.get(f"{API}/unread/topics").get_json()["items"]] == [topic["id"]]
    seen = client.post(f"{API}/topics/{topic['id']}/seen", json={"post_ids": [topic["post_id"]]}).get_json()
    assert (seen["has_unread"], seen["first_unread_post_id"]) == (True, late)
    assert client.post(f"{API}/topics/{topic['id']}/seen", json={}).get_json()["has_unread"] is False
    assert client.get(f"{API}/unread").get_json()["topics"] == 0


def test_a_topic_is_muted_and_read_flat(client: FlaskClient, topic: dict[str, int]) -> None:
    address = f"{API}/topics/{topic['id']}/reading"
    changed = client.patch(address, json={"attention": "muted", "view": "flat"}).get_json()
    assert changed == {"has_unread": False, "first_unread_post_id": None, "attention": "muted", "view": "flat"}
    assert client.patch(address, json={"attention": None}).get_json()["view"] == "flat"
    assert client.patch(address, json={"attention": "asleep"}).status_code == 422
    assert client.get(f"{API}/topics/99/reading").status_code == 404


def test_all_is_marked_as_read_and_that_is_taken_back(client: FlaskClient, topic: dict[str, int]) -> None:
    marked = client.post(f"{API}/unread/markings", json={})
    assert client.get(f"{API}/unread").get_json()["topics"] == 0
    assert client.delete(marked.headers["Location"]).status_code == 204
    assert client.get(f"{API}/unread").get_json()["topics"] == 1
    assert client.delete(marked.headers["Location"]).status_code == 404
    assert client.post(f"{API}/unread/markings", json={"subforum_id": 99}).status_code == 404


@pytest.mark.parametrize("number", [0, 2**62])
def test_a_marking_that_never_was_is_not_found(client: FlaskClient, number: int) -> None:
    assert client.delete(f"{API}/unread/markings/{number}").status_code == 404
