"""Voting between two replies."""

from datetime import datetime

from sqlalchemy import Connection

from forllm_server.errors import Conflict, Invalid, NotFound
from forllm_server.votes import comparison_store, pair_store
from forllm_server.votes.model import Choice, Comparison, Pair, Side

_SAME = {Side.TIE: Choice.TIE, Side.BAD: Choice.BAD, Side.SKIP: Choice.SKIP}


class AlreadyVoted(Conflict):
    """You have voted on these two already. Change that vote instead."""

    code = "already_voted"


def get_pair(connection: Connection, one_id: int, other_id: int) -> Pair:
    """Two replies, in whatever order. Raises Invalid when they cannot be compared."""
    pair = pair_store.find_pair(connection, min(one_id, other_id), max(one_id, other_id))
    if pair is None:
        raise Invalid(
            "These two cannot be compared: they must be two replies to one post, by different personas or models, "
            "and both be there.",
            field="right_post_id",
        )
    return pair


def choice_of(pair: Pair, left_id: int, side: Side) -> Choice:
    """What a choice among the sides means, where the reply ``left_id`` stood left."""
    same = _SAME.get(side)
    if same is not None:
        return same
    return Choice.LOW if (side is Side.LEFT) == (left_id == pair.low_id) else Choice.HIGH


def vote(connection: Connection, user_id: int, left_id: int, right_id: int, side: Side, now: datetime) -> Comparison:
    """Vote on two replies, for the first time or, after a skip, after all. Raises AlreadyVoted and Invalid."""
    pair = get_pair(connection, left_id, right_id)
    choice = choice_of(pair, left_id, side)
    before = comparison_store.find_comparison(connection, user_id, pair.low_id, pair.high_id)
    if before is None:
        comparison_id = comparison_store.insert_comparison(connection, user_id, pair, choice, now)
        return Comparison(comparison_id, pair, choice, now)
    if before.choice is choice:
        return before
    if before.choice is not Choice.SKIP:
        raise AlreadyVoted(field="choice", comparison_id=before.id)
    comparison_store.update_choice(connection, user_id, before.id, choice, now)
    return Comparison(before.id, pair, choice, now)


def change_vote(connection: Connection, user_id: int, comparison_id: int, side: Side, now: datetime) -> Comparison:
    """Give a vote another choice, of the sides as this voter sees them. Raises NotFound."""
    before = comparison_store.get_comparison(connection, user_id, comparison_id)
    choice = choice_of(before.pair, before.pair.sides(user_id)[0], side)
    comparison_store.update_choice(connection, user_id, before.id, choice, now)
    return Comparison(before.id, before.pair, choice, now)


def take_back(connection: Connection, user_id: int, comparison_id: int) -> None:
    """Take a vote back: the pair is asked again. Raises NotFound."""
    if not comparison_store.delete_comparison(connection, user_id, comparison_id):
        raise NotFound("There is no such vote. It may have been taken back already.")
