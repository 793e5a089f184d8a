"""The leaderboard: which persona on which model is preferred, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from forllm_server.clock import now
from forllm_server.forum.subforum_store import get_subforum
from forllm_server.jobs.judgement import MOST_PAIRS, ask, find_judge
from forllm_server.pages.frame import current_settings
from forllm_server.pages.words import counted
from forllm_server.personas.model import Persona
from forllm_server.votes import judgement_store, standings, tally_store
from forllm_server.votes.agreement import Agreement, agreement
from forllm_server.votes.judgement_store import Refusal
from forllm_server.votes.model import Choice, Standing
from forllm_server.votes.rating import MEAN_POINTS, probability
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form
from forllm_server.web.fragments import notice, page, see_other

blueprint = Blueprint("leaderboard", __name__)

#: What so many points more mean is told in words.
_DIFFERENCES = (50, 100, 200, 400)
#: The picture of an interval is so wide, in units of its own.
WIDTH = 200
_MARGIN = 6
_REFUSALS = 10


@dataclass(frozen=True)
class Line:
    """A line of the table. ``start``, ``end`` and ``middle`` place its interval in the picture."""

    standing: Standing
    start: float
    end: float
    middle: float
    #: how often it would be preferred to an average one
    share: float


@dataclass(frozen=True)
class Judged:
    """How a judge does. ``asked`` and ``refused`` count answers, of which every pair takes two."""

    persona: Persona
    agreement: Agreement | None
    answered: int
    waiting: int
    refused: int
    refusals: Sequence[Refusal]


@blueprint.get("/leaderboard")
def show() -> Response:
    """By one's own votes: over all, or in a subforum."""
    subforum_id = Form(request.args.to_dict(flat=False)).integer("subforum", least=1)
    with current().database.read() as connection:
        has_judge = find_judge(connection, current_settings()) is not None
        subforum = get_subforum(connection, subforum_id) if subforum_id else None
        board = standings.read_leaderboard(connection, current_user_id(), now(), subforum_id=subforum_id)
        subforums = tally_store.list_subforums_with_votes(connection, current_user_id())
        waiting = standings.count_waiting(connection, current_user_id(), now())
    return page(
        "leaderboard/show.html",
        board=board,
        lines=lines_of(board.told),
        has_judge=has_judge,
        subforum=subforum,
        subforums=subforums,
        waiting=waiting,
        width=WIDTH,
        enough=standings.ENOUGH,
        differences=[(points, probability(points)) for points in _DIFFERENCES],
    )


@blueprint.get("/leaderboard/judge")
def show_judge() -> Response:
    """By the judge's votes, and how far it agrees with the person."""
    with current().database.read() as connection:
        judge = find_judge(connection, current_settings())
        judged = _read_judged(connection, judge) if judge else None
        board = standings.read_judged_leaderboard(connection, judge.version.id, now()) if judge else None
    return page(
        "leaderboard/judge.html",
        judged=judged,
        board=board,
        lines=lines_of(board.told) if board else [],
        width=WIDTH,
        enough=standings.ENOUGH,
        most=MOST_PAIRS,
    )


@blueprint.post("/leaderboard/judge")
def ask_judge() -> Response:
    """Have the judge vote on the next pairs."""
    with current().database.transaction() as connection:
        asked = ask(connection, current_user_id(), now())
    current().wake_worker()
    notice(f"The judge is asked about {counted(asked, 'pair')}." if asked else "The judge has been asked about all.")
    return see_other("/leaderboard/judge")


def _read_judged(connection: Connection, judge: Persona) -> Judged:
    version_id = judge.version.id
    counts = judgement_store.count_by_state(connection, version_id)
    return Judged(
        persona=judge,
        agreement=agreement(tally_store.list_agreements(connection, current_user_id(), version_id)),
        answered=sum(number for choice, number in counts.items() if choice),
        waiting=counts.get("", 0),
        refused=counts.get(Choice.NONE.value, 0),
        refusals=judgement_store.list_refusals(connection, version_id, limit=_REFUSALS),
    )


def lines_of(told: Sequence[Standing]) -> list[Line]:
    """The lines with their intervals on one scale."""
    low = min((standing.low for standing in told), default=MEAN_POINTS)
    high = max((standing.high for standing in told), default=MEAN_POINTS)
    scale = (WIDTH - 2 * _MARGIN) / max(high - low, 1.0)

    def place(points: float) -> float:
        return round(_MARGIN + (points - low) * scale, 1)

    return [
        Line(each, place(each.low), place(each.high), place(each.points), probability(each.points - MEAN_POINTS))
        for each in told
    ]
