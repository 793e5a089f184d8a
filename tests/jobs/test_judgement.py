"""A judge votes on pairs of replies, in either order, apart from the person."""

import pytest

from forllm_server import clock
from forllm_server.db import metadata
from forllm_server.errors import Invalid
from forllm_server.jobs import judgement
from forllm_server.queue.llm_request_store import find_llm_request
from forllm_server.queue.model import Cause, Status
from forllm_server.settings.values import change_settings
from forllm_server.votes import judgement_store, tally_store
from forllm_server.votes.agreement import agreement
from forllm_server.votes.model import Choice, Entrant, Tally
from tests.jobs.conftest import Evening
from tests.support.scripted_server import Script
from tests.support.world import LOCAL_USER
from tests.votes.world import MODEL, Contest, add_answer


class Court:
    """A contest with a judge."""

    def __init__(self, evening: Evening) -> None:
        self.evening = evening
        self.contest = Contest(evening.database, evening.world, clock.now(), "Skeptic", "Teacher", "Judge")
        self.judge_version_id = self.contest.versions.pop("Judge")
        versions = metadata.tables["persona_versions"]
        personas = metadata.tables["personas"]
        with evening.database.transaction() as connection:
            is_judge = versions.c.id == self.judge_version_id
            judge_id = connection.execute(versions.select().where(is_judge)).one().persona_id
            current = (
                personas.update().where(personas.c.id == judge_id).values(current_version_id=self.judge_version_id)
            )
            connection.execute(current)
            change_settings(connection, {"judge_persona_id": judge_id}, clock.now())

    def ask(self) -> int:
        with self.evening.database.transaction() as connection:
            return judgement.ask(connection, LOCAL_USER, clock.now())

    def answers(self, *words: str) -> None:
        self.evening.server.script(*(Script(tokens=(word,)) for word in words))

    def run(self, times: int) -> None:
        for _ in range(times):
            assert self.evening.run()

    def tallies(self) -> list[Tally]:
        with self.evening.database.read() as connection:
            return tally_store.list_judged_tallies(connection, self.judge_version_id)

    def states(self) -> dict[str, int]:
        with self.evening.database.read() as connection:
            return dict(judgement_store.count_by_state(connection, self.judge_version_id))

    def tally(self, **counts: int) -> Tally:
        skeptic, teacher = (Entrant(self.contest.versions[name], MODEL) for name in ("Skeptic", "Teacher"))
        return Tally(skeptic, teacher, **counts)


@pytest.fixture
def court(evening: Evening) -> Court:
    return Court(evening)


def test_a_judge_is_asked_in_either_order_and_votes_when_its_answers_agree(court: Court) -> None:
    court.contest.round()
    assert court.ask() == 1
    assert court.ask() == 0
    court.answers("A", "B")
    court.run(1)
    assert court.tallies() == []
    court.run(1)
    assert court.tallies() == [court.tally(first_wins=1)]
    prompts = [str(body["messages"]) for body in court.evening.server.chats]
    letters = [f"letter {court.contest.versions[name]}" for name in ("Skeptic", "Teacher")]
    orders = [prompt.index(letters[0]) < prompt.index(letters[1]) for prompt in prompts if letters[0] in prompt]
    assert orders[0] is True
    assert orders[-1] is False


def test_a_judge_that_prefers_a_place_has_found_a_tie(court: Court) -> None:
    court.contest.round()
    court.ask()
    court.answers("A", "A")
    court.run(2)
    assert court.tallies() == [court.tally(ties=1)]


def test_prose_is_counted_as_no_vote_with_the_reason(court: Court) -> None:
    court.contest.round()
    court.ask()
    court.answers("A", "I like both, but the second one more.")
    court.run(2)
    assert court.tallies() == []
    assert court.states() == {"low": 1, "none": 1}
    with court.evening.database.read() as connection:
        (refusal,) = judgement_store.list_refusals(connection, court.judge_version_id, limit=5)
    assert "I like both, but the second one more." in refusal.reason


def test_a_judge_is_kept_apart_and_its_agreement_told(court: Court) -> None:
    voted = court.contest.round()
    court.contest.vote(voted["Skeptic"], voted["Teacher"], voted["Skeptic"])
    court.contest.round()
    assert court.ask() == 2
    court.answers("A", "B", "A", "B")
    court.run(4)
    with court.evening.database.read() as connection:
        assert tally_store.list_tallies(connection, LOCAL_USER) == [court.tally(first_wins=1)]
        counts = tally_store.list_agreements(connection, LOCAL_USER, court.judge_version_id)
    assert counts == [(Choice.LOW, Choice.LOW, 1)]
    found = agreement(counts)
    assert found is not None
    assert (found.number, found.share) == (1, 1.0)


def test_a_judge_does_not_judge_its_own_replies(court: Court) -> None:
    replies = court.contest.round()
    with court.evening.database.transaction() as connection:
        posts = metadata.tables["posts"]
        question_id = connection.execute(posts.select().where(posts.c.id == replies["Skeptic"])).one().parent_id
        add_answer(connection, court.evening.world, clock.now(), question_id, court.judge_version_id, name="Judge")
    assert court.ask() == 1


def test_what_was_called_off_is_asked_again(court: Court) -> None:
    court.contest.round()
    court.ask()
    with court.evening.database.transaction() as connection:
        requests = metadata.tables["llm_requests"]
        connection.execute(requests.update().where(requests.c.kind == "judgement").values(status="cancelled"))
    assert court.ask() == 1
    assert court.states() == {"": 2}


def test_a_reply_that_was_deleted_while_it_waited_is_not_judged(court: Court) -> None:
    replies = court.contest.round()
    court.ask()
    court.evening.change("posts", replies["Teacher"], deleted_at=clock.now())
    court.run(2)
    with court.evening.database.read() as connection:
        request = find_llm_request(connection, 1)
    assert request is not None
    assert (request.status, request.cause) == (Status.FAILED, Cause.SUBJECT_GONE)


def test_nobody_judges_unless_a_person_chose_somebody(evening: Evening) -> None:
    with evening.database.transaction() as connection, pytest.raises(Invalid, match="There is no judge"):
        judgement.ask(connection, LOCAL_USER, clock.now())
