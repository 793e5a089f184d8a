"""Experiments in the database, on SQLite and PostgreSQL: candidates, pairs, progress, votes that the ratings count."""

from datetime import datetime

import pytest

from forllm_server.db import Database, metadata
from forllm_server.experiments import asking_store, candidate_store, experiment_store, pair_store
from forllm_server.experiments.model import (
    Choice,
    Experiment,
    Narrowing,
    NewAnswer,
    NewExperiment,
    NewPair,
    Stage,
    State,
)
from forllm_server.votes import tally_store
from tests.support.world import LOCAL_USER, make_world
from tests.votes.world import MODEL, Contest

ANSWER = NewAnswer("New.", "", "stop", MODEL, 7, 2.0)


@pytest.fixture
def contest(database: Database, now: datetime) -> Contest:
    contest = Contest(database, make_world(database, now), now, "Ada", "Bob")
    for _ in range(4):
        contest.round()
    return contest


@pytest.fixture
def experiment(database: Database, contest: Contest, now: datetime) -> Experiment:
    """Bob's version, asked what Ada answered; nothing of it is in the queue."""
    bob = contest.versions["Bob"]
    narrowing = Narrowing(
        topic_ids=(contest.world.topic_id, 999),
        subforum_id=contest.world.subforum_id,
        persona_version_id=contest.versions["Ada"],
    )
    new = NewExperiment(LOCAL_USER, "Bob for Ada", "answers", bob, "Bob v1", None, "the same model", {"same": 1})
    with database.transaction() as connection:
        candidates = candidate_store.list_candidates(connection, narrowing, limit=10)
        pairs = [NewPair(each, 3, bob, contest.world.model_id, MODEL) for each in candidates]
        made = experiment_store.insert_experiment(connection, new, len(pairs), now)
        pair_store.insert_pairs(connection, made.id, pairs)
    return made


def test_candidates_know_who_answered_and_tags_and_limits_hold(database: Database, contest: Contest) -> None:
    ada = contest.versions["Ada"]
    with database.read() as connection:
        everything = candidate_store.list_candidates(connection, Narrowing(), limit=10)
        by_persona = candidate_store.list_candidates(connection, Narrowing(persona_id=2), limit=2)
        tagged = candidate_store.list_candidates(connection, Narrowing(tag_id=5), limit=10)
    assert {each.version_id for each in everything} == {contest.versions["Bob"]}, "of each question the newest"
    assert [(each.version_id, each.model_name, each.is_persona_deleted) for each in by_persona] == [
        (ada, MODEL, False)
    ] * 2
    assert tagged == []


def test_pairs_go_from_unasked_to_answered_failed_and_voted_on(
    database: Database, experiment: Experiment, now: datetime
) -> None:
    with database.transaction() as connection:
        ready = asking_store.list_pairs_to_ask(connection, experiment.id, after=1, limit=2)
        assert [(pair.number, pair.obstacle, pair.is_alone) for pair in ready] == [(2, "", False), (3, "", False)]
        pair_store.update_asked(connection, experiment.id, {1: 901, 2: 902})
        pair_store.update_problems(connection, experiment.id, {3: "The model burned down."})
        assert pair_store.update_answered(connection, 901, ANSWER, now)
        assert not pair_store.update_answered(connection, 999, ANSWER, now)
        pair_store.update_choice(connection, experiment.id, 1, Choice.NEW, now)
    with database.read() as connection:
        progress = pair_store.read_progress(connection, experiment)
        shown = {
            name: [pair.number for pair in pair_store.list_pairs(connection, experiment, shown=name, limit=9)]
            for name in pair_store.FILTERS
        }
        failures = pair_store.list_failures(connection, experiment, limit=5)
        first = pair_store.get_pair(connection, experiment, 1)
        tallies = tally_store.list_tallies(connection, LOCAL_USER)
        assert pair_store.count_waiting(connection, experiment) == 0
        assert pair_store.find_next_undecided(connection, experiment, 0) is None
    assert progress.by_stage == {Stage.ANSWERED: 1, Stage.FAILED: 2, Stage.UNASKED: 1}
    assert progress.by_choice == {Choice.NEW: 1}
    assert (progress.new.tokens, progress.new.seconds, progress.old.tokens) == (7.0, 2.0, None)
    assert shown["new"] == [1]
    assert shown["failed"] == [2, 3], "the second one's LLM request was erased"
    assert shown["waiting"] == [4]
    assert failures == [("Its LLM request was erased.", 1), ("The model burned down.", 1)]
    assert (first.new_text, first.choice, first.stage) == ("New.", Choice.NEW, Stage.ANSWERED)
    assert (first.old_text or "").startswith("Answer 1")
    assert [(each.first_wins, each.second_wins) for each in tallies] == [(0, 1)]


def test_whatever_keeps_a_pair_from_being_asked_is_told(
    database: Database, contest: Contest, experiment: Experiment, now: datetime
) -> None:
    changes = [
        ("models", contest.world.model_id, {"is_available": False}, f"The model {MODEL} is not available"),
        ("personas", 3, {"deleted_at": now}, "The persona was deleted"),
        ("topics", contest.world.topic_id, {"deleted_at": now}, "Its topic was put into the trash"),
    ]
    for table, row_id, values, words in changes:
        with database.transaction() as connection:
            rows = metadata.tables[table]
            connection.execute(rows.update().where(rows.c.id == row_id).values(values))
            [pair] = asking_store.list_pairs_to_ask_of(connection, experiment.id, [1])
        assert pair.obstacle.startswith(words)


def test_what_is_erased_from_the_trash_takes_its_new_answer_along(
    database: Database, contest: Contest, experiment: Experiment, now: datetime
) -> None:
    posts = metadata.tables["posts"]
    with database.transaction() as connection:
        pair_store.update_asked(connection, experiment.id, {1: 901})
        pair_store.update_answered(connection, 901, ANSWER, now)
        own = posts.c.topic_id == contest.world.topic_id
        connection.execute(posts.update().where(own).values(deleted_at=now))
        assert pair_store.update_erased(connection) == []
        connection.execute(posts.update().where(own).values(content=""))
        assert pair_store.update_erased(connection) == [901]
        pair = pair_store.get_pair(connection, experiment, 1)
        assert pair_store.read_progress(connection, experiment).undecided == 0
    assert (pair.stage, pair.new_text, pair.may_be_voted_on) == (Stage.ANSWERED, None, False)


def test_experiments_are_listed_and_deleted(database: Database, experiment: Experiment) -> None:
    with database.transaction() as connection:
        assert [each.id for each in experiment_store.list_experiments(connection, limit=5)] == [experiment.id]
        assert experiment_store.list_experiments(connection, before_id=experiment.id, limit=5) == []
        assert experiment_store.list_unfinished_ids(connection) == []
        experiment_store.update_experiment(connection, experiment.id, state=State.OPEN.value)
        assert experiment_store.list_unfinished_ids(connection) == [experiment.id]
        experiment_store.delete_experiment(connection, experiment.id)
        assert not connection.execute(metadata.tables["experiment_pairs"].select()).first()
