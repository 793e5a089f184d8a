"""Batches from a table to answers: staged by parts, alone in their prompts, checked, paused, retried, cancelled."""

import time
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection

from forllm_server import clock
from forllm_server.batches import batch_store, cell_store, verdict_store
from forllm_server.batches.checks import new_check
from forllm_server.batches.making import BatchDraft
from forllm_server.batches.model import UNDECIDED, Batch, Place, Progress, State, Verdict
from forllm_server.batches.reading import Table
from forllm_server.db import Database, metadata
from forllm_server.errors import Conflict, Invalid, NotFound
from forllm_server.forum import post_store
from forllm_server.forum.topics import delete_topic
from forllm_server.jobs import batches as rules
from forllm_server.jobs import staging
from forllm_server.jobs.staging import tend_batches
from forllm_server.personas.editing import create_persona
from forllm_server.queue.llm_request_store import insert_llm_request
from forllm_server.queue.prompt_store import find_prompt
from tests.hooks.making import add, calls
from tests.jobs.conftest import Evening
from tests.support.scripted_server import Script
from tests.support.world import LOCAL_USER, World, make_world, new_request

Forum = tuple[Database, World]


def table_of(number: int) -> Table:
    return Table(("n",), tuple((str(each),) for each in range(1, number + 1)))


def create(database: Database, world: World, *, lines: int = 3, **more: Any) -> Batch:
    values: dict[str, Any] = {
        "subforum_id": world.subforum_id,
        "title": "Numbers",
        "template": "Question {{n}}",
        "table": table_of(lines),
        "persona_ids": (1,),
    }
    with database.transaction() as connection:
        return rules.create_batch(connection, BatchDraft(**(values | more)), owner_id=LOCAL_USER, now=clock.now())


def get(database: Database, batch_id: int) -> Batch:
    with database.read() as connection:
        return batch_store.get_batch(connection, batch_id)


def progress(database: Database, batch_id: int) -> Progress:
    with database.read() as connection:
        return cell_store.read_progress(connection, batch_store.get_batch(connection, batch_id))


def change_requests(database: Database, **values: Any) -> None:
    with database.transaction() as connection:
        connection.execute(metadata.tables["llm_requests"].update().values(**values))


def count(database: Database, table: str) -> int:
    with database.read() as connection:
        return len(connection.execute(metadata.tables[table].select()).all())


@pytest.fixture
def forum(database: Database, now: datetime) -> Forum:
    return database, make_world(database, now)


def test_a_line_is_a_reply_and_each_cell_an_llm_request_of_its_persona_version(forum: Forum) -> None:
    database, world = forum
    batch = create(database, world, model_ids=(None, world.model_id), repeats=2)
    assert (batch.asked_count, batch.line_count, batch.cell_count) == (3, 3, 12)
    assert [ask.label for ask in batch.asks][:2] == [
        "Assistant v1 on its own model",
        "Assistant v1 on its own model (2)",
    ]
    with database.read() as connection:
        lines = batch_store.list_lines(connection, batch.id, limit=10)
        cells = cell_store.list_cells(connection, batch.id, [1, 2, 3])
    assert all(line.post_id for line in lines)
    assert len(cells) == 12
    assert {cell.status for cell in cells} == {"queued"}
    assert progress(database, batch.id).queued == 12


def test_lines_can_be_topics_of_their_own(forum: Forum) -> None:
    database, world = forum
    before = count(database, "topics")
    batch = create(database, world, place=Place.TOPICS)
    assert batch.topic_id is None
    assert count(database, "topics") == before + 3


def test_only_so_many_are_in_the_queue_and_the_rest_follows_until_it_is_finished(
    forum: Forum, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, world = forum
    monkeypatch.setattr(staging, "IN_QUEUE", 4)
    batch = create(database, world, lines=10)
    assert (batch.asked_count, progress(database, batch.id).unasked) == (4, 6)
    assert tend_batches(database, clock.now()) == 0
    change_requests(database, status="succeeded")
    assert tend_batches(database, clock.now()) == 4
    assert get(database, batch.id).settled_count == 4
    change_requests(database, status="failed")
    assert tend_batches(database, clock.now()) == 2
    assert get(database, batch.id).finished_at is None
    change_requests(database, status="succeeded")
    assert tend_batches(database, clock.now()) == 0
    done = get(database, batch.id)
    assert (done.asked_count, done.settled_count) == (10, 10)
    assert done.finished_at is not None
    assert progress(database, batch.id).percent == 100


def test_hooks_hear_once_that_a_batch_is_finished_and_not_that_one_was_called_off(forum: Forum) -> None:
    database, world = forum
    add(database, clock.now(), events=["batch.finished"])
    called_off, batch = create(database, world), create(database, world, title="Another")
    with database.transaction() as connection:
        rules.cancel_batch(connection, called_off.id, clock.now())
    change_requests(database, status="succeeded")
    for _ in range(2):
        tend_batches(database, clock.now())
    assert [dict(call.facts) for call in calls(database)] == [{"batch_id": batch.id, "topic_id": batch.topic_id}]


def test_a_paused_batch_holds_what_waits_and_goes_on_when_resumed(
    forum: Forum, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, world = forum
    monkeypatch.setattr(staging, "IN_QUEUE", 2)
    batch = create(database, world)
    with database.transaction() as connection:
        rules.pause_batch(connection, batch.id, clock.now())
    assert progress(database, batch.id).by_status == {"held": 2}
    assert tend_batches(database, clock.now()) == 0
    with database.transaction() as connection:
        resumed = rules.resume_batch(connection, batch.id, clock.now())
    assert resumed.state is State.OPEN
    assert progress(database, batch.id).by_status == {"queued": 2}


def test_a_cancelled_batch_asks_nothing_more_and_cannot_be_resumed(forum: Forum) -> None:
    database, world = forum
    batch = create(database, world)
    with database.transaction() as connection:
        cancelled = rules.cancel_batch(connection, batch.id, clock.now())
    assert cancelled.finished_at is not None
    assert progress(database, batch.id).by_status == {"cancelled": 3}
    with database.transaction() as connection, pytest.raises(Conflict):
        rules.resume_batch(connection, batch.id, clock.now())


def test_what_a_batch_cannot_be_asked_for_does_not_take_its_cancel_back(forum: Forum) -> None:
    database, world = forum
    batch = create(database, world)
    with database.transaction() as connection:
        rules.cancel_batch(connection, batch.id, clock.now())
    staging._pause(database, batch.id, "Its topic lies in the trash.")
    staging._pause(database, 999, "It was deleted.")
    assert get(database, batch.id).state is State.CANCELLED


def test_failed_cells_are_tried_again_and_the_batch_is_unfinished_then(forum: Forum) -> None:
    database, world = forum
    batch = create(database, world)
    change_requests(database, status="failed")
    tend_batches(database, clock.now())
    assert get(database, batch.id).finished_at is not None
    with database.transaction() as connection:
        assert rules.retry_failed(connection, batch.id, clock.now()) == 3
    again = get(database, batch.id)
    assert (again.finished_at, again.settled_count) == (None, 0)
    assert progress(database, batch.id).queued == 3


def test_deleting_calls_off_and_forgets_but_the_topic_stays(forum: Forum) -> None:
    database, world = forum
    batch = create(database, world)
    topics = count(database, "topics")
    with database.transaction() as connection:
        rules.delete_batch(connection, batch.id, clock.now())
    assert [count(database, table) for table in ("batches", "batch_lines", "batch_cells")] == [0, 0, 0]
    assert count(database, "topics") == topics
    with database.transaction() as connection, pytest.raises(NotFound):
        rules.delete_batch(connection, batch.id, clock.now())


def test_a_batch_whose_topic_is_in_the_trash_is_paused_with_the_reason(
    forum: Forum, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, world = forum
    monkeypatch.setattr(staging, "IN_QUEUE", 1)
    batch = create(database, world)
    with database.transaction() as connection:
        delete_topic(connection, batch.topic_id or 0, clock.now())
    tend_batches(database, clock.now())
    found = get(database, batch.id)
    assert found.state is State.PAUSED
    assert found.problem
    assert found.asked_count == 1


def test_nothing_is_left_of_a_batch_that_cannot_be_made(forum: Forum) -> None:
    database, world = forum
    with pytest.raises(Invalid) as caught:
        create(database, world, model_ids=(99,))
    assert caught.value.field == "model_id"
    assert count(database, "batches") == 0


def test_filters_find_lines_by_state_and_by_checks(forum: Forum) -> None:
    database, world = forum
    batch = create(database, world)
    with database.transaction() as connection:
        cell = cell_store.list_cells(connection, batch.id, [2])[0]
        requests = metadata.tables["llm_requests"]
        failed = requests.update().where(requests.c.id == cell.llm_request_id).values(status="failed")
        connection.execute(failed)
        cell_store.update_checks(connection, batch.id, [(3, 0, ("is JSON",)), (1, 0, ())])

        def numbers(*statuses: str, fails: bool = False) -> list[int]:
            return cell_store.list_numbers(
                connection, batch.id, statuses=statuses, fails_checks=fails, after=0, limit=10
            )

        assert numbers("failed") == [2]
        assert numbers("queued") == [1, 3]
        assert numbers(fails=True) == [3]
    assert progress(database, batch.id).failed_checks == 1


def test_what_a_judge_said_is_counted_found_and_forgotten_where_it_decided_nothing(forum: Forum) -> None:
    database, world = forum
    batch = create(database, world, lines=5, judge_persona_id=1, rubric="Is short.")
    change_requests(database, status="succeeded", reply_post_id=world.post_id)
    with database.transaction() as connection:
        assert [each[0] for each in verdict_store.list_unjudged(connection, batch, limit=9)] == [1, 2, 3, 4, 5]
        assert cell_store.find_first_unsettled(connection, batch) == 1
        judging = [queue_request(connection, world, number) for number in range(4)]
        for number, llm_request_id in enumerate(judging, 1):
            verdict_store.insert_verdict(connection, batch.id, number, 0, llm_request_id=llm_request_id)
        for llm_request_id, verdict in zip(judging, (Verdict.PASS, Verdict.FAIL, Verdict.UNREADABLE), strict=False):
            verdict_store.update_verdict(connection, llm_request_id, verdict, "")
        found = cell_store.read_progress(connection, batch)
        assert dict(found.by_verdict) == {each: 1 for each in Verdict if each is not Verdict.MISSING}
        assert (found.undecided, found.unjudged) == (1, 2)
        verdicts = [cell.verdict for cell in cell_store.list_cells(connection, batch.id, [1, 2, 3, 4, 5])]
        assert verdicts == [Verdict.PASS, Verdict.FAIL, Verdict.UNREADABLE, Verdict.AWAITED, None]
        assert cell_store.find_first_unsettled(connection, batch) == 4
        # None of them has really run.
        assert verdict_store.count_live_verdicts(connection, batch) == 4
        assert verdict_store.list_verdict_request_ids(connection, batch.id, ("queued",)) == judging
        found_lines = cell_store.list_numbers(connection, batch.id, verdicts=UNDECIDED, after=0, limit=9)
        assert found_lines == [3]
        assert verdict_store.delete_undecided(connection, batch.id) == [3]
        assert verdict_store.find_first_judged_by(connection, batch.id, judging[1:]) == 2


def queue_request(connection: Connection, world: World, number: int) -> int:
    """A judge's LLM request; its id."""
    made = insert_llm_request(connection, new_request(world, kind="verdict", answer_number=100 + number), clock.now())
    assert made is not None
    return made.id


def test_a_line_is_asked_alone_and_its_answer_is_checked(evening: Evening) -> None:
    evening.server.answer = lambda _body: Script(tokens=("yes",))
    checks = (new_check("contains", "yes"), new_check("matches", "^no"), new_check("schema", '{"title": "Nothing"}'))
    batch = create(evening.database, evening.world, lines=2, checks=checks)
    while evening.run():
        pass
    tend_batches(evening.database, clock.now())
    with evening.database.read() as connection:
        cells = cell_store.list_cells(connection, batch.id, [1, 2])
        prompt = find_prompt(connection, cells[1].llm_request_id)
    assert prompt is not None
    assert [message["content"] for message in prompt.messages if message["role"] == "user"] == ["Question 2"]
    failed = ("matches “^no”", "fits the JSON Schema “Nothing”: it is no JSON")
    assert [(cell.text, cell.failed_checks) for cell in cells] == [("yes", failed)] * 2
    assert get(evening.database, batch.id).finished_at is not None


def test_the_topic_of_a_grid_leads_to_the_grid(forum: Forum) -> None:
    database, world = forum
    batch = create(database, world)
    with database.read() as connection:
        root = post_store.get_post(connection, batch.root_post_id or 0)
    assert root.topic_id == batch.topic_id
    assert root.content.startswith(f"A [batch](/batches/{batch.id}) of 3 lines,")


def test_a_line_that_is_asked_alone_tells_no_place(evening: Evening) -> None:
    with evening.database.transaction() as connection:
        persona = create_persona(
            connection, owner_id=LOCAL_USER, name="Clerk", instructions="{{persona}}: {{topic}}.", now=clock.now()
        )
    create(evening.database, evening.world, lines=1, persona_ids=(persona.id,))
    assert evening.run()
    assert evening.server.chats[-1]["messages"][0]["content"] == "Clerk: this topic."


@pytest.mark.slow
def test_fifty_thousand_lines_are_accepted_within_thirty_seconds(forum: Forum) -> None:
    database, world = forum
    started = clock.monotonic()
    batch = create(database, world, lines=50_000, repeats=4)
    took = clock.monotonic() - started
    assert took < 30
    started = time.process_time()
    with database.read() as connection:
        assert batch_store.list_lines(connection, batch.id, after=49_990, limit=50)[-1].number == 50_000
        assert cell_store.read_progress(connection, batch).unasked == 200_000 - 200
    assert time.process_time() - started < 0.3
