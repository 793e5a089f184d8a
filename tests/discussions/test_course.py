"""What comes next follows from what is stored, and from nothing else."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from forllm_server.discussions.course import Over, ToAsk, next_of, planned_of, stuck_at
from forllm_server.discussions.making import DiscussionDraft, SeatDraft, check
from forllm_server.discussions.model import CLOSER, Discussion, Ending, Kind, Limits, Seat, Step, StepKind
from forllm_server.discussions.wording import ending_words, is_cited, progress_words, state_words
from forllm_server.errors import Invalid
from forllm_server.queue.model import Status

NOW = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
SEATS = tuple(Seat(number + 1, number + 1, name, 1, None, "") for number, name in enumerate(("A", "B", "C")))
DEBATE = Discussion(
    owner_id=1,
    kind=Kind.DEBATE,
    post_id=10,
    group_id="0" * 16,
    seats=SEATS[:2],
    closer=SEATS[2],
    motion="",
    limits=Limits(4, 1000, 10),
    is_run_now=False,
    seed=3,
    id=1,
    topic_id=5,
    created_at=NOW,
    ending=None,
    ending_detail="",
    ended_at=None,
)
COUNCIL = replace(DEBATE, kind=Kind.COUNCIL, seats=SEATS, limits=Limits())


def step(number: int, kind: StepKind, seat: int, status: Status = Status.SUCCEEDED, **more: object) -> Step:
    values: dict[str, object] = {"attempt": 1, "llm_request_id": number, "status": status, "output_tokens": 100}
    if status is Status.SUCCEEDED and kind is not StepKind.RANKING:
        values |= {"post_id": 100 + number, "is_post_there": True}
    return Step(number, kind, seat, **(values | more))


def turns(number: int, **more: object) -> list[Step]:
    return [step(each + 1, StepKind.TURN, each % 2, **more) for each in range(number)]


def test_voices_take_turns_each_answering_the_one_before() -> None:
    assert next_of(DEBATE, []) == (ToAsk(StepKind.TURN, 0, 10, most_tokens=1000),)
    assert next_of(DEBATE, turns(1)) == (ToAsk(StepKind.TURN, 1, 101, most_tokens=900),)
    assert next_of(DEBATE, turns(2)) == (ToAsk(StepKind.TURN, 0, 102, most_tokens=800),)


@pytest.mark.parametrize(
    ("taken", "ending"),
    [
        (turns(4), Ending.TURNS),
        (turns(2, output_tokens=490), Ending.TOKENS),
        (turns(2, seconds=301.0), Ending.MINUTES),
    ],
)
def test_a_cap_ends_it_with_a_summary(taken: list[Step], ending: Ending) -> None:
    last = 100 + len(taken)
    assert next_of(DEBATE, taken) == (ToAsk(StepKind.SUMMARY, CLOSER, last, ending=ending),)
    assert next_of(replace(DEBATE, closer=None), taken) == Over(ending)
    closing = replace(DEBATE, ending=ending)
    summed = [*taken, step(9, StepKind.SUMMARY, CLOSER)]
    assert next_of(closing, summed) == Over(ending)
    assert next_of(closing, [*taken, step(9, StepKind.SUMMARY, CLOSER, Status.RUNNING)]) == ()


def test_it_waits_for_what_is_alive_and_for_a_person_where_a_turn_failed() -> None:
    for status in (Status.QUEUED, Status.WAITING, Status.HELD, Status.RUNNING, Status.FAILED):
        assert next_of(DEBATE, [*turns(1), step(2, StepKind.TURN, 1, status)]) == ()
    failed = [*turns(1), step(2, StepKind.TURN, 1, Status.FAILED)]
    assert stuck_at(DEBATE, failed) == failed[-1]
    assert "failed" in state_words(DEBATE, failed)


def test_what_was_called_off_or_deleted_ends_it() -> None:
    assert next_of(DEBATE, [step(1, StepKind.TURN, 0, Status.CANCELLED)]) == Over(Ending.CALLED_OFF)
    assert next_of(DEBATE, [step(1, StepKind.TURN, 0, is_post_there=False)]) == Over(Ending.GONE)


def opinions(*statuses: Status) -> list[Step]:
    return [step(number + 1, StepKind.OPINION, number, status) for number, status in enumerate(statuses)]


def ranked(steps: list[Step], *, upto: int = 3, **more: object) -> list[Step]:
    first = len(steps) + 1
    return [
        step(first + seat, StepKind.RANKING, seat, shown=(0, 1, 2), **({"ranked": (0, 1, 2)} | more))
        for seat in range(upto)
    ]


def test_a_council_asks_all_then_ranks_then_answers() -> None:
    asks = next_of(COUNCIL, [])
    assert [(each.kind, each.seat, each.post_id) for each in asks] == [
        (StepKind.OPINION, seat, 10) for seat in range(3)
    ]
    done = opinions(*[Status.SUCCEEDED] * 3)
    assert next_of(COUNCIL, opinions(Status.SUCCEEDED, Status.RUNNING, Status.SUCCEEDED)) == ()
    asks = next_of(COUNCIL, done)
    assert [(each.kind, each.seat, each.post_id) for each in asks] == [
        (StepKind.RANKING, seat, None) for seat in range(3)
    ]
    assert all(sorted(each.shown) == [0, 1, 2] for each in asks)
    assert next_of(COUNCIL, done + ranked(done)) == (ToAsk(StepKind.ANSWER, CLOSER, 10),)
    answered = [*done, *ranked(done), step(9, StepKind.ANSWER, CLOSER)]
    assert next_of(COUNCIL, answered) == Over(Ending.ANSWERED)


def test_prose_is_asked_for_once_more_and_then_left_out() -> None:
    done = opinions(*[Status.SUCCEEDED] * 3)
    prose = done + ranked(done, ranked=None, reason="prose")
    asks = next_of(COUNCIL, prose)
    assert [(each.seat, each.attempt) for each in asks] == [(0, 2), (1, 2), (2, 2)]
    again = [step(20 + seat, StepKind.RANKING, seat, attempt=2, ranked=None) for seat in range(3)]
    assert next_of(COUNCIL, prose + again) == (ToAsk(StepKind.ANSWER, CLOSER, 10),)


def test_an_opinion_that_failed_is_left_out_and_two_are_needed() -> None:
    asks = next_of(COUNCIL, opinions(Status.SUCCEEDED, Status.FAILED, Status.SUCCEEDED))
    # Only who has two answers of others to rank is asked.
    assert [(each.seat, sorted(each.shown)) for each in asks] == [(1, [0, 2])]
    assert next_of(COUNCIL, opinions(Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)) == Over(Ending.TOO_FEW)


def test_who_was_deleted_is_not_asked_to_rank() -> None:
    done = opinions(*[Status.SUCCEEDED] * 3)
    assert [each.seat for each in next_of(COUNCIL, done, gone=[1])] == [0, 2]


def test_what_is_still_to_come_is_known() -> None:
    assert [kind for kind, _ in planned_of(DEBATE, turns(1))] == [StepKind.TURN] * 3 + [StepKind.SUMMARY]
    assert len(planned_of(COUNCIL, [])) == 7
    assert [kind for kind, _ in planned_of(COUNCIL, ranked([]))][-1] is StepKind.ANSWER
    assert planned_of(replace(DEBATE, ended_at=NOW), turns(1)) == []


def test_it_is_told_how_far_it_is_and_why_it_ended() -> None:
    assert progress_words(DEBATE, turns(2, seconds=90.0)) == [
        "2 of 4 turns",
        "200 of 1,000 tokens",
        "3 of 10 min of work",
    ]
    ended = replace(DEBATE, ending=Ending.TOKENS, ended_at=NOW)
    assert ending_words(ended, turns(3)) == "ended after 3 turns: cap on tokens"


def test_a_citation_is_a_number_of_its_own() -> None:
    assert is_cited("As #12 says", 12)
    assert is_cited("see #121 and #12.", 12)
    assert not is_cited("see #121", 12)


TWO = (SeatDraft(1, None, "for"), SeatDraft(2, None, "against"))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"seats": TWO[:1]}, "seats"),
        ({"seats": TWO * 3}, "seats"),
        ({"seats": (TWO[0], TWO[0])}, "seats"),
        ({"seats": (SeatDraft(1), SeatDraft(1))}, "seats"),
        ({"limits": Limits(0, None, None)}, "turns"),
        ({"limits": Limits(None, 1000, None)}, "turns"),
        ({"limits": Limits(6, 0, None)}, "tokens"),
        ({"limits": Limits(6, None, 0)}, "minutes"),
        ({"kind": Kind.COUNCIL, "closer": TWO[0]}, "seats"),
        ({"kind": Kind.COUNCIL, "seats": tuple(SeatDraft(each) for each in (1, 2, 3))}, "closer"),
        ({"kind": Kind.COUNCIL, "seats": tuple(SeatDraft(each) for each in (1, 2, 2)), "closer": TWO[0]}, "seats"),
        ({"motion": "x" * 501}, "motion"),
        (
            {"kind": Kind.COUNCIL, "seats": tuple(map(SeatDraft, (1, 2, 3))), "closer": TWO[0], "motion": "So it is"},
            "motion",
        ),
    ],
)
def test_what_cannot_be_held_is_refused_at_its_field(changes: dict[str, object], field: str) -> None:
    draft = DiscussionDraft(Kind.DEBATE, 1, TWO, limits=Limits(6, 1000, 10))
    with pytest.raises(Invalid) as refused:
        check(replace(draft, **changes))
    assert refused.value.field == field


def test_a_persona_may_debate_with_itself_in_another_role() -> None:
    draft = DiscussionDraft(
        Kind.DEBATE, 1, (SeatDraft(1, None, "for"), SeatDraft(1, None, "against")), limits=Limits(2)
    )
    assert check(draft).seats[1].role == "against"
