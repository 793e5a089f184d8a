"""The API against its own description: schemathesis makes up calls, good and bad, and compares the answers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import checks
from schemathesis.generation import GenerationMode

from forllm_server.db import Database
from tests.api.conftest import add_model
from tests.conftest import fill
from tests.support.app import PORT, make_app

pytestmark = pytest.mark.slow

#: What an answer must be: as described, and never a fault.
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
TOO_LARGE = 413
LOCAL = {"Host": f"127.0.0.1:{PORT}"}


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder: Path = tmp_path_factory.mktemp("described")
    database = Database.at(folder / "forllm_data.db")
    fill(database, tmp_path_factory.mktemp("backups"))
    add_model(database)
    app = make_app(database, folder)
    client = app.test_client()
    client.post("/api/v1/subforums", json={"name": "Gardening"})
    client.post("/api/v1/subforums/1/topics", json={"title": "Roses", "content": "When?", "ask": [{}]})
    client.post("/api/v1/schedule/windows", json={"days": ["mon"], "start_minute": 0, "end_minute": 60})
    yield schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app, headers=LOCAL)
    database.close()


def operations(described: Any) -> list[Any]:
    """All but the probe, which goes out to whatever address was made up; it has tests of its own."""
    found = [result.ok() for result in described.get_all_operations()]
    return [operation for operation in found if not operation.path.endswith("/probe")]


def holds(operation: Any, mode: GenerationMode) -> Callable[[], None]:
    """The test of one operation with calls that it should take (positive) or refuse (negative)."""
    demanded = [*CHECKS, checks.negative_data_rejection] if mode is GenerationMode.NEGATIVE else CHECKS

    @settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        response = case.call(headers=LOCAL)
        # "Too large" is said before anything else is looked at, and the check does not know it for a refusal.
        case.validate_response(response, checks=CHECKS if response.status_code == TOO_LARGE else demanded)

    return cast(Callable[[], None], check)


def test_good_calls_are_answered_as_described(described: Any) -> None:
    tried = operations(described)
    assert len(tried) > 30
    for operation in tried:
        holds(operation, GenerationMode.POSITIVE)()


def test_bad_calls_are_refused_as_described(described: Any) -> None:
    tried = [operation for operation in operations(described) if operation.body or operation.query]
    assert len(tried) > 15
    for operation in tried:
        holds(operation, GenerationMode.NEGATIVE)()
