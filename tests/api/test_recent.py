"""What came last, by API."""

from flask.testing import FlaskClient

API = "/api/v1"


def test_the_newest_topics_replies_and_personas_are_listed(client: FlaskClient) -> None:
    subforum_id = client.post(f"{API}/subforums", json={"name": "Garden"}).get_json()["id"]
    opened = {"title": "Roses", "content": "When?"}
    topic = client.post(f"{API}/subforums/{subforum_id}/topics", json=opened).get_json()
    reply = client.post(f"{API}/posts/{topic['first_post']['id']}/replies", json={"content": "Never."}).get_json()
    recent = client.get(f"{API}/recent").get_json()
    assert [each["title"] for each in recent["topics"]] == ["Roses"]
    assert [(each["post_id"], each["beginning"], each["author_kind"]) for each in recent["replies"]] == [
        (reply["id"], "Never.", "person")
    ]
    assert recent["personas"][0]["version"] == 1
