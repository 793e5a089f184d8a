"""Debates and councils as pages show them: where they stand, their steps, and how opinions were ranked. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from forllm_server.discussions.course import opinions_of, stuck_at
from forllm_server.discussions.model import Discussion, Step, StepKind
from forllm_server.discussions.wording import is_cited, progress_words, state_words, title_of
from forllm_server.jobs.discussion_prompts import result_of_steps


@dataclass(frozen=True)
class RankedRow:
    """An opinion in the result of a council. ``said``: who put it where. ``points`` are words; empty: not ranked."""

    place: int
    name: str
    post_id: int
    points: str
    said: str
    is_cited: bool


@dataclass(frozen=True)
class Ranking:
    """What a council's rankings came to; ``unreadable``: (name, why) of what could not be counted."""

    rows: tuple[RankedRow, ...]
    unreadable: tuple[tuple[str, str], ...]
    number: int
    has_answer: bool


@dataclass(frozen=True)
class DiscussionView:
    """A discussion as it stands. ``state``: what is being done, or how it ended; ``is_stuck``: a person must help."""

    discussion: Discussion
    steps: tuple[Step, ...]
    title: str
    state: str
    progress: tuple[str, ...]
    is_stuck: bool

    @property
    def url(self) -> str:
        return f"/discussions/{self.discussion.id}"


def view_of(discussion: Discussion, steps: Sequence[Step]) -> DiscussionView:
    """A discussion with its steps, as they were read."""
    return DiscussionView(
        discussion=discussion,
        steps=tuple(steps),
        title=title_of(discussion),
        state=state_words(discussion, steps),
        progress=tuple(progress_words(discussion, steps)),
        is_stuck=stuck_at(discussion, steps) is not None,
    )


def ranking_of(discussion: Discussion, steps: Sequence[Step], answer: str = "") -> Ranking | None:
    """How the opinions were ranked; None before anybody has. ``answer``: the chair's, in which they are cited."""
    tried = [step for step in steps if step.kind is StepKind.RANKING and not step.is_live]
    if not tried:
        return None
    opinions = opinions_of(steps)
    last = {step.seat: step for step in tried}
    rows = []
    for each in result_of_steps(steps):
        post_id = opinions[each.seat].post_id or 0
        said = ", ".join(f"{_ordinal(place)} by {discussion.seat(judge).name}" for judge, place, _ in each.places)
        points = "" if each.points is None else f"{each.points:.0f}"
        name = discussion.seat(each.seat).name
        rows.append(RankedRow(each.place, name, post_id, points, said, is_cited(answer, post_id)))
    unreadable = tuple(
        (discussion.seat(step.seat).name, step.reason or step.detail or "It was called off.")
        for step in last.values()
        if step.ranked is None
    )
    return Ranking(tuple(rows), unreadable, sum(step.ranked is not None for step in last.values()), bool(answer))


def _ordinal(number: int) -> str:
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
