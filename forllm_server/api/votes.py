"""``/api/v1/votes`` and ``/leaderboard``: which of two replies is better, and what comes of many such votes."""

from datetime import datetime
from typing import Any

from flask import Response
from sqlalchemy import Connection

from forllm_server.api.contract import Noun, PageQuery, listing, page_of
from forllm_server.api.creating import IDEMPOTENCY_KEY, create
from forllm_server.api.schemas_votes import (
    LeaderboardOut,
    LeaderboardQuery,
    PairOut,
    VoteOnPairChange,
    VoteOnPairIn,
    VoteOnPairOut,
)
from forllm_server.clock import now
from forllm_server.errors import NotFound
from forllm_server.forum import post_store, subforum_store, topic_store
from forllm_server.jobs.judgement import find_judge
from forllm_server.settings.values import read_settings
from forllm_server.votes import comparison_store, pair_store, standings, voting
from forllm_server.votes.model import Choice, Comparison, Leaderboard, Side
from forllm_server.web.current import current, current_user_id
from forllm_server.web.paging import decode_cursor

blueprint = Noun("Votes", "Which of two replies is better, and the ratings that come of it.")


@blueprint.route("/votes", methods=["GET"])
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, listing(VoteOnPairOut))
def show_votes(query: dict[str, Any]) -> dict[str, Any]:
    """List one's votes between two replies, the newest first."""
    after = decode_cursor(query.get("after"), datetime, int)
    with current().database.read() as connection:
        found = comparison_store.list_comparisons(connection, current_user_id(), limit=query["limit"] + 1, after=after)
    page = page_of(found, query["limit"], lambda comparison: (comparison.voted_at, comparison.id))
    return page | {"items": [_shown(comparison) for comparison in page["items"]]}


@blueprint.route("/votes", methods=["POST"])
@blueprint.arguments(VoteOnPairIn)
@blueprint.response(201, VoteOnPairOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def add_vote(values: dict[str, Any]) -> Response:
    """Vote between two replies."""

    def work(connection: Connection) -> Any:
        left_id, right_id = values["left_post_id"], values["right_post_id"]
        voted = voting.vote(connection, current_user_id(), left_id, right_id, Side(values["choice"]), now())
        return VoteOnPairOut().dump(_shown(voted))

    return create(work, location="/api/v1/votes/{id}")


@blueprint.route("/votes/next", methods=["GET"])
@blueprint.response(200, PairOut)
def show_next() -> dict[str, Any]:
    """Read two replies that wait for a vote, without their authors. 404 when none wait."""
    with current().database.read() as connection:
        pair = pair_store.find_next_pair(connection, current_user_id())
        if pair is None:
            raise NotFound("No two replies wait for a vote.")
        topic = topic_store.get_topic(connection, pair.topic_id)
        ids = [pair.question_id, *pair.sides(current_user_id())]
        posts = {post.id: post for post in post_store.list_posts(connection, ids)}
        waiting = standings.count_waiting(connection, current_user_id(), now())
    question, left, right = (posts[post_id] for post_id in ids)
    return {
        "topic_title": topic.title,
        "question": question.content,
        "left": {"post_id": left.id, "content": left.content},
        "right": {"post_id": right.id, "content": right.content},
        "waiting": waiting,
    }


@blueprint.route("/votes/<int:vote_id>", methods=["GET"])
@blueprint.response(200, VoteOnPairOut)
def show_vote(vote_id: int) -> dict[str, Any]:
    """Read one vote."""
    with current().database.read() as connection:
        return _shown(comparison_store.get_comparison(connection, current_user_id(), vote_id))


@blueprint.route("/votes/<int:vote_id>", methods=["PATCH"])
@blueprint.arguments(VoteOnPairChange)
@blueprint.response(200, VoteOnPairOut)
def change_vote(values: dict[str, Any], vote_id: int) -> dict[str, Any]:
    """Vote otherwise on the same two replies."""
    with current().database.transaction() as connection:
        return _shown(voting.change_vote(connection, current_user_id(), vote_id, Side(values["choice"]), now()))


@blueprint.route("/votes/<int:vote_id>", methods=["DELETE"])
@blueprint.response(204)
def take_back(vote_id: int) -> str:
    """Take a vote back: the two are offered again."""
    with current().database.transaction() as connection:
        voting.take_back(connection, current_user_id(), vote_id)
    return ""


@blueprint.route("/leaderboard", methods=["GET"])
@blueprint.arguments(LeaderboardQuery, location="query")
@blueprint.response(200, LeaderboardOut)
def show_leaderboard(query: dict[str, Any]) -> Leaderboard:
    """Read the ratings of all who were compared, by one's own votes or the judge's. 404 without a judge."""
    subforum_id = query.get("subforum_id")
    with current().database.read() as connection:
        if subforum_id is not None:
            subforum_store.get_subforum(connection, subforum_id)
        if query["by"] == "judge":
            judge = find_judge(connection, read_settings(connection))
            if judge is None:
                raise NotFound("There is no judge. Choose a persona for it in the settings.", field="by")
            return standings.read_judged_leaderboard(connection, judge.version.id, now(), subforum_id=subforum_id)
        return standings.read_leaderboard(connection, current_user_id(), now(), subforum_id=subforum_id)


def _shown(comparison: Comparison) -> dict[str, Any]:
    left_id, right_id = comparison.pair.sides(current_user_id())
    is_left = comparison.winner_id == left_id
    won = Side.LEFT if is_left else Side.RIGHT
    return {
        "id": comparison.id,
        "left_post_id": left_id,
        "right_post_id": right_id,
        "choice": won.value if comparison.choice in (Choice.LOW, Choice.HIGH) else comparison.choice.value,
        "topic_id": comparison.pair.topic_id,
        "voted_at": comparison.voted_at,
    }
