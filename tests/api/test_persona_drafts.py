"""Personas by a model, by API."""

import pytest
from flask.testing import FlaskClient

from forllm_server.clock import now
from forllm_server.db import Database
from forllm_server.personas.draft_model import Brief, DraftText
from forllm_server.personas.draft_store import get_draft, insert_draft
from forllm_server.personas.drafting import write_draft_down
from tests.support.world import LOCAL_USER

DRAFTS = "/api/v1/persona-drafts"
ASKED = {"description": "Somebody who knows disks.", "count": 2}


def add_draft(database: Database) -> int:
    """A draft that is written; its id."""
    with database.transaction() as connection:
        asked = insert_draft(
            connection, owner_id=LOCAL_USER, group_id="g", number=1, total=1, brief=Brief("x"), now=now()
        )
    write(database, asked.id)
    return asked.id


def write(database: Database, draft_id: int) -> None:
    with database.transaction() as connection:
        text = DraftText("Rosa", "Asks back.", "You ask for the numbers first.")
        draft = get_draft(connection, draft_id)
        write_draft_down(connection, draft, text, answer="all", model_name="qwen3:8b", now=now())


def test_drafts_are_asked_for_once_listed_and_read(client: FlaskClient) -> None:
    key = {"Idempotency-Key": "k"}
    asked = client.post(DRAFTS, json=ASKED, headers=key)
    assert asked.status_code == 202
    assert client.post(DRAFTS, json=ASKED, headers=key).get_json() == asked.get_json()
    first, second = asked.get_json()["items"]
    assert (first["status"], first["number"], second["number"], first["llm_request_ids"]) == ("queued", 1, 2, [1])
    page = client.get(f"{DRAFTS}?limit=1").get_json()
    assert page["items"] == [second]
    assert client.get(f"{DRAFTS}?after={page['next']}").get_json()["items"] == [first]
    assert client.get(f"{DRAFTS}/1").get_json() == first


def test_a_draft_is_accepted_and_names_its_persona(client: FlaskClient, sqlite_database: Database) -> None:
    client.post(DRAFTS, json=ASKED)
    assert client.post(f"{DRAFTS}/1/acceptance", json={}).status_code == 409
    write(sqlite_database, 1)
    made = client.post(f"{DRAFTS}/1/acceptance", json={"instructions": "You ask, and ask again."})
    assert made.status_code == 201
    assert (made.get_json()["name"], made.get_json()["instructions"]) == ("Rosa", "You ask, and ask again.")
    found = client.get(f"{DRAFTS}/1").get_json()
    assert (found["status"], found["persona_id"], found["answer"]) == ("accepted", made.get_json()["id"], "all")
    assert client.delete(f"{DRAFTS}/1").status_code == 409


def test_a_draft_is_dropped_restored_and_written_again(client: FlaskClient) -> None:
    client.post(DRAFTS, json=ASKED)
    assert client.post(f"{DRAFTS}/1/regenerations", json={}).status_code == 409
    assert client.delete(f"{DRAFTS}/1").status_code == 204
    assert client.get(f"{DRAFTS}/1").get_json()["status"] == "dropped"
    assert client.post(f"{DRAFTS}/1/restoration").get_json()["status"] == "cancelled"
    again = client.post(f"{DRAFTS}/1/regenerations", json={"remark": "Angrier.", "run_now": True})
    assert (again.status_code, again.get_json()["previous_id"]) == (202, 1)
    assert client.get(f"{DRAFTS}/1").get_json()["status"] == "replaced"


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "description"),
        (ASKED | {"count": 0}, "count"),
        (ASKED | {"count": 11}, "count"),
        (ASKED | {"count": "2"}, "count"),
        (ASKED | {"model_id": 99}, "model_id"),
        ({"description": "x" * 100_000}, "description"),
        (ASKED | {"nonsense": 1}, "nonsense"),
    ],
)
def test_what_cannot_be_taken_names_its_field(client: FlaskClient, sent: dict[str, object], field: str) -> None:
    answer = client.post(DRAFTS, json=sent)
    assert (answer.status_code, answer.get_json()["field"]) == (422, field)
