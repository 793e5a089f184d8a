"""One order for everybody: what is claimed, what the plan shows, and the places that people are told."""

import random
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import insert, update

from forllm_server.db import Database, metadata
from forllm_server.queue import backend_state_store, claiming, picks_store, plan_store
from forllm_server.queue.claiming import ClaimableBackend
from forllm_server.queue.dispatch import STARVING_AFTER, TURN, LastServed, pick
from forllm_server.queue.model import LlmRequest
from forllm_server.queue.tables import llm_requests
from tests.support.world import World, insert_model, insert_topic, insert_user, make_world, queue_request
from tests.support.world import insert as insert_row


@pytest.fixture
def world(database: Database, now: datetime) -> World:
    return make_world(database, now)


def fill(
    database: Database, world: World, now: datetime, dice: random.Random, number: int, *, personas: Any = (1, None)
) -> None:
    """A line as mixed as it can be, written directly."""
    with database.transaction() as connection:
        owners = [1, *(insert_user(connection, now, name=f"Guest {each}") for each in range(dice.randrange(3)))]
        models = [world.model_id, *(insert_model(connection, world.backend_id, now, name=f"m{n}") for n in range(2))]
        topics = [None, world.topic_id, *(insert_topic(connection, world, now) for _ in range(3))]
        ages = [timedelta(0), timedelta(hours=1), STARVING_AFTER + timedelta(hours=1)]
        rows: list[dict[str, Any]] = [
            {
                "owner_id": dice.choice(owners),
                "kind": "reply",
                "status": "queued",
                "lane": dice.choice(["night"] * 9 + ["live"]),
                "priority": dice.choice([0] * 8 + [1]),
                "topic_id": dice.choice(topics),
                "persona_id": 1,
                "persona_version_id": dice.choice(personas),
                "backend_id": world.backend_id,
                "model_id": dice.choice(models),
                "parameters": dice.choice([{}, {"context_tokens": 8192}, {"context_tokens": 4096}]),
                "input": {},
                "created_at": now - dice.choice(ages),
                "pinned": dice.choice([None] * 9 + [1.5]),
            }
            for _ in range(number)
        ]
        connection.execute(insert(llm_requests), rows)
        if dice.random() < 0.5:
            last = LastServed(dice.choice(models), 1, dice.choice(topics), dice.choice(owners), 95, TURN - 2)
            backend_state_store.replace_last_served(connection, world.backend_id, last, now=now)


def insert_version(database: Database) -> int:
    """One more version of the built-in persona; its id."""
    versions = metadata.tables["persona_versions"]
    with database.transaction() as connection:
        row = dict(connection.execute(versions.select().limit(1)).mappings().one())
        del row["id"]
        return insert_row(connection, "persona_versions", **row | {"number": 99})


def places(database: Database, now: datetime) -> list[int]:
    """The ids in the order of the places that are told."""
    with database.read() as connection:
        positions = plan_store.list_positions(connection, now)
    assert sorted(positions.values()) == list(range(1, len(positions) + 1))
    return sorted(positions, key=lambda each: positions[each])


def claim_and_end(
    database: Database, world: World, now: datetime, *, loads_by_context: bool = False
) -> LlmRequest | None:
    """What a worker takes, which ends at once."""
    with database.transaction() as connection:
        backends = [ClaimableBackend(world.backend_id, 1, True, loads_by_context=loads_by_context)]
        claimed = claiming.claim(connection, backends=backends, worker="w", now=now)
        is_running = llm_requests.c.status == "running"
        connection.execute(update(llm_requests).where(is_running).values(status="succeeded", finished_at=now))
    return claimed.request if claimed else None


@pytest.mark.parametrize("seed", range(8))
def test_claims_take_the_line_in_the_order_of_the_plan(
    database: Database, world: World, now: datetime, seed: int
) -> None:
    fill(database, world, now, random.Random(seed), 40)
    planned = places(database, now)
    assert len(planned) == 40
    taken = []
    while request := claim_and_end(database, world, now):
        taken.append(request.id)
    assert taken == planned


@pytest.mark.parametrize("seed", range(6))
def test_where_models_are_loaded_by_context_size_claims_take_the_order_of_the_plan_too(
    database: Database, now: datetime, seed: int
) -> None:
    world = make_world(database, now, kind="ollama")
    dice = random.Random(seed)
    fill(database, world, now, dice, 40, personas=(1, insert_version(database)))
    planned = places(database, now)
    taken: list[int] = []
    while request := claim_and_end(database, world, now + timedelta(milliseconds=len(taken)), loads_by_context=True):
        taken.append(request.id)
        assert places(database, now) == planned[len(taken) :], "the plan goes on from what is loaded"
    assert taken == planned


def test_one_model_asked_with_two_context_sizes_is_loaded_twice_and_not_at_every_turn(
    database: Database, now: datetime
) -> None:
    world = make_world(database, now, kind="ollama")
    for number in range(60):
        parameters = {"context_tokens": 8192} if number % 2 else {}
        queue_request(database, world, now, answer_number=number + 1, parameters=parameters)
    taken: list[int | None] = []
    while request := claim_and_end(database, world, now + timedelta(milliseconds=len(taken)), loads_by_context=True):
        taken.append(request.parameters.get("context_tokens"))
    assert taken == [None] * 30 + [8192] * 30


def test_a_second_place_keeps_to_the_context_size_that_is_loaded(database: Database, now: datetime) -> None:
    world = make_world(database, now, kind="ollama")
    with database.transaction() as connection:
        topics = [insert_topic(connection, world, now) for _ in range(4)]
    for topic_id, context_tokens in zip(topics, (8192, 4096, 16384, 8192), strict=True):
        queue_request(database, world, now, topic_id=topic_id, parameters={"context_tokens": context_tokens})
    backends = [ClaimableBackend(world.backend_id, 4, True, loads_by_context=True)]
    taken = []
    for number in range(4):
        with database.transaction() as connection:
            later = now + timedelta(milliseconds=number)
            claimed = claiming.claim(connection, backends=backends, worker="w", now=later)
        assert claimed is not None
        taken.append(claimed.request.parameters["context_tokens"])
    assert taken == [8192, 8192, 4096, 16384]


@pytest.mark.parametrize(
    ("kind", "parameters", "details", "expected"),
    [
        pytest.param("ollama", {}, {}, 4096, id="as the model is set"),
        pytest.param("ollama", {"context_tokens": 8192}, {}, 8192, id="as was wished"),
        pytest.param(
            "ollama", {"context_tokens": 8192}, {"trained_context_tokens": 6000}, 6000, id="no more than trained"
        ),
        pytest.param("ollama", {"context_tokens": "many"}, {}, 4096, id="nonsense is no wish"),
        pytest.param("llama_cpp", {"context_tokens": 2048}, {}, None, id="a server that has loaded its own"),
    ],
)
def test_what_a_model_is_loaded_with(
    database: Database, now: datetime, kind: str, parameters: Any, details: Any, expected: int | None
) -> None:
    world = make_world(database, now, kind=kind)
    with database.transaction() as connection:
        connection.execute(metadata.tables["models"].update().values(details=details))
    queue_request(database, world, now, parameters=parameters)
    with database.read() as connection:
        [found] = plan_store.list_queued(connection, world.backend_id, limit=2)
    assert found.candidate.context_tokens == expected


def test_the_picks_by_index_are_those_found_by_looking_at_each(database: Database, world: World, now: datetime) -> None:
    fill(database, world, now, random.Random(3), 60)
    with database.transaction() as connection:
        everything = plan_store.list_queued(connection, world.backend_id, limit=100)
        for model_id in (world.model_id, world.model_id + 1, 999):
            for topic_id in (None, world.topic_id, 999):
                last = LastServed(model_id, 1, topic_id, owner_id=1)
                queued = picks_store.find_queued(connection, world.backend_id, only_live=False)
                assert queued is not None
                found = picks_store.find_picks(connection, world.backend_id, queued, last)
                assert found == pick([each.candidate for each in everything], last)


def test_after_an_idle_spell_what_was_shown_first_is_what_is_taken(
    database: Database, world: World, now: datetime
) -> None:
    with database.transaction() as connection:
        other_model = insert_model(connection, world.backend_id, now, name="llama3.1:8b")
    queue_request(database, world, now, model_id=other_model)
    assert claim_and_end(database, world, now) is not None
    later = now + timedelta(hours=2)
    queue_request(database, world, later)
    loaded = queue_request(database, world, later, model_id=other_model)
    assert places(database, later)[0] == loaded.id
    taken = claim_and_end(database, world, later)
    assert taken is not None
    assert taken.id == loaded.id


def test_two_hundred_mixed_requests_take_three_loads(database: Database, world: World, now: datetime) -> None:
    with database.transaction() as connection:
        models = [world.model_id, *(insert_model(connection, world.backend_id, now, name=f"m{n}") for n in range(2))]
    for number in range(200):
        queue_request(database, world, now, model_id=models[number % 3], answer_number=number + 1)
    taken = [claim_and_end(database, world, now) for _ in range(200)]
    served = [each.model_id for each in taken if each is not None]
    assert len(served) == 200
    assert 1 + sum(before != after for before, after in pairwise(served)) == 3
