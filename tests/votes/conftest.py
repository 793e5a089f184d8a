"""Two personas that answer the same questions."""

from datetime import datetime

import pytest

from forllm_server.db import Database
from tests.support.world import make_world
from tests.votes.world import Contest


@pytest.fixture
def contest(database: Database, now: datetime) -> Contest:
    return Contest(database, make_world(database, now), now, "Skeptic", "Teacher")
