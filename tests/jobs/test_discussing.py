"""Debates and councils from the first LLM request to the last, with all that can go wrong in between."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection

from forllm_server import clock
from forllm_server.discussions.making import SeatDraft
from forllm_server.discussions.model import Ending, Limits, StepKind
from forllm_server.errors import Invalid, NotFound, TopicLocked
from forllm_server.experiments.candidate_store import list_candidates
from forllm_server.experiments.model import Narrowing
from forllm_server.forum.editing import add_reply, delete_post
from forllm_server.forum.topics import delete_topic
from forllm_server.jobs import discussing
from forllm_server.jobs.asking import TooManyAsked
from forllm_server.jobs.fanning import cancel_group, new_group_id
from forllm_server.jobs.partial_reply import post_partial_reply
from forllm_server.queue import chunk_store
from forllm_server.queue.control import cancel_llm_request
from forllm_server.queue.llm_request_store import get_llm_request, insert_llm_request
from forllm_server.queue.model import LlmRequest, NewLlmRequest, Status
from forllm_server.settings.values import change_settings
from tests.jobs.conftest import Evening
from tests.jobs.discussing_stage import Salon
from tests.support.scripted_server import Script
from tests.support.world import LOCAL_USER


@pytest.fixture
def salon(evening: Evening) -> Salon:
    return Salon(evening)


def prompts(salon: Salon) -> list[str]:
    return [str(body["messages"][-1]["content"]) for body in salon.evening.server.chats]


# -- debates


def test_a_person_who_asks_the_same_of_the_same_at_that_moment_stops_no_debate(
    salon: Salon, monkeypatch: pytest.MonkeyPatch
) -> None:
    rivals: list[LlmRequest | None] = []

    def insert(connection: Connection, new: NewLlmRequest, now: datetime) -> LlmRequest | None:
        if not rivals:
            rivals.append(insert_llm_request(connection, new, now))
        return insert_llm_request(connection, new, now)

    monkeypatch.setattr(discussing, "insert_llm_request", insert)
    debate = salon.debate()
    (turn,) = salon.steps(debate)
    assert rivals[0] is not None
    assert turn.llm_request_id != rivals[0].id
    with salon.database.read() as connection:
        assert get_llm_request(connection, turn.llm_request_id).answer_number == rivals[0].answer_number + 1


def test_a_debate_takes_its_turns_and_is_summed_up(salon: Salon) -> None:
    debate = salon.debate(motion="Mirrors are no backups")
    assert salon.run() == 4
    assert salon.texts() == [
        "Skeptic says turn 1.",
        "Teacher says turn 2.",
        "Skeptic says turn 3.",
        "Chair says summary.",
    ]
    posts = salon.evening.posts()
    assert [post.depth for post in posts] == [0, 1, 2, 3, 4]
    found = salon.get(debate)
    assert (found.ending, found.is_open) == (Ending.TURNS, False)
    assert salon.tend() == 0
    assert salon.run() == 0


def test_each_voice_is_told_its_role_and_sees_who_spoke_in_which(salon: Salon) -> None:
    salon.debate(motion="Mirrors are no backups")
    salon.run(2)
    first, second = prompts(salon)
    assert "Your role: for." in first
    assert "The motion: Mirrors are no backups" in first
    assert "Skeptic (for) wrote:\n\nSkeptic says turn 1." in second
    assert second.index("Skeptic says turn 1.") < second.index("You are Teacher (against). Your role: against.")


def test_a_persona_debates_with_itself_in_two_roles(salon: Salon) -> None:
    itself = salon.seats("Skeptic", "Skeptic", roles=("for", "against"))
    salon.debate(seats=itself, closer=None, limits=Limits(2))
    assert salon.run() == 2
    assert "Skeptic (for) wrote:" in prompts(salon)[1]
    with pytest.raises(Invalid, match="different roles"):
        salon.debate(seats=salon.seats("Skeptic", "Skeptic"))


def test_the_cap_on_tokens_bounds_each_turn_and_ends_it(salon: Salon) -> None:
    salon.evening.server.answer = lambda body: Script(tokens=("word ",) * 60)
    debate = salon.debate(closer=None, limits=Limits(10, 150, None))
    salon.run()
    taken = salon.steps(debate)
    assert [step.output_tokens for step in taken] == [60, 60]
    assert [body["max_tokens"] for body in salon.evening.server.chats] == [150, 90]
    assert salon.get(debate).ending is Ending.TOKENS


def test_the_cap_on_minutes_counts_the_models_work(salon: Salon) -> None:
    debate = salon.debate(closer=None, limits=Limits(10, None, 1))
    salon.run(1)
    (first, _) = salon.steps(debate)
    with salon.database.read() as connection:
        request = get_llm_request(connection, first.llm_request_id)
    assert request.finished_at is not None
    salon.evening.change("llm_requests", request.id, started_at=request.finished_at - timedelta(minutes=2))
    salon.run()
    assert len(salon.steps(debate)) == 2
    assert salon.get(debate).ending is Ending.MINUTES


def test_a_name_in_a_turn_calls_nobody(salon: Salon) -> None:
    salon.evening.server.answer = lambda body: Script(tokens=("@poet", " and", " @teacher>@chair", " should say."))
    salon.debate(closer=None, limits=Limits(2))
    assert salon.run() == 2
    assert salon.count("llm_requests") == 2


def test_stop_calls_off_what_waits_and_keeps_what_was_said(salon: Salon) -> None:
    debate = salon.debate()
    salon.run(1)
    assert salon.stop(debate).ending is Ending.STOPPED
    assert [step.status for step in salon.steps(debate)] == [Status.SUCCEEDED, Status.CANCELLED]
    assert salon.run() == 0
    assert salon.stop(debate).ending is Ending.STOPPED
    assert salon.texts() == ["Skeptic says turn 1."]


def test_a_failed_turn_stops_it_until_it_is_tried_again(salon: Salon) -> None:
    debate = salon.debate(closer=None)
    salon.run(1)
    salon.evening.server.script(Script(tokens=("  ",)))
    with salon.database.transaction() as connection:
        change_settings(connection, {"max_attempts": 1}, clock.now())
    second = salon.steps(debate)[1]
    salon.evening.change("llm_requests", second.llm_request_id, max_attempts=1)
    salon.run()
    assert salon.steps(debate)[1].status is Status.FAILED
    assert salon.tend() == 0
    assert salon.get(debate).is_open
    salon.retry(salon.steps(debate)[1])
    assert salon.run() == 2
    assert salon.get(debate).ending is Ending.TURNS


def test_the_partial_text_of_a_broken_turn_counts_as_the_turn(salon: Salon) -> None:
    debate = salon.debate(closer=None)
    (first,) = salon.steps(debate)
    with salon.database.transaction() as connection:
        chunk_store.insert_chunk(connection, first.llm_request_id, run=0, seq=0, text="Half a turn", thinking="")
    salon.evening.change("llm_requests", first.llm_request_id, status="failed")
    with salon.database.transaction() as connection:
        post_partial_reply(connection, first.llm_request_id, clock.now())
    assert salon.tend() == 1
    assert salon.run() == 2


def test_one_of_its_requests_called_off_ends_it(salon: Salon) -> None:
    debate = salon.debate()
    (first,) = salon.steps(debate)
    with salon.database.transaction() as connection:
        cancel_llm_request(connection, first.llm_request_id, clock.now())
    salon.tend()
    assert salon.get(debate).ending is Ending.CALLED_OFF


def test_cancelling_its_group_ends_it(salon: Salon) -> None:
    council = salon.council()
    with salon.database.transaction() as connection:
        assert len(cancel_group(connection, council.group_id, clock.now()).changed) == 3
    salon.tend()
    assert salon.get(council).ending is Ending.TOO_FEW


@pytest.mark.parametrize("when", ["before", "while"])
def test_a_topic_locked_in_the_middle_ends_it_after_what_was_asked(salon: Salon, when: str) -> None:
    if when == "before":
        salon.evening.change("topics", salon.evening.world.topic_id, is_locked=True)
        with pytest.raises(TopicLocked):
            salon.debate()
        return
    debate = salon.debate()
    salon.evening.change("topics", salon.evening.world.topic_id, is_locked=True)
    assert salon.run() == 1
    assert salon.texts() == ["Skeptic says turn 1."]
    assert salon.get(debate).ending is Ending.LOCKED


def test_a_topic_in_the_trash_ends_it(salon: Salon) -> None:
    debate = salon.debate()
    salon.run(1)
    with salon.database.transaction() as connection:
        delete_topic(connection, salon.evening.world.topic_id, clock.now())
    salon.tend()
    found = salon.get(debate)
    assert (found.ending, found.is_open) == (Ending.GONE, False)
    assert salon.run() == 0


def test_a_turn_that_was_deleted_ends_it(salon: Salon) -> None:
    debate = salon.debate()
    salon.run(1)
    with salon.database.transaction() as connection:
        delete_post(connection, salon.evening.posts()[1].id, clock.now())
    salon.tend()
    assert not salon.get(debate).is_open


def test_a_persona_deleted_while_it_waits_ends_it_by_name(salon: Salon) -> None:
    debate = salon.debate()
    salon.delete_persona("Teacher")
    assert salon.run() == 1
    found = salon.get(debate)
    assert (found.ending, found.ending_detail) == (Ending.PERSONA_GONE, "Teacher was deleted")


def test_a_model_that_is_gone_ends_it(salon: Salon) -> None:
    world = salon.evening.world
    seats = tuple(SeatDraft(salon.ids[name], world.model_id, "") for name in ("Skeptic", "Teacher"))
    debate = salon.debate(seats=seats)
    salon.run(1)
    (_, second) = salon.steps(debate)
    salon.evening.change("llm_requests", second.llm_request_id, status="succeeded", reply_post_id=2)
    salon.evening.change("models", world.model_id, is_available=False)
    salon.tend()
    assert salon.get(debate).ending is Ending.MODEL_GONE


def test_sent_twice_it_is_one(salon: Salon) -> None:
    group_id = new_group_id()
    assert salon.debate(group_id=group_id).id == salon.debate(group_id=group_id).id
    with pytest.raises(Invalid, match="damaged"):
        salon.debate(group_id="x")


def test_what_cannot_be_begun_leaves_nothing(salon: Salon) -> None:
    salon.delete_persona("Poet")
    for changes in (
        {"seats": salon.seats("Skeptic")},
        {"seats": salon.seats("Skeptic", "Poet")},
        {"closer": salon.seats("Poet")[0]},
        {"seats": (SeatDraft(salon.ids["Skeptic"], 999, ""), *salon.seats("Teacher"))},
    ):
        with pytest.raises(Invalid):
            salon.debate(**changes)
    with pytest.raises(NotFound):
        salon.debate(post_id=999)
    with salon.database.transaction() as connection:
        change_settings(connection, {"max_asked_at_once": 3}, clock.now())
    with pytest.raises(TooManyAsked):
        salon.debate()
    assert (salon.count("discussions"), salon.count("llm_requests")) == (0, 0)


def test_what_was_said_in_it_is_no_answer_to_be_asked_for_again(salon: Salon) -> None:
    salon.debate(limits=Limits(2))
    salon.run()
    asked = salon.evening.ask(is_another=True)
    salon.run()
    with salon.database.read() as connection:
        (candidate,) = list_candidates(connection, Narrowing(), limit=9)
    assert candidate.question_id == salon.evening.world.post_id
    assert salon.evening.get(asked).reply_post_id == candidate.post_id


# -- councils


def test_a_council_ranks_without_names_and_its_chair_cites(salon: Salon) -> None:
    council = salon.council()
    assert salon.run() == 7
    opinions = salon.steps(council, StepKind.OPINION)
    assert len({step.post_id for step in opinions}) == 3
    asked = [prompt for prompt in prompts(salon) if "Rank them" in prompt]
    assert len(asked) == 3
    strangers = [prompt for prompt in asked if "You are Poet. You are Poet." not in prompt]
    assert len(strangers) == 2
    assert all("Poet" not in prompt.replace("Poet says answer.", "") for prompt in strangers)
    answer = salon.evening.posts()[-1]
    assert answer.author_name == "Chair"
    assert answer.parent_id == salon.evening.world.post_id
    assert "See #" in answer.content
    assert salon.get(council).ending is Ending.ANSWERED
    for step in salon.steps(council, StepKind.RANKING):
        assert step.ranked == step.shown


def test_who_ranks_sees_the_thread_above_the_post_and_all_opinions_whole(salon: Salon) -> None:
    with salon.database.transaction() as connection:
        reply = add_reply(
            connection,
            owner_id=LOCAL_USER,
            parent_id=salon.evening.world.post_id,
            content="And which of them in the shade?",
            now=clock.now(),
        )
    council = salon.council(post_id=reply.id)
    assert salon.run() == 7
    first = salon.evening.posts()[0].content
    for prompt in (prompt for prompt in prompts(salon) if "Rank them" in prompt):
        assert prompt.index(first) < prompt.index("And which of them in the shade?") < prompt.index("Rank them")
        assert prompt.count(" says answer.") == 3
    assert all(step.ranked for step in salon.steps(council, StepKind.RANKING))


def test_nobody_sees_the_opinion_of_another_one(salon: Salon) -> None:
    salon.council()
    salon.run(3)
    for prompt in prompts(salon):
        assert "says answer" not in prompt


def test_prose_instead_of_a_ranking_is_asked_for_again_and_never_made_up(salon: Salon) -> None:
    salon.said["Skeptic"] = "I like A most."
    council = salon.council()
    salon.run()
    rankings = salon.steps(council, StepKind.RANKING)
    assert sorted((step.seat, step.attempt) for step in rankings if step.ranked is None) == [(0, 1), (0, 2)]
    assert {step.seat for step in rankings if step.ranked is not None} == {1, 2}
    assert all("I like A most." in step.reason for step in rankings if step.seat == 0)
    assert salon.get(council).ending is Ending.ANSWERED


def test_a_council_goes_on_without_an_opinion_that_failed(salon: Salon) -> None:
    council = salon.council()
    first = salon.steps(council)[0]
    salon.evening.change("llm_requests", first.llm_request_id, status="failed", finished_at=clock.now())
    assert salon.run() == 4
    assert len(salon.steps(council, StepKind.RANKING)) == 1
    assert salon.get(council).ending is Ending.ANSWERED


def test_a_chair_that_was_deleted_ends_it_with_the_ranking(salon: Salon) -> None:
    council = salon.council()
    salon.delete_persona("Chair")
    assert salon.run() == 6
    found = salon.get(council)
    assert (found.ending, found.ending_detail) == (Ending.PERSONA_GONE, "Chair was deleted")
    assert all(step.ranked for step in salon.steps(council, StepKind.RANKING))
