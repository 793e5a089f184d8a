"""The leaderboard: which persona on which model is preferred, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, request

from forllm_server.clock import now
from forllm_server.forum.subforum_store import get_subforum
from forllm_server.votes import standings, tally_store
from forllm_server.votes.model import Standing
from forllm_server.votes.rating import MEAN_POINTS, probability
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form
from forllm_server.web.fragments import page

blueprint = Blueprint("leaderboard", __name__)

#: What so many points more mean is told in words.
_DIFFERENCES = (50, 100, 200, 400)
#: The picture of an interval is so wide, in units of its own.
WIDTH = 200
_MARGIN = 6


@dataclass(frozen=True)
class Line:
    """A line of the table. ``start``, ``end`` and ``middle`` place its interval in the picture."""

    standing: Standing
    start: float
    end: float
    middle: float
    #: how often it would be preferred to an average one
    share: float


@blueprint.get("/leaderboard")
def show() -> Response:
    """By one's own votes: over all, or in a subforum."""
    subforum_id = Form(request.args.to_dict(flat=False)).integer("subforum", least=1)
    with current().database.read() as connection:
        subforum = get_subforum(connection, subforum_id) if subforum_id else None
        board = standings.read_leaderboard(connection, current_user_id(), now(), subforum_id=subforum_id)
        subforums = tally_store.list_subforums_with_votes(connection, current_user_id())
        waiting = standings.count_waiting(connection, current_user_id(), now())
    return page(
        "leaderboard/show.html",
        board=board,
        lines=lines_of(board.told),
        subforum=subforum,
        subforums=subforums,
        waiting=waiting,
        width=WIDTH,
        enough=standings.ENOUGH,
        differences=[(points, probability(points)) for points in _DIFFERENCES],
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
