"""Topics and threads by API."""

from flask.testing import FlaskClient

from tests.api.conftest import MODEL_ID


def test_opening_a_topic_gives_its_first_post_and_what_was_asked(client: FlaskClient, topic: dict[str, int]) -> None:
    answer = client.post(
        f"/api/v1/subforums/{topic['subforum_id']}/topics",
        json={"title": "Tulips", "content": "Bulbs?", "ask": [{}, {"persona_id": 1, "model_id": MODEL_ID}]},
    )
    assert answer.status_code == 201
    opened = answer.get_json()
    assert opened["first_post"]["parent_id"] is None
    assert opened["first_post"]["content"] == "Bulbs?"
    assert [item["status"] for item in opened["llm_requests"]] == ["queued", "queued"]
    # The second asks the same persona of the same model: a double click, not two answers.
    assert len({item["id"] for item in opened["llm_requests"]}) == 1
    assert client.get(answer.headers["Location"]).get_json()["title"] == "Tulips"


def test_a_wish_that_cannot_be_met_opens_nothing(client: FlaskClient, topic: dict[str, int]) -> None:
    address = f"/api/v1/subforums/{topic['subforum_id']}/topics"
    answer = client.post(address, json={"title": "T", "content": "x", "ask": [{}, {"model_id": 99}]})
    assert (answer.status_code, answer.get_json()["field"]) == (422, "model_id")
    assert len(client.get(address).get_json()["items"]) == 1
    assert client.get("/api/v1/llm-requests").get_json()["items"] == []


def test_a_field_inside_a_list_is_named_by_its_path(client: FlaskClient, topic: dict[str, int]) -> None:
    address = f"/api/v1/subforums/{topic['subforum_id']}/topics"
    answer = client.post(address, json={"title": "T", "content": "x", "ask": [{}, {"persona_id": "one", "who": 1}]})
    assert answer.get_json()["errors"].keys() == {"ask.1.persona_id", "ask.1.who"}
    many = client.post(address, json={"title": "T", "content": "x", "ask": [{}] * 101})
    assert (many.status_code, many.get_json()["field"]) == (422, "ask")
    assert "101 replies" in many.get_json()["detail"]
    assert "max_asked_at_once" in many.get_json()["detail"]
    flood = client.post(address, json={"title": "T", "content": "x", "ask": [{}] * 1_000_000})
    assert (flood.status_code, flood.get_json()["field"]) == (422, "ask")
    assert "1,000,000 replies" in flood.text
    assert "max_asked_at_once" in flood.text
    assert client.get(address).get_json()["items"][-1]["title"] == "Roses"


def test_a_topic_is_renamed_and_deleted(client: FlaskClient, topic: dict[str, int]) -> None:
    address = f"/api/v1/topics/{topic['id']}"
    assert client.patch(address, json={"title": "Old roses"}).get_json()["title"] == "Old roses"
    assert client.patch(address, json={"title": "  "}).get_json()["field"] == "title"
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert client.get(f"{address}/posts").status_code == 404


def test_a_thread_is_read_page_by_page_in_its_order(client: FlaskClient, topic: dict[str, int]) -> None:
    first = client.post(f"/api/v1/posts/{topic['post_id']}/replies", json={"content": "a"}).get_json()["id"]
    client.post(f"/api/v1/posts/{topic['post_id']}/replies", json={"content": "b"})
    client.post(f"/api/v1/posts/{first}/replies", json={"content": "a1"})
    seen: list[tuple[int, str]] = []
    after = None
    for _ in range(4):
        query = {"limit": 1, **({"after": after} if after else {})}
        page = client.get(f"/api/v1/topics/{topic['id']}/posts", query_string=query).get_json()
        seen += [(post["depth"], post["content"]) for post in page["items"]]
        after = page["next"]
    assert seen == [(0, "When do I *cut* them?"), (1, "a"), (2, "a1"), (1, "b")]
    assert after is None


def test_posts_come_rendered(client: FlaskClient, topic: dict[str, int]) -> None:
    post = client.get(f"/api/v1/topics/{topic['id']}/posts").get_json()["items"][0]
    assert "<em>cut</em>" in post["content_html"]
    assert (post["author"], post["author_kind"], post["is_deleted"]) == ("You", "person", False)


def test_a_tampered_cursor_is_refused(client: FlaskClient, topic: dict[str, int]) -> None:
    answer = client.get(f"/api/v1/topics/{topic['id']}/posts?after=nonsense!")
    assert (answer.status_code, answer.get_json()["code"], answer.get_json()["field"]) == (400, "malformed", "after")
