"""The health of the process."""

from datetime import datetime
from pathlib import Path

from flask.testing import FlaskClient

from forllm_server.db import Database
from tests.support.app import make_app


def test_a_healthy_process_says_so_with_the_time(client: FlaskClient) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["status"] == "healthy"
    assert datetime.fromisoformat(answer.json["timestamp"]).tzinfo is not None


def test_a_process_without_its_database_does_not_call_itself_healthy(tmp_path: Path) -> None:
    database = Database.at(tmp_path / "no such folder" / "forllm_data.db")
    client = make_app(database, tmp_path).test_client()
    answer = client.get("/health")
    assert answer.status_code >= 500
    assert answer.mimetype == "application/problem+json"
