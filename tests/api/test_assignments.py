"""Who may answer in a subforum, by API."""

import pytest
from flask.testing import FlaskClient


@pytest.fixture
def critic(client: FlaskClient) -> int:
    added = client.post("/api/v1/personas", json={"name": "Critic", "instructions": "Find what is wrong."})
    return int(added.get_json()["id"])


@pytest.fixture
def subforum(topic: dict[str, int]) -> str:
    return f"/api/v1/subforums/{topic['subforum_id']}"


def effective(client: FlaskClient, subforum: str, **query: int) -> tuple[str, str]:
    answer = client.get(f"{subforum}/effective-persona", query_string=query).get_json()
    return answer["persona_name"], answer["reason"]


def test_several_personas_are_assigned_and_taken_out(client: FlaskClient, subforum: str, critic: int) -> None:
    for persona_id in (1, critic):
        assert client.put(f"{subforum}/personas/{persona_id}", json={}).get_json()["is_default"] is False
    items = client.get(f"{subforum}/personas").get_json()["items"]
    assert [item["persona_name"] for item in items] == ["Assistant", "Critic"]
    assert client.delete(f"{subforum}/personas/1").status_code == 204
    assert client.delete(f"{subforum}/personas/1").status_code == 404
    assert len(client.get(f"{subforum}/personas").get_json()["items"]) == 1


def test_who_answers_is_told_with_the_reason(client: FlaskClient, subforum: str, critic: int) -> None:
    client.patch("/api/v1/settings", json={"default_persona_id": 1})
    assert effective(client, subforum) == ("Assistant", "global_default")
    assert client.put(f"{subforum}/personas/{critic}", json={"is_default": True}).get_json()["is_default"] is True
    assert effective(client, subforum) == ("Critic", "subforum_default")
    assert effective(client, subforum, persona_id=1) == ("Assistant", "asked")
    client.put(f"{subforum}/default-persona", json={"persona_id": None})
    client.patch("/api/v1/settings", json={"default_persona_id": critic})
    assert effective(client, subforum) == ("Critic", "global_default")
    client.delete(f"/api/v1/personas/{critic}")
    assert effective(client, subforum) == ("Assistant", "global_default")


def test_a_subforum_has_one_default_or_none(client: FlaskClient, subforum: str, critic: int) -> None:
    address = f"{subforum}/default-persona"
    nobody = {"persona_id": None, "persona_name": None}
    assert client.get(address).get_json() == nobody
    assert client.put(address, json={"persona_id": critic}).get_json()["persona_name"] == "Critic"
    client.put(f"{subforum}/personas/1", json={"is_default": True})
    assert client.get(address).get_json()["persona_id"] == 1
    # Left out, it stays as it is; false takes it back.
    assert client.put(f"{subforum}/personas/1", json={}).get_json()["is_default"] is True
    assert client.put(f"{subforum}/personas/1", json={"is_default": False}).get_json()["is_default"] is False
    assert client.get(address).get_json() == nobody


def test_what_is_not_there_cannot_be_assigned(client: FlaskClient, subforum: str) -> None:
    assert client.put(f"{subforum}/personas/99", json={}).status_code == 404
    assert client.put(f"{subforum}/default-persona", json={"persona_id": 99}).status_code == 404
    assert client.put(f"{subforum}/default-persona", json={}).get_json()["field"] == "persona_id"
    assert client.get(f"{subforum}/effective-persona?persona_id=99").get_json()["field"] == "persona_id"
    for rest in ("personas", "default-persona", "effective-persona"):
        assert client.get(f"/api/v1/subforums/99/{rest}").status_code == 404
