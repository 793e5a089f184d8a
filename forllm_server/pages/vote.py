"""Voting between two replies with the names hidden, what was voted, and the votes as pairs for training."""

from dataclasses import dataclass

from flask import Blueprint, Response
from sqlalchemy import Connection

from forllm_server.clock import now
from forllm_server.errors import NotFound
from forllm_server.forum import post_store, topic_store
from forllm_server.forum.model import Post, Topic
from forllm_server.forum.rendering import ensure_html
from forllm_server.pages.database import database
from forllm_server.votes import comparison_store, pair_store, standings, tally_store, voting
from forllm_server.votes.export import preference_lines
from forllm_server.votes.model import Choice, Comparison, EntrantName, Pair, Side
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form
from forllm_server.web.fragments import notice, page, see_other

blueprint = Blueprint("vote", __name__)

#: (choice, what its button says, the key that presses it)
CHOICES = (
    (Side.LEFT, "A is better", "1"),
    (Side.RIGHT, "B is better", "2"),
    (Side.TIE, "Equally good", "3"),
    (Side.BAD, "Both bad", "4"),
)
_SKIP = (Side.SKIP, "Skip", "s")
_OUTCOMES = {
    Choice.TIE: "You found both equally good",
    Choice.BAD: "You found both bad",
    Choice.SKIP: "You skipped these two",
}


@dataclass(frozen=True)
class Shown:
    """Two replies side by side, with the question; ``sides``: A and B."""

    topic: Topic
    question: Post
    sides: tuple[Post, Post]


@blueprint.get("/votes")
def show() -> Response:
    """The next two replies that wait for a vote."""
    with current().database.read() as connection:
        pair = pair_store.find_next_pair(connection, current_user_id())
        shown = _read(connection, pair) if pair else None
        waiting = standings.count_waiting(connection, current_user_id(), now())
        skipped = comparison_store.count_skipped(connection, current_user_id()) if pair is None else 0
        number = comparison_store.count_votes(connection, current_user_id()) if pair is None else 0
    if shown is None:
        return page("vote/none.html", skipped=skipped, number=number)
    choices = (*CHOICES, _SKIP)
    return page("vote/show.html", shown=_rendered(shown), choices=choices, waiting=waiting, most=standings.MOST_WAITING)


@blueprint.post("/votes")
def vote() -> Response:
    """Vote on two replies, and be told who wrote them. Who votes on two a second time is shown the first vote."""
    form = Form.of_request()
    left_id, right_id = form.integer("left_post_id", least=1) or 0, form.integer("right_post_id", least=1) or 0
    side = Side(form.choice("choice", [side.value for side in Side]))
    with current().database.transaction() as connection:
        before = comparison_store.find_comparison(
            connection, current_user_id(), min(left_id, right_id), max(left_id, right_id)
        )
        if before is None or before.choice is Choice.SKIP:
            comparison = voting.vote(connection, current_user_id(), left_id, right_id, side, now())
        else:
            comparison = before
            notice("You have voted on these two already. You can change that vote here.", kind="warning")
    return see_other("/votes" if comparison.choice is Choice.SKIP else f"/votes/{comparison.id}")


@blueprint.get("/votes/<int:comparison_id>")
def show_vote(comparison_id: int) -> Response:
    """Who wrote the two, once one has voted, and a way to change one's mind."""
    with current().database.read() as connection:
        comparison = comparison_store.get_comparison(connection, current_user_id(), comparison_id)
        shown = _read(connection, comparison.pair)
        names = tally_store.list_entrant_names(
            connection, [comparison.pair.low.version_id, comparison.pair.high.version_id]
        )
        waiting = standings.count_waiting(connection, current_user_id(), now())
    return page(
        "vote/result.html",
        shown=_rendered(shown),
        comparison=comparison,
        outcome=_outcome(comparison, shown),
        names=_names(shown, names),
        choices=(*CHOICES, _SKIP),
        waiting=waiting,
        most=standings.MOST_WAITING,
    )


@blueprint.post("/votes/<int:comparison_id>")
def change(comparison_id: int) -> Response:
    """Vote otherwise on the same two."""
    side = Side(Form.of_request().choice("choice", [side.value for side in Side]))
    with current().database.transaction() as connection:
        voting.change_vote(connection, current_user_id(), comparison_id, side, now())
    notice("The vote is changed.")
    return see_other(f"/votes/{comparison_id}")


@blueprint.post("/votes/<int:comparison_id>/delete")
def take_back(comparison_id: int) -> Response:
    """Take a vote back: the two are asked again."""
    with current().database.transaction() as connection:
        voting.take_back(connection, current_user_id(), comparison_id)
    notice("The vote is taken back.")
    return see_other("/votes")


@blueprint.post("/votes/skipped/delete")
def ask_skipped_again() -> Response:
    """Let the pairs that were skipped wait for a vote again."""
    with current().database.transaction() as connection:
        comparison_store.delete_skipped(connection, current_user_id())
    return see_other("/votes")


@blueprint.get("/votes/preferences.jsonl")
def download() -> Response:
    """The votes with a winner, as JSON lines; sent as they are read."""
    response = Response(
        preference_lines(database(), current_user_id()), content_type="application/jsonl; charset=utf-8"
    )
    response.headers["Content-Disposition"] = 'attachment; filename="preferences.jsonl"'
    return response


def _read(connection: Connection, pair: Pair) -> Shown:
    topic = topic_store.get_topic(connection, pair.topic_id)
    posts = {post.id: post for post in post_store.list_posts(connection, [pair.question_id, pair.low_id, pair.high_id])}
    if len(posts) < 3:
        raise NotFound()
    left_id, right_id = pair.sides(current_user_id())
    return Shown(topic, posts[pair.question_id], (posts[left_id], posts[right_id]))


def _rendered(shown: Shown) -> Shown:
    question, left, right = ensure_html(database(), [shown.question, *shown.sides])
    return Shown(shown.topic, question, (left, right))


def _outcome(comparison: Comparison, shown: Shown) -> str:
    if comparison.winner_id is None:
        return _OUTCOMES[comparison.choice]
    return f"You preferred {'A' if comparison.winner_id == shown.sides[0].id else 'B'}"


def _names(shown: Shown, names: dict[int, EntrantName]) -> list[tuple[str, EntrantName]]:
    """For A and B: the name that the post bears, and the persona's version."""
    return [(post.author_name, names[post.persona_version_id or 0]) for post in shown.sides]
