"""Backends and models by API."""

from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from forllm_server.catalog import discovery
from forllm_server.db import Database
from tests.api.conftest import MODEL_ID
from tests.conftest import EVENING
from tests.support.scripted_server import ScriptedServer
from tests.support.world import insert_backend, insert_model

# Port 9 of loopback (discard) is closed everywhere: what is there refuses the connection.
SERVER = {"name": "Box", "kind": "ollama", "base_url": "http://127.0.0.1:9", "api_key": "sk-very-secret"}


def test_a_backend_is_added_changed_and_deleted(client: FlaskClient) -> None:
    added = client.post("/api/v1/backends", json={**SERVER, "concurrency": 2})
    assert added.status_code == 201
    assert (added.get_json()["concurrency"], added.get_json()["is_reachable"]) == (2, None)
    address = added.headers["Location"]
    changed = client.patch(address, json={"is_enabled": False, "name": "Old box"}).get_json()
    assert (changed["name"], changed["is_enabled"], changed["has_api_key"]) == ("Old box", False, True)
    assert client.patch(address, json={"api_key": None}).get_json()["has_api_key"] is False
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


def test_an_api_key_is_never_given_out(client: FlaskClient) -> None:
    added = client.post("/api/v1/backends", json=SERVER, headers={"Idempotency-Key": "k"})
    address = added.headers["Location"]
    answers = [
        added,
        client.post("/api/v1/backends", json=SERVER, headers={"Idempotency-Key": "k"}),
        client.get(address),
        client.get("/api/v1/backends"),
        client.patch(address, json={"name": "Other"}),
        client.post(f"{address}/probe"),
        client.post("/api/v1/backends", json={**SERVER, "kind": "unknown"}),
    ]
    for answer in answers:
        assert "sk-very-secret" not in answer.text
        assert "sealed" not in answer.text
    assert added.get_json()["has_api_key"] is True


def test_probing_a_server_that_is_not_there_is_a_finding(client: FlaskClient) -> None:
    address = client.post("/api/v1/backends", json=SERVER).headers["Location"]
    probed = client.post(f"{address}/probe")
    assert probed.status_code == 200
    assert probed.get_json()["is_reachable"] is False
    assert probed.get_json()["probe"]["error"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "embedded"}, "kind"),
        ({"kind": "gpt"}, "kind"),
        ({"base_url": "ftp://x"}, "base_url"),
        ({"base_url": ""}, "base_url"),
        ({"name": " "}, "name"),
        ({"concurrency": 0}, "concurrency"),
        ({"silence_seconds": 1}, "silence_seconds"),
        ({"api_key": "sk\n1"}, "api_key"),
    ],
)
def test_what_cannot_be_a_backend_names_its_field(client: FlaskClient, change: dict[str, object], field: str) -> None:
    answer = client.post("/api/v1/backends", json={**SERVER, **change})
    assert (answer.status_code, answer.get_json()["field"]) == (422, field)


def test_models_are_listed_with_their_backend(client: FlaskClient) -> None:
    models = client.get("/api/v1/models").get_json()["items"]
    assert [(item["name"], item["backend_name"], item["context_tokens"]) for item in models] == [
        ("tiny", "Embedded", 2048)
    ]
    client.patch("/api/v1/backends/1", json={"is_enabled": False})
    assert client.get("/api/v1/models?is_available=true").get_json()["items"] == []
    assert len(client.get("/api/v1/models?is_available=false").get_json()["items"]) == 1
    assert client.get("/api/v1/models?is_available=maybe").status_code == 422


def test_the_context_of_a_model_is_said_and_taken_back(client: FlaskClient) -> None:
    address = f"/api/v1/models/{MODEL_ID}"
    assert client.get(address).get_json()["context_source"] == "known"
    smaller = client.patch(address, json={"context_tokens": 1024}).get_json()
    assert (smaller["context_tokens"], smaller["context_source"], smaller["backend_name"]) == (1024, "told", "Embedded")
    assert client.get(address).get_json() == smaller
    assert client.patch(address, json={"context_tokens": None}).get_json()["context_source"] == "guessed"


@pytest.mark.parametrize("tokens", [0, 1, -5, 4096, 10**12, 2.5, "1024", True])
def test_a_context_that_cannot_be_is_refused(client: FlaskClient, tokens: object) -> None:
    answer = client.patch(f"/api/v1/models/{MODEL_ID}", json={"context_tokens": tokens})
    assert (answer.status_code, answer.get_json()["field"]) == (422, "context_tokens")
    assert client.get(f"/api/v1/models/{MODEL_ID}").get_json()["context_tokens"] == 2048


def test_a_model_that_is_not_there_is_not_found(client: FlaskClient) -> None:
    assert client.get("/api/v1/models/99").status_code == 404
    assert client.patch("/api/v1/models/99", json={"context_tokens": 1024}).status_code == 404


def test_what_answers_on_this_machine_is_suggested_until_it_is_a_backend(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer("ollama") as server:
        monkeypatch.setattr(discovery, "USUAL_PORTS", (urlsplit(server.url).port,))
        (suggestion,) = client.get("/api/v1/backends/suggestions").get_json()["items"]
        assert (suggestion["kind"], suggestion["name"]) == ("ollama", "Ollama")
        client.post("/api/v1/backends", json={key: suggestion[key] for key in ("name", "kind", "base_url")})
        assert client.get("/api/v1/backends/suggestions").get_json() == {"items": [], "next": None}


def test_one_that_work_waits_for_is_deleted_only_when_it_is_said_what_becomes_of_it(
    client: FlaskClient, topic: dict[str, int], sqlite_database: Database
) -> None:
    with sqlite_database.transaction() as connection:
        backend_id = insert_backend(connection, EVENING, name="Attic")
        model_id = insert_model(connection, backend_id, EVENING)
    asked = client.post(f"/api/v1/posts/{topic['post_id']}/llm-requests", json={"model_id": model_id}).get_json()
    address = f"/api/v1/backends/{backend_id}"
    refused = client.delete(address)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "backend_in_use")
    assert "1 LLM request waits" in refused.get_json()["detail"]
    assert client.delete(f"{address}?move_to_model_id={model_id}").status_code == 422
    assert client.delete(f"{address}?cancel=perhaps").status_code == 422
    assert client.delete(f"{address}?move_to_model_id={MODEL_ID}").status_code == 204
    moved = client.get(f"/api/v1/llm-requests/{asked['id']}").get_json()
    assert (moved["status"], moved["model_id"]) == ("queued", MODEL_ID)
