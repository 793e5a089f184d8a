"""What a person may ask of a discussion, checked before anything is stored. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from forllm_server.discussions.model import Kind, Limits
from forllm_server.errors import Invalid
from forllm_server.markup.names import clean_text

MOST_SEATS = {Kind.DEBATE: 4, Kind.COUNCIL: 8}
#: With two, each would rank one answer that is not its own, which is no ranking.
LEAST_SEATS = {Kind.DEBATE: 2, Kind.COUNCIL: 3}
LEAST_TURNS, MOST_TURNS, USUAL_TURNS = 2, 40, 6
LEAST_TOKENS, MOST_TOKENS, USUAL_TOKENS = 100, 1_000_000, 6_000
LEAST_MINUTES, MOST_MINUTES, USUAL_MINUTES = 1, 1_440, 60
MOTION_MAX_CHARS, ROLE_MAX_CHARS = 500, 60
LEAST_DEEP, MOST_DEEP, USUAL_DEEP = 1, 10, 2
LEAST_REPLIES, MOST_REPLIES, USUAL_REPLIES = 1, 500, 20
LEAST_HOURS, MOST_HOURS, USUAL_HOURS = 1, 24 * 31, 24
MOST_AUTOMATIC_PERSONAS = 6


@dataclass(frozen=True)
class SeatDraft:
    """Who is to take part. ``model_id`` None: the persona's own model, else the forum's."""

    persona_id: int
    model_id: int | None = None
    role: str = ""


@dataclass(frozen=True)
class DiscussionDraft:
    """What a person asks for. ``group_id`` names the act: sent twice, it is one discussion. Empty: a new one.

    ``closer``: who sums a debate up, or None; who chairs a council.
    """

    kind: Kind
    post_id: int
    seats: tuple[SeatDraft, ...]
    closer: SeatDraft | None = None
    motion: str = ""
    limits: Limits = field(default_factory=Limits)
    is_run_now: bool = False
    group_id: str = ""


def check(draft: DiscussionDraft) -> DiscussionDraft:
    """The draft as it is stored. Raises Invalid, which names the field (``seats``, ``closer``, ``turns`` …)."""
    least, most, number = LEAST_SEATS[draft.kind], MOST_SEATS[draft.kind], len(draft.seats)
    if not least <= number <= most:
        raise Invalid(_number_words(draft.kind, number), field="seats")
    seats = tuple(SeatDraft(seat.persona_id, seat.model_id, _role(seat.role)) for seat in draft.seats)
    _refuse_doubles(draft.kind, seats)
    limits = Limits()
    if draft.kind is Kind.COUNCIL and draft.closer is None:
        raise Invalid("A council needs somebody who chairs it and answers for all.", field="closer")
    if draft.kind is Kind.DEBATE:
        if draft.limits.turns is None:
            raise Invalid("Say how many turns at most: a debate does not end by itself.", field="turns")
        limits = Limits(
            turns=_within("turns", draft.limits.turns, LEAST_TURNS, MOST_TURNS),
            tokens=_within("tokens", draft.limits.tokens, LEAST_TOKENS, MOST_TOKENS),
            minutes=_within("minutes", draft.limits.minutes, LEAST_MINUTES, MOST_MINUTES),
        )
    motion = ""
    if draft.kind is Kind.COUNCIL and (draft.motion.strip() or any(seat.role for seat in seats)):
        raise Invalid("A council answers the post: it has no motion, and its members no roles.", field="motion")
    if draft.motion.strip():
        motion = " ".join(clean_text(draft.motion, field="motion", max_chars=MOTION_MAX_CHARS).split())
    return DiscussionDraft(
        draft.kind, draft.post_id, seats, draft.closer, motion, limits, draft.is_run_now, draft.group_id
    )


def _role(role: str) -> str:
    return " ".join(clean_text(role, field="seats", max_chars=ROLE_MAX_CHARS).split()) if role.strip() else ""


def _number_words(kind: Kind, number: int) -> str:
    least, most = LEAST_SEATS[kind], MOST_SEATS[kind]
    if kind is Kind.DEBATE:
        return f"A debate is held by {least} to {most}: {number} cannot hold one."
    return (
        f"A council has {least} to {most} members, and this one has {number}. With fewer than {least}, nobody would "
        "have two answers of others to rank."
    )


def _refuse_doubles(kind: Kind, seats: Sequence[SeatDraft]) -> None:
    """A persona may debate with itself in another role; in a council it may sit twice on different models."""
    if kind is Kind.DEBATE:
        if len({(seat.persona_id, seat.role.casefold()) for seat in seats}) < len(seats):
            raise Invalid(
                "A persona can only debate with itself in different roles, such as “for” and “against”.", field="seats"
            )
    elif len({(seat.persona_id, seat.model_id) for seat in seats}) < len(seats):
        raise Invalid("The same persona on the same model sits there twice. Choose another model.", field="seats")


def _within(field: str, value: int | None, least: int, most: int) -> int | None:
    if value is not None and not least <= value <= most:
        raise Invalid(f"At most {value:,} {field} is not possible: choose {least:,} to {most:,}.", field=field)
    return value
