"""The application with a small site of its own."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from forllm_server.db import Database
from tests.support.app import make_app
from tests.support.trial_site import with_trial_pages


@pytest.fixture
def app(sqlite_database: Database, tmp_path: Path) -> Flask:
    return with_trial_pages(make_app(sqlite_database, tmp_path))


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
