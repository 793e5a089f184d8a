"""Batches over the API: made, read line by line, downloaded, paused, cancelled, deleted."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from forllm_server.db import Database, metadata

ADDRESS = "/api/v1/batches"
TOWNS = "town,land\nGraz,Austria\nUlm,Germany\n"


def body(subforum_id: int, **more: Any) -> dict[str, Any]:
    table = {"text": TOWNS, "format": "csv", "template": "Is {{town}} in {{land}}?"}
    return {"title": "Towns", "subforum_id": subforum_id, "persona_ids": [1], **table, **more}


@pytest.fixture
def batch(client: FlaskClient, topic: dict[str, int]) -> Any:
    checks = [{"kind": "contains", "value": "yes"}]
    return client.post(ADDRESS, json=body(topic["subforum_id"], model_ids=[None, 1], checks=checks)).get_json()


def test_a_batch_tells_its_columns_asks_and_progress(client: FlaskClient, batch: Any) -> None:
    assert batch["columns"] == ["town", "land"]
    assert [ask["label"] for ask in batch["asks"]] == ["Assistant v1 on its own model", "Assistant v1 on Tiny"]
    assert batch["progress"] | {"total": 4, "queued": 4, "unasked": 0} == batch["progress"]
    assert client.get(f"{ADDRESS}/{batch['id']}").get_json() == batch
    assert [item["id"] for item in client.get(ADDRESS).get_json()["items"]] == [batch["id"]]


def test_lines_come_with_their_cells_by_pages_and_by_state(
    client: FlaskClient, batch: Any, sqlite_database: Database
) -> None:
    address = f"{ADDRESS}/{batch['id']}/lines"
    first = client.get(address, query_string={"limit": 1}).get_json()
    assert first["items"][0]["values"] == {"town": "Graz", "land": "Austria"}
    assert [cell["status"] for cell in first["items"][0]["cells"]] == ["queued", "queued"]
    second = client.get(address, query_string={"limit": 1, "after": first["next"]}).get_json()
    assert (second["items"][0]["number"], second["next"]) == (2, None)
    wanted = second["items"][0]["cells"][1]["llm_request_id"]
    with sqlite_database.transaction() as connection:
        requests = metadata.tables["llm_requests"]
        connection.execute(requests.update().where(requests.c.id == wanted).values(status="failed"))
    failed = client.get(address, query_string={"show": "failed"}).get_json()["items"]
    assert [line["number"] for line in failed] == [2]
    assert client.post(f"{ADDRESS}/{batch['id']}/retries").get_json() == {"retried": 1}


def test_a_judge_is_kept_with_its_version_and_its_verdicts_come_with_the_cells(
    client: FlaskClient, topic: dict[str, int]
) -> None:
    judged = {"judge_persona_id": 1, "rubric": "Names the town."}
    made = client.post(ADDRESS, json=body(topic["subforum_id"], **judged)).get_json()
    assert made["judge"] == {"persona_id": 1, "persona_version_id": 1, "rubric": "Names the town."}
    assert made["progress"] | {"judged_pass": 0, "judged_fail": 0, "undecided": 0} == made["progress"]
    assert (made["done_by"], made["machine_seconds"]) == (None, None)
    lines = client.get(f"{ADDRESS}/{made['id']}/lines").get_json()["items"]
    assert lines[0]["cells"][0] | {"verdict": None, "verdict_said": ""} == lines[0]["cells"][0]
    assert client.get(f"{ADDRESS}/{made['id']}/lines?show=rejected").get_json()["items"] == []


def test_it_is_downloaded_in_three_formats(client: FlaskClient, batch: Any) -> None:
    for form, kind in (("csv", "text/csv"), ("jsonl", "application/x-ndjson"), ("md", "text/markdown")):
        answer = client.get(f"{ADDRESS}/{batch['id']}/export", query_string={"format": form})
        assert (answer.status_code, answer.mimetype) == (200, kind)
        assert "Ulm" in answer.text


def test_it_is_paused_resumed_cancelled_and_deleted(client: FlaskClient, batch: Any) -> None:
    address = f"{ADDRESS}/{batch['id']}"
    assert client.post(f"{address}/pause").get_json()["state"] == "paused"
    assert client.post(f"{address}/resumption").get_json()["progress"]["queued"] == 4
    assert client.post(f"{address}/cancellation").get_json()["progress"]["cancelled"] == 4
    assert client.post(f"{address}/resumption").status_code == 409
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


@pytest.mark.parametrize(
    ("more", "field", "words"),
    [
        ({"text": "town,land\nGraz\n"}, "text", "Row 2 has 1 value"),
        ({"template": "{{city}}"}, "template", "no column"),
        ({"checks": [{"kind": "matches", "value": "("}]}, "checks", "no regular expression"),
        ({"model_ids": [99]}, "model_id", "no such model"),
        ({"persona_ids": [99]}, "persona_ids", "not there"),
        ({"judge_persona_id": 99, "rubric": "Is short."}, "judge_persona_id", "not there"),
        ({"rubric": "Is short."}, "judge_persona_id", "Choose the persona"),
        ({"checks": [{"kind": "schema", "value": '{"type": "obj"}'}]}, "checks", "This JSON Schema cannot be used"),
        ({"checks": [{"kind": "json", "value": '{"type": "object"}'}]}, "checks", "JSON Schema is a check of its own"),
    ],
)
def test_what_cannot_be_taken_is_told_with_its_field(
    client: FlaskClient, topic: dict[str, int], more: dict[str, Any], field: str, words: str
) -> None:
    answer = client.post(ADDRESS, json=body(topic["subforum_id"], **more))
    assert (answer.status_code, answer.get_json()["field"]) == (422, field)
    assert words in answer.get_json()["detail"]
    assert client.get(ADDRESS).get_json()["items"] == []
