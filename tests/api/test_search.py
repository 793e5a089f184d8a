"""Searching by API."""

import pytest
from flask.testing import FlaskClient

from forllm_server.db import Database
from tests.search.world import Shelf


@pytest.fixture
def shelf(sqlite_database: Database) -> Shelf:
    return Shelf(sqlite_database)


def test_what_was_found_is_told_in_pieces(client: FlaskClient, shelf: Shelf) -> None:
    root = shelf.topic("Mirrors", "Which <b>disks</b>?", subforum="Home lab")
    reply = shelf.reply(root, "The mirror of two disks", persona="Skeptic", model="qwen3:32b", is_partial=True)
    answer = client.get("/api/v1/search?q=mirror persona:skeptic").get_json()
    (item,) = answer["items"]
    assert (item["post_id"], item["topic_id"], item["topic_title"]) == (reply, shelf.topic_of(root), "Mirrors")
    assert (item["author"], item["author_kind"], item["model_name"]) == ("Skeptic", "persona", "qwen3:32b")
    assert (item["subforum_name"], item["persona_version_number"], item["is_partial"]) == ("Home lab", 1, True)
    assert item["snippet"] == [
        {"text": "The ", "is_match": False},
        {"text": "mirror", "is_match": True},
        {"text": " of two disks", "is_match": False},
    ]
    assert (answer["next"], answer["sort"], answer["is_common"], answer["hints"]) == (None, "relevance", False, [])


def test_pages_follow_each_other(client: FlaskClient, shelf: Shelf) -> None:
    root = shelf.topic("T", "mirror")
    made = {root, *(shelf.reply(root, "mirror " * (number % 3 + 1)) for number in range(6))}
    for sort in ("relevance", "newest"):
        seen: list[int] = []
        after = None
        for _ in range(4):
            query = {"q": "mirror", "limit": 2, "sort": sort, **({"after": after} if after else {})}
            answer = client.get("/api/v1/search", query_string=query).get_json()
            seen += [item["post_id"] for item in answer["items"]]
            after = answer["next"]
        assert (set(seen), len(seen), after) == (made, 7, None)


def test_a_hint_and_a_suggestion_are_told(client: FlaskClient, shelf: Shelf) -> None:
    shelf.topic("Kubernetes", "x")
    answer = client.get("/api/v1/search?q=kuberntes").get_json()
    assert (answer["items"], answer["suggestion"]) == ([], "kubernetes")
    assert client.get("/api/v1/search?q=is:lost").get_json()["hints"] != []
    assert client.get("/api/v1/search?q=").get_json()["items"] == []


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("", 422, "q"),
        ("q=x&sort=best", 422, "sort"),
        ("q=x&limit=201", 422, "limit"),
        ("q=x&page=2", 422, "page"),
        ("q=x&after=nonsense!", 400, "after"),
        ("q=x&after=WyJuYW4iLDFd", 422, "after"),
        ("q=" + "x" * 10_000, 422, "q"),
    ],
)
def test_what_cannot_be_read_is_a_problem(client: FlaskClient, query: str, status: int, field: str) -> None:
    answer = client.get(f"/api/v1/search?{query}")
    assert (answer.status_code, answer.get_json()["field"]) == (status, field)
    assert answer.content_type == "application/problem+json"
