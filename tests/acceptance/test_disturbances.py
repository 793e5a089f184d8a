"""The invariant under random blows, in short: see storm.py. `forllm bench --kill` strikes as often as one likes."""

import random
import time

import pytest

from forllm_server.db import Database
from tests.acceptance.stage import Stage
from tests.acceptance.storm import Storm, check_database

pytestmark = pytest.mark.slow

DISTURBANCES = 20


def test_whatever_strikes_every_question_has_one_reply_or_one_error(stage: Stage) -> None:
    seed = time.time_ns() % 100_000
    stage.tokens, stage.delay_seconds = 50, 0.03
    database = Database.at(stage.data_dir / "forllm_data.db", busy_timeout_seconds=1)
    storm = Storm(stage, random.Random(seed), database, seed=seed)
    storm.rage(DISTURBANCES)
    findings = storm.calm_down()
    assert findings.is_clean, f"{findings.told}\n{storm.state()}"
    assert findings.answered >= findings.asked // 2, storm.state()
    assert check_database(database) == [], storm.state()
    database.close()
