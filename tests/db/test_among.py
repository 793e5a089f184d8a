"""A list of numbers as one value, on both databases."""

import pytest
from sqlalchemy import select

from forllm_server.db import Database, metadata
from forllm_server.db.among import among


@pytest.mark.parametrize(
    ("asked", "found"), [([1], [1]), ([], []), ([7, 1, 1, 2**62, -5], [1]), (frozenset({1, 3}), [1]), ((2, 3), [])]
)
def test_those_in_the_list_are_found_and_no_others(database: Database, asked: list[int], found: list[int]) -> None:
    users = metadata.tables["users"].c
    with database.read() as connection:
        query = select(users.id).where(among(users.id, "ids"))
        assert connection.execute(query, {"ids": asked}).scalars().all() == found
