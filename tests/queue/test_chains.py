"""Requests that wait for the reply of another one: armed, ended and resumed with it, in the same transaction."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from forllm_server.db import Database
from forllm_server.queue import claiming, control, lease_store, moving
from forllm_server.queue.bulk import Action, change_many
from forllm_server.queue.chain_store import list_stranded
from forllm_server.queue.claiming import LEASE, ClaimableBackend
from forllm_server.queue.event_store import list_events
from forllm_server.queue.lease_store import Lease, Outcome
from forllm_server.queue.llm_request_store import get_llm_request, insert_llm_request
from forllm_server.queue.mending import mend_chains
from forllm_server.queue.model import Cause, Happening, Lane, LlmRequest, Status
from forllm_server.queue.retry import Decision
from forllm_server.queue.tables import llm_requests
from tests.support.world import World, insert_post, make_world, new_request, queue_request

OUTCOME = Outcome(usage=None, finish_reason="stop", output_tokens=1, has_chunks=True, first_token_at=None)
FAILED = Decision(Status.FAILED, 3, None, Cause.ERROR, "cut")
SECOND = timedelta(seconds=1)


class Chain:
    """A chain of three, and what becomes of it."""

    def __init__(self, database: Database, now: datetime) -> None:
        self.database = database
        self.now = now
        self.world: World = make_world(database, now)
        self.first = queue_request(database, self.world, now, answer_number=1)
        self.second = self.link(self.first)
        self.third = self.link(self.second)

    def link(self, before: LlmRequest) -> LlmRequest:
        waiting = {"status": Status.WAITING, "cause": Cause.WAITS_FOR_ANSWER, "parent_llm_request_id": before.id}
        with self.database.transaction() as connection:
            made = insert_llm_request(connection, new_request(self.world, **waiting), self.now)
        assert made is not None
        return made

    def claim(self) -> LlmRequest | None:
        backends = [ClaimableBackend(self.world.backend_id, 1, True)]
        with self.database.transaction() as connection:
            claimed = claiming.claim(connection, backends=backends, worker="elsewhere/1/1/1", now=self.now)
        return claimed.request if claimed else None

    def answer(self) -> int:
        """Claim the next one and answer it; the reply's id."""
        claimed = self.claim()
        assert claimed is not None
        with self.database.transaction() as connection:
            reply_id = insert_post(connection, self.world.topic_id, self.now, number=claimed.id)
            assert lease_store.update_to_succeeded(connection, lease_of(claimed), OUTCOME, reply_id, now=self.now)
        return reply_id

    def fail(self) -> None:
        claimed = self.claim()
        assert claimed is not None
        with self.database.transaction() as connection:
            assert lease_store.update_unfinished(connection, lease_of(claimed), FAILED, now=self.now)

    def look(self) -> list[LlmRequest]:
        with self.database.read() as connection:
            return [get_llm_request(connection, each.id) for each in (self.first, self.second, self.third)]

    def states(self) -> list[str]:
        return [each.status.value for each in self.look()]

    def causes(self) -> list[Cause | None]:
        return [each.cause for each in self.look()]


def lease_of(request: LlmRequest) -> Lease:
    assert request.lease_token is not None
    return Lease(request.id, request.lease_token, request.run, request.topic_id)


@pytest.fixture
def chain(database: Database, now: datetime) -> Chain:
    return Chain(database, now)


def test_each_answers_the_reply_of_the_one_before_it(chain: Chain) -> None:
    assert chain.states() == ["queued", "waiting", "waiting"]
    replies = []
    for _ in range(3):
        replies.append(chain.answer())
    assert chain.states() == ["succeeded"] * 3
    assert [each.post_id for each in chain.look()] == [chain.world.post_id, replies[0], replies[1]]
    assert chain.claim() is None


def test_nothing_but_the_answer_lets_it_begin(chain: Chain) -> None:
    with chain.database.transaction() as connection:
        assert lease_store.update_due_to_queued(connection, chain.now + timedelta(days=9)) == 0
        for act in (control.retry_llm_request, control.run_llm_request_now, moving.run_llm_request_tonight):
            assert act(connection, chain.second.id, chain.now).status is Status.WAITING
    assert chain.states() == ["queued", "waiting", "waiting"]


def test_a_failure_ends_the_whole_chain_visibly_and_a_retry_resumes_it(chain: Chain) -> None:
    chain.fail()
    assert chain.states() == ["failed"] * 3
    assert chain.causes() == [Cause.ERROR, Cause.QUESTION_UNANSWERED, Cause.QUESTION_UNANSWERED]
    assert "was not answered" in (chain.look()[2].cause_detail or "")
    with chain.database.transaction() as connection:
        assert list_events(connection, chain.third.id)[-1].name is Happening.FAILED
        control.retry_llm_request(connection, chain.first.id, chain.now)
    assert chain.states() == ["queued", "waiting", "waiting"]
    for _ in range(3):
        chain.answer()
    assert chain.states() == ["succeeded"] * 3


def test_in_the_middle_only_what_follows_ends(chain: Chain) -> None:
    reply_id = chain.answer()
    chain.fail()
    assert chain.states() == ["succeeded", "failed", "failed"]
    with chain.database.transaction() as connection:
        control.retry_llm_request(connection, chain.third.id, chain.now)
    assert chain.states() == ["succeeded", "queued", "waiting"]
    assert chain.look()[1].post_id == reply_id


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_all_of_a_chain_tried_again_at_once_is_tried_once(chain: Chain, order: tuple[int, ...]) -> None:
    chain.fail()
    ids = [(chain.first.id, chain.second.id, chain.third.id)[place] for place in order]
    with chain.database.transaction() as connection:
        assert change_many(connection, Action.RETRY, ids, chain.now).refused == {}
    assert chain.states() == ["queued", "waiting", "waiting"]


def test_calling_off_the_first_calls_off_those_that_wait_for_it(chain: Chain) -> None:
    with chain.database.transaction() as connection:
        control.cancel_llm_request(connection, chain.first.id, chain.now)
    assert chain.states() == ["cancelled"] * 3
    with chain.database.transaction() as connection:
        control.retry_llm_request(connection, chain.first.id, chain.now)
    assert chain.states() == ["queued", "waiting", "waiting"]


def test_calling_off_the_first_while_it_runs_does_so_when_it_stops(chain: Chain) -> None:
    claimed = chain.claim()
    assert claimed is not None
    with chain.database.transaction() as connection:
        control.cancel_llm_request(connection, chain.first.id, chain.now)
    assert chain.states() == ["running", "waiting", "waiting"]
    with chain.database.transaction() as connection:
        claiming.rescue_expired(connection, chain.now + 2 * LEASE, lambda: 0.5)
    assert chain.states() == ["cancelled"] * 3


def test_what_a_person_called_off_stays_so(chain: Chain) -> None:
    with chain.database.transaction() as connection:
        control.cancel_llm_request(connection, chain.third.id, chain.now)
        assert control.cancel_llm_request(connection, chain.first.id, chain.now).status is Status.CANCELLED
        control.retry_llm_request(connection, chain.first.id, chain.now)
    assert chain.states() == ["queued", "waiting", "cancelled"]


def test_one_on_hold_stays_so_and_answers_the_reply_when_it_is_released(chain: Chain) -> None:
    with chain.database.transaction() as connection:
        control.hold_llm_request(connection, chain.second.id, chain.now)
        control.hold_llm_request(connection, chain.third.id, chain.now)
        assert control.release_llm_request(connection, chain.third.id, chain.now).status is Status.WAITING
    reply_id = chain.answer()
    assert chain.states() == ["succeeded", "held", "waiting"]
    assert chain.claim() is None
    with chain.database.transaction() as connection:
        released = control.release_llm_request(connection, chain.second.id, chain.now)
    assert (released.status, released.post_id) == (Status.QUEUED, reply_id)


def test_run_now_takes_the_chain_along(chain: Chain) -> None:
    with chain.database.transaction() as connection:
        control.run_llm_request_now(connection, chain.first.id, chain.now)
    assert {each.lane for each in chain.look()} == {Lane.LIVE}
    with chain.database.transaction() as connection:
        moving.run_llm_request_tonight(connection, chain.first.id, chain.now)
    assert {each.lane for each in chain.look()} == {Lane.NIGHT}


def test_a_worker_that_is_gone_for_good_ends_the_chain(chain: Chain) -> None:
    with chain.database.transaction() as connection:
        connection.execute(update(llm_requests).where(llm_requests.c.id == chain.first.id).values(max_attempts=1))
    assert chain.claim() is not None
    with chain.database.transaction() as connection:
        claiming.rescue_expired(connection, chain.now + 2 * LEASE, lambda: 0.5)
    assert chain.states() == ["failed"] * 3


def test_a_robbed_worker_arms_nothing(chain: Chain) -> None:
    claimed = chain.claim()
    assert claimed is not None
    with chain.database.transaction() as connection:
        claiming.rescue_expired(connection, chain.now + 2 * LEASE, lambda: 0.5)
    with chain.database.transaction() as connection:
        assert not lease_store.update_to_succeeded(connection, lease_of(claimed), OUTCOME, 1, now=chain.now)
    assert chain.states() == ["queued", "waiting", "waiting"]


@pytest.mark.parametrize(
    ("status", "reply", "expected"),
    [
        ("failed", False, ["failed", "failed"]),
        ("cancelled", False, ["cancelled", "cancelled"]),
        ("succeeded", True, ["queued", "waiting"]),
        ("succeeded", False, ["failed", "failed"]),
    ],
)
def test_what_was_not_told_when_the_first_ended_is_mended(
    chain: Chain, status: str, reply: bool, expected: list[str]
) -> None:
    with chain.database.transaction() as connection:
        values = {"status": status, "reply_post_id": chain.world.post_id if reply else None}
        connection.execute(update(llm_requests).where(llm_requests.c.id == chain.first.id).values(**values))
    with chain.database.transaction() as connection:
        assert mend_chains(connection, chain.now + SECOND) == 1
        assert list_stranded(connection) == []
        assert mend_chains(connection, chain.now + SECOND) == 0
    assert chain.states()[1:] == expected


def test_a_link_is_no_double_of_the_same_question_asked_by_itself(chain: Chain) -> None:
    with chain.database.transaction() as connection:
        again = new_request(chain.world, parent_llm_request_id=chain.first.id, status=Status.WAITING)
        assert insert_llm_request(connection, again, chain.now) is None
