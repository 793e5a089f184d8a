"""How many replies at once a server is asked for: what was set, what it offers, and never above that."""

from dataclasses import replace
from typing import Any

import pytest

from forllm_server.catalog.editing import BackendChange, change_backend
from forllm_server.catalog.model import BackendRecord
from forllm_server.catalog.probing import probe_backend
from forllm_server.db import Database
from forllm_server.jobs.planning import NightPlan
from forllm_server.queue.backend_state_store import replace_last_served
from forllm_server.queue.dispatch import LastServed
from forllm_server.queue.llm_request_store import update_status
from forllm_server.queue.model import Status
from forllm_server.queue.rate_store import replace_rates
from tests.catalog.world import NOW, SECRET, add
from tests.support.scripted_server import ScriptedServer
from tests.support.world import insert_backend, insert_model, make_world, queue_request

REMOTE = {"kind": "llama_cpp", "base_url": "http://workshop.lan:8080"}


def added(database: Database, **values: Any) -> BackendRecord:
    with database.transaction() as connection:
        return add(connection, **values)


def told(record: BackendRecord, slots: object) -> BackendRecord:
    return replace(record, probe={"is_reachable": True, "slots": slots})


def test_a_remote_llama_server_is_used_with_all_its_slots_once_it_has_told_them(database: Database) -> None:
    record = added(database, **REMOTE)
    assert record.follows_slots
    assert [record.replies_at_once, told(record, 4).replies_at_once] == [1, 4]


@pytest.mark.parametrize("values", [REMOTE | {"base_url": "http://127.0.0.1:8080"}, REMOTE | {"kind": "ollama"}])
def test_everywhere_else_it_is_one_at_a_time_unless_said_otherwise(database: Database, values: dict[str, Any]) -> None:
    record = added(database, **values)
    assert not record.follows_slots
    assert told(record, 4).replies_at_once == 1


def test_a_number_that_was_set_is_never_exceeded_nor_are_the_slots(database: Database) -> None:
    record = added(database, **REMOTE, concurrency=3)
    assert [told(record, slots).replies_at_once for slots in (None, 8, 2, 0, True, "9")] == [3, 3, 2, 3, 3, 3]


def test_a_server_that_claims_to_have_a_thousand_slots_is_not_believed(database: Database) -> None:
    assert told(added(database, **REMOTE), 1000).replies_at_once == 64


def test_as_the_server_offers_can_be_chosen_and_taken_back(database: Database) -> None:
    record = added(database, **REMOTE, concurrency=2)
    with database.transaction() as connection:
        record = change_backend(connection, record.id, BackendChange.of(concurrency=None), secret_key=SECRET)
        assert (record.follows_slots, told(record, 4).replies_at_once) == (True, 4)
        record = change_backend(connection, record.id, BackendChange.of(concurrency=2), secret_key=SECRET)
        assert (record.follows_slots, told(record, 4).replies_at_once) == (False, 2)


def test_the_plan_of_the_workers_has_the_slots_that_the_probe_found(database: Database) -> None:
    with ScriptedServer("llama_cpp", models=("scripted",)) as server:
        record = added(database, kind="llama_cpp", base_url=server.url, concurrency=64)
        probed = probe_backend(database, record.id, secret_key=SECRET, silence_seconds=5, now=NOW)
    assert probed.slots is not None
    with database.read() as connection:
        planned = {each.id: each.concurrency for each in NightPlan().backends(connection, NOW)}
    assert planned[record.id] == probed.slots


@pytest.mark.parametrize(
    ("kind", "is_measured", "expected"),
    [
        ("openai_compatible", False, True),
        ("llama_cpp", False, False),
        ("llama_cpp", True, True),
        ("ollama", True, True),
    ],
)
def test_slots_share_a_thread_where_reading_it_again_is_quick(
    database: Database, kind: str, is_measured: bool, expected: bool
) -> None:
    world = make_world(database, NOW)
    with database.transaction() as connection:
        backend_id = insert_backend(connection, NOW, name="Many", kind=kind, concurrency=4)
        model_id = insert_model(connection, backend_id, NOW)
        replace_last_served(connection, backend_id, LastServed(model_id, 1, 1), now=NOW)
    if is_measured:
        usage = {"prompt_tokens": 800, "completion_tokens": 400, "prompt_seconds": 1.0, "generation_seconds": 8.0}
        answered = queue_request(database, world, NOW, backend_id=backend_id, model_id=model_id)
        with database.transaction() as connection:
            replace_rates(connection, model_id, usage, NOW)
            update_status(
                connection,
                answered.id,
                from_statuses=(Status.QUEUED,),
                values={"status": Status.SUCCEEDED, "usage": usage, "output_tokens": 400},
            )
    with database.read() as connection:
        fans_out = {each.id: each.fans_out for each in NightPlan().backends(connection, NOW)}
    assert (fans_out[world.backend_id], fans_out[backend_id]) == (True, expected)
