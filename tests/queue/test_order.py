"""One order for everybody: what is claimed, what the plan shows, and the places that people are told."""

import random
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import insert, update

from forllm_server.db import Database
from forllm_server.queue import backend_state_store, claiming, picks_store, plan_store
from forllm_server.queue.claiming import ClaimableBackend
from forllm_server.queue.dispatch import STARVING_AFTER, TURN, LastServed, pick
from forllm_server.queue.model import LlmRequest
from forllm_server.queue.tables import llm_requests
from tests.support.world import World, insert_model, insert_topic, insert_user, make_world, queue_request


@pytest.fixture
def world(database: Database, now: datetime) -> World:
    return make_world(database, now)


def fill(database: Database, world: World, now: datetime, dice: random.Random, number: int) -> None:
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
                "persona_version_id": dice.choice([1, None]),
                "backend_id": world.backend_id,
                "model_id": dice.choice(models),
                "parameters": {},
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


def places(database: Database, now: datetime) -> list[int]:
    """The ids in the order of the places that are told."""
    with database.read() as connection:
        positions = plan_store.list_positions(connection, now)
    assert sorted(positions.values()) == list(range(1, len(positions) + 1))
    return sorted(positions, key=lambda each: positions[each])


def claim_and_end(database: Database, world: World, now: datetime) -> LlmRequest | None:
    """What a worker takes, which ends at once."""
    with database.transaction() as connection:
        backends = [ClaimableBackend(world.backend_id, 1, True)]
        claimed = claiming.claim(connection, backends=backends, worker="w", now=now)
        connection.execute(update(llm_requests).where(llm_requests.c.status == "running").values(status="succeeded"))
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
