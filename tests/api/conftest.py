"""A client of the API, over a forum with one model."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert

from forllm_server.catalog.tables import models
from forllm_server.db import Database
from tests.conftest import EVENING
from tests.support.app import shared_app

MODEL_ID = 1


def add_model(database: Database) -> None:
    """The embedded backend's model, as its first probe would have found it."""
    values = {
        "id": MODEL_ID,
        "backend_id": 1,
        "name": "tiny",
        "label": "Tiny",
        "context_tokens": 2048,
        "context_source": "known",
        "details": {},
        "is_available": True,
        "first_seen_at": EVENING,
        "last_seen_at": EVENING,
    }
    with database.transaction() as connection:
        connection.execute(insert(models).values(values))


@pytest.fixture
def app(sqlite_database: Database, tmp_path: Path) -> Flask:
    add_model(sqlite_database)
    return shared_app(sqlite_database, tmp_path)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def topic(client: FlaskClient) -> dict[str, int]:
    """A subforum with a topic: the ids of both and of the first post."""
    subforum = client.post("/api/v1/subforums", json={"name": "Gardening"}).get_json()
    opened = client.post(
        f"/api/v1/subforums/{subforum['id']}/topics", json={"title": "Roses", "content": "When do I *cut* them?"}
    ).get_json()
    return {"subforum_id": subforum["id"], "id": opened["id"], "post_id": opened["first_post"]["id"]}
