"""What a person does with the pairs of an experiment: votes, blind, and puts new answers into their threads."""

from datetime import datetime

from sqlalchemy import Connection

from forllm_server.errors import Conflict
from forllm_server.experiments import experiment_store, pair_store
from forllm_server.experiments.model import Choice, Experiment, Pair
from forllm_server.forum import post_store
from forllm_server.forum.editing import answer_post
from forllm_server.forum.model import Answer
from forllm_server.personas import version_store
from forllm_server.queue.llm_request_store import find_llm_request
from forllm_server.votes import comparison_store
from forllm_server.votes import pair_store as post_pair_store
from forllm_server.votes.model import Choice as PostChoice
from forllm_server.votes.model import Side

_SAME = {Side.TIE: Choice.TIE, Side.BAD: Choice.BAD, Side.SKIP: Choice.SKIP}
#: The old answer has the smaller id, for it was written first.
_BETWEEN_POSTS = {
    Choice.OLD: PostChoice.LOW,
    Choice.NEW: PostChoice.HIGH,
    Choice.TIE: PostChoice.TIE,
    Choice.BAD: PostChoice.BAD,
    Choice.SKIP: PostChoice.SKIP,
}


class AlreadyVoted(Conflict):
    """You have voted on this pair already. Change that vote instead."""

    code = "already_voted"


def choice_of(pair: Pair, voter_id: int, side: Side) -> Choice:
    """What a choice among the sides means, as this voter sees them."""
    same = _SAME.get(side)
    if same is not None:
        return same
    return Choice.OLD if (side is Side.LEFT) == pair.is_old_left(voter_id) else Choice.NEW


def vote(
    connection: Connection, experiment_id: int, number: int, choice: Choice, now: datetime, *, is_change: bool = False
) -> Pair:
    """Vote on a pair; after a skip, or with ``is_change``, otherwise than before.

    Raises NotFound, Conflict (not both answers are there) and AlreadyVoted.
    """
    experiment = experiment_store.get_experiment_to_change(connection, experiment_id)
    pair = pair_store.get_pair(connection, experiment, number)
    if not pair.may_be_voted_on:
        raise Conflict("There is nothing to compare: one of the two answers is not there.")
    if not is_change and pair.choice not in (None, Choice.SKIP, choice):
        raise AlreadyVoted(field="choice")
    if pair.choice is not choice:
        _keep_vote(connection, experiment, pair, choice, now)
    return pair_store.get_pair(connection, experiment, number)


def take_back(connection: Connection, experiment_id: int, number: int, now: datetime) -> None:
    """Take a vote back: the pair waits for one again. Raises NotFound."""
    experiment = experiment_store.get_experiment_to_change(connection, experiment_id)
    pair = pair_store.get_pair(connection, experiment, number)
    if pair.choice is not None:
        _keep_vote(connection, experiment, pair, None, now)


def post_answer(connection: Connection, experiment_id: int, number: int, now: datetime) -> int:
    """Put a new answer into its thread, beside the old one; the vote goes along. The new post's id; once is enough.

    Raises NotFound, and Conflict (no answer yet, or the question is in the trash).
    """
    experiment = experiment_store.get_experiment_to_change(connection, experiment_id)
    pair = pair_store.get_pair(connection, experiment, number)
    if pair.post_id is not None:
        return pair.post_id
    if not pair.is_answered or pair.new_text is None:
        raise Conflict("There is no new answer to put into the thread yet.")
    question = post_store.get_post(connection, pair.question_id)
    version = version_store.get_version(connection, pair.new_version_id)
    request = find_llm_request(connection, pair.llm_request_id or 0)
    answer = Answer(
        llm_request_id=pair.llm_request_id or 0,
        owner_id=experiment.owner_id,
        parent_id=question.id,
        content=pair.new_text,
        persona_version_id=version.id,
        persona_name=version.name,
        model_name=pair.new_model_name,
        parameters=request.parameters if request else {},
        thinking=pair.new_thinking,
        finish_reason=pair.new_finish_reason,
        usage=request.usage if request else None,
        question_version=question.version,
    )
    post_id = answer_post(connection, answer, now)
    pair_store.update_posted(connection, experiment.id, number, post_id)
    if pair.choice is not None:
        _keep_between_posts(connection, experiment, pair.old_post_id, post_id, pair.choice, now)
    return post_id


def _keep_vote(
    connection: Connection, experiment: Experiment, pair: Pair, choice: Choice | None, now: datetime
) -> None:
    if pair.post_id is not None:
        _keep_between_posts(connection, experiment, pair.old_post_id, pair.post_id, choice, now)
        return
    pair_store.update_choice(connection, experiment.id, pair.number, choice, now)
    # The leaderboard counts these votes too.
    comparison_store.bump_version(connection, experiment.owner_id)


def _keep_between_posts(
    connection: Connection, experiment: Experiment, old_id: int, new_id: int, choice: Choice | None, now: datetime
) -> None:
    """The vote as one between two replies, which both are now. Where they cannot be compared there, there is none."""
    user_id = experiment.owner_id
    comparison_store.bump_version(connection, user_id)
    before = comparison_store.find_comparison(connection, user_id, old_id, new_id)
    if choice is None:
        if before is not None:
            comparison_store.delete_comparison(connection, user_id, before.id)
        return
    if before is not None:
        comparison_store.update_choice(connection, user_id, before.id, _BETWEEN_POSTS[choice], now)
        return
    pair = post_pair_store.find_pair(connection, old_id, new_id)
    if pair is not None:
        comparison_store.insert_comparison(connection, user_id, pair, _BETWEEN_POSTS[choice], now)
