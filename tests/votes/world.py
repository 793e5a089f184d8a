"""Replies to compare, written directly."""

from datetime import datetime

from sqlalchemy import Connection

from forllm_server.db import Database, metadata
from forllm_server.votes import comparison_store, voting
from forllm_server.votes.model import Choice
from tests.support.world import LOCAL_USER, World, insert

MODEL = "qwen3:8b"


def add_persona(connection: Connection, now: datetime, name: str) -> int:
    """A persona; the id of its first version."""
    persona_id = insert(
        connection, "personas", owner_id=LOCAL_USER, name=name, name_key=name.casefold(), created_at=now
    )
    version_id = insert(
        connection,
        "persona_versions",
        persona_id=persona_id,
        number=1,
        name=name,
        instructions=f"You are {name}.",
        parameters={},
        note="",
        created_at=now,
        created_by=LOCAL_USER,
    )
    personas = metadata.tables["personas"]
    connection.execute(personas.update().where(personas.c.id == persona_id).values(current_version_id=version_id))
    return version_id


def add_question(connection: Connection, world: World, now: datetime, number: int) -> int:
    """A post to answer; its id."""
    path = b"\x00\x00\x01" + number.to_bytes(4, "big")
    return insert(
        connection,
        "posts",
        topic_id=world.topic_id,
        owner_id=LOCAL_USER,
        author_kind="person",
        content=f"Question {number}?",
        path=path,
        depth=0,
        # The places of the answers below it, whose paths are made up.
        child_count=100,
        created_at=now,
    )


def add_answer(
    connection: Connection,
    world: World,
    now: datetime,
    question_id: int,
    version_id: int,
    *,
    name: str,
    model: str = MODEL,
    content: str = "Because.",
) -> int:
    """A persona's reply; its id."""
    path = b"\x00\x00\x02" + question_id.to_bytes(4, "big") + version_id.to_bytes(4, "big") + model.encode()
    return insert(
        connection,
        "posts",
        topic_id=world.topic_id,
        parent_id=question_id,
        owner_id=LOCAL_USER,
        author_kind="persona",
        content=content,
        path=path,
        depth=1,
        created_at=now,
        persona_version_id=version_id,
        persona_name=name,
        model_name=model,
    )


class Contest:
    """Two or more personas that answer question after question."""

    def __init__(self, database: Database, world: World, now: datetime, *names: str) -> None:
        self.database, self.world, self.now = database, world, now
        self.asked = 0
        with database.transaction() as connection:
            self.versions = {name: add_persona(connection, now, name) for name in names}

    def round(self) -> dict[str, int]:
        """A new question that everybody answers; the replies by name."""
        self.asked += 1
        with self.database.transaction() as connection:
            question_id = add_question(connection, self.world, self.now, self.asked)
            return {
                name: add_answer(
                    connection,
                    self.world,
                    self.now,
                    question_id,
                    version_id,
                    name=name,
                    content=f"Answer {self.asked}, letter {version_id}: `x = {self.asked}`",
                )
                for name, version_id in self.versions.items()
            }

    def vote(self, one_id: int, other_id: int, winner_id: int | None, *, even: Choice = Choice.TIE) -> int:
        """A person's vote on two replies; its id."""
        with self.database.transaction() as connection:
            pair = voting.get_pair(connection, one_id, other_id)
            choice = even if winner_id is None else Choice.LOW if winner_id == pair.low_id else Choice.HIGH
            return comparison_store.insert_comparison(connection, LOCAL_USER, pair, choice, self.now)

    def series(self, winner: str, loser: str, number: int) -> None:
        """So many rounds between two, all won by one of them."""
        for _ in range(number):
            replies = self.round()
            self.vote(replies[winner], replies[loser], replies[winner])
