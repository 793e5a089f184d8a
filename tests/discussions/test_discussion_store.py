"""Discussions, their steps and automatic replies as they are stored, on both databases."""

from datetime import datetime, timedelta

import pytest

from forllm_server.db import Database
from forllm_server.discussions import automatic_store, discussion_store
from forllm_server.discussions.model import (
    AutomaticEnding,
    AutomaticReplies,
    Ending,
    Kind,
    Limits,
    NewDiscussion,
    Seat,
    StepKind,
)
from forllm_server.errors import NotFound
from forllm_server.queue.model import Status
from tests.support.world import make_world, queue_request

SEATS = (Seat(1, 1, "Assistant", 1, None, "for"), Seat(1, 1, "Assistant", 1, None, "against"))


def new_debate(post_id: int, group_id: str = "0" * 16) -> NewDiscussion:
    return NewDiscussion(1, Kind.DEBATE, post_id, group_id, SEATS, SEATS[0], "So?", Limits(6, 900, None), True, 2**61)


def test_a_discussion_and_its_steps_are_read_as_they_were_written(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    request = queue_request(database, world, now)
    with database.transaction() as connection:
        made = discussion_store.insert_discussion(connection, new_debate(world.post_id), now)
        for kind, asked in ((StepKind.RANKING, request.id), (StepKind.TURN, 999)):
            discussion_store.insert_step(
                connection, made.id, kind=kind, seat=1, attempt=2, llm_request_id=asked, shown=(1, 0)
            )
        discussion_store.update_ranked(connection, request.id, (0, 1), "")
    with database.transaction() as connection:
        found = discussion_store.get_discussion_to_change(connection, made.id)
        assert (found, found.topic_id, found.seats) == (made, world.topic_id, SEATS)
        first, second = discussion_store.list_steps(connection, made.id)
        assert (first.number, first.shown, first.ranked, first.status) == (1, (1, 0), (0, 1), Status.QUEUED)
        # Its LLM request is not there any more.
        assert (second.number, second.ranked, second.status, second.is_post_there) == (2, None, None, False)
        part = discussion_store.list_parts(connection, [request.id, 77])[request.id]
        assert (part.discussion.id, part.step, len(part.steps)) == (made.id, first, 2)
        assert discussion_store.list_parts(connection, [77]) == {}


def test_they_are_found_by_topic_and_group_and_while_they_are_open(database: Database, now: datetime) -> None:
    world = make_world(database, now)
    with database.transaction() as connection:
        ids = [
            discussion_store.insert_discussion(connection, new_debate(post_id, f"{post_id:016x}"), now).id
            for post_id in (world.post_id, 999)
        ]
        discussion_store.update_ending(connection, ids[1], Ending.GONE, detail="x", ended_at=now)
        assert discussion_store.list_open_ids(connection) == ids[:1]
        of_topic = discussion_store.list_discussions_of_topic(connection, world.topic_id, limit=5)
        assert [each.id for each in of_topic] == ids[:1]
        assert [each.id for each in discussion_store.list_discussions(connection, limit=5)] == ids[::-1]
        found = discussion_store.find_discussion_of_group(connection, f"{999:016x}")
        assert found is not None
        assert (found.ending, found.ending_detail, found.topic_id, found.is_open) == (Ending.GONE, "x", None, False)
        with pytest.raises(NotFound):
            discussion_store.get_discussion(connection, 99)


def test_automatic_replies_are_one_a_topic_and_begin_anew(database: Database, now: datetime) -> None:
    new = AutomaticReplies(5, 1, (3, 4), True, 2, 20, now + timedelta(hours=1), 0, now)
    with database.transaction() as connection:
        assert automatic_store.find_automatic(connection, 5) is None
        automatic_store.replace_automatic(connection, new)
        automatic_store.update_asked_count(connection, 5, 7)
        automatic_store.update_automatic_ending(connection, 5, AutomaticEnding.TIME, now)
        automatic_store.update_automatic_ending(connection, 5, AutomaticEnding.STOPPED, now)
        found = automatic_store.find_automatic_to_change(connection, 5)
        assert found is not None
        assert (found.ending, found.asked_count, found.is_on) == (AutomaticEnding.TIME, 7, False)
        automatic_store.replace_automatic(connection, found)
        assert automatic_store.find_automatic(connection, 5) == new
