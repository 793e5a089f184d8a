"""Experiments from the choice to the vote: which answers, asked with the same thread, kept outside of it, retried."""

from typing import Any

import pytest

from forllm_server import clock
from forllm_server.db import metadata
from forllm_server.errors import Conflict, Invalid, NotFound
from forllm_server.experiments import experiment_store, pair_store
from forllm_server.experiments.model import Choice, Experiment, Pair, Progress, Stage, State
from forllm_server.forum import post_store, topic_store
from forllm_server.forum.editing import add_reply, delete_post
from forllm_server.forum.model import TopicOrder
from forllm_server.jobs import experiment_staging as staging
from forllm_server.jobs import experiment_votes as voting
from forllm_server.jobs import experiments as rules
from forllm_server.jobs.experiment_staging import tend_experiments
from forllm_server.jobs.experiments import ExperimentDraft
from forllm_server.queue.bulk import Action, change_many
from forllm_server.queue.prompt_store import find_prompt
from forllm_server.votes import comparison_store, tally_store
from forllm_server.votes.model import Choice as PostChoice
from tests.jobs.conftest import Evening
from tests.support.scripted_server import Script
from tests.support.world import LOCAL_USER, insert
from tests.votes.world import Contest, add_answer, add_persona


class Trial:
    """Ada v1 has answered some questions; there is an Ada v2."""

    def __init__(self, evening: Evening) -> None:
        self.evening, self.database = evening, evening.database
        self.contest = Contest(self.database, evening.world, clock.now(), "Ada")
        self.old_version = self.contest.versions["Ada"]
        self.replies = [self.contest.round()["Ada"] for _ in range(3)]
        with self.database.transaction() as connection:
            found = connection.execute(metadata.tables["persona_versions"].select()).mappings().all()
            self.persona_id = next(row["persona_id"] for row in found if row["id"] == self.old_version)
            self.version = insert(
                connection, "persona_versions", persona_id=self.persona_id, number=2, name="Ada",
                instructions="You are Ada the second.", parameters={}, note="", created_at=clock.now(),
                created_by=LOCAL_USER,
            )  # fmt: skip

    def draft(self, **values: Any) -> ExperimentDraft:
        return ExperimentDraft(**({"old_persona_id": self.persona_id, "persona_version_id": self.version} | values))

    def create(self, **values: Any) -> Experiment:
        with self.database.transaction() as connection:
            draft = self.draft(**values)
            return rules.create_experiment(connection, draft, owner_id=LOCAL_USER, now=clock.now())

    def start(self, experiment: Experiment) -> Experiment:
        with self.database.transaction() as connection:
            return rules.start_experiment(connection, experiment.id, clock.now(), is_run_now=True)

    def run(self, experiment: Experiment) -> None:
        while self.evening.run():
            pass
        tend_experiments(self.database, clock.now())

    def get(self, experiment: Experiment) -> Experiment:
        with self.database.read() as connection:
            return experiment_store.get_experiment(connection, experiment.id)

    def pairs(self, experiment: Experiment, shown: str = "all") -> list[Pair]:
        with self.database.read() as connection:
            return pair_store.list_pairs(connection, experiment, shown=shown, limit=100)

    def progress(self, experiment: Experiment) -> Progress:
        with self.database.read() as connection:
            return pair_store.read_progress(connection, experiment)

    def vote(self, experiment: Experiment, number: int, choice: Choice, **how: bool) -> Pair:
        with self.database.transaction() as connection:
            return voting.vote(connection, experiment.id, number, choice, clock.now(), **how)


@pytest.fixture
def trial(evening: Evening) -> Trial:
    return Trial(evening)


def test_a_question_is_asked_with_the_thread_that_the_old_answer_saw_and_no_post_comes_of_it(trial: Trial) -> None:
    with trial.database.transaction() as connection:
        remark = add_reply(connection, owner_id=1, parent_id=trial.replies[0], content="Said later.", now=clock.now())
        before = post_store.count_posts(connection, remark.topic_id)
    experiment = trial.start(trial.create())
    trial.evening.server.script(Script(tokens=("Loam", ".")), Script(tokens=("Sand",)), Script(tokens=("Clay",)))
    trial.run(experiment)
    pairs = trial.pairs(experiment)
    assert [(pair.stage, pair.new_text) for pair in pairs] == [
        (Stage.ANSWERED, "Loam."),
        (Stage.ANSWERED, "Sand"),
        (Stage.ANSWERED, "Clay"),
    ]
    assert pairs[0].old_text == f"Answer 1, letter {trial.old_version}: `x = 1`"
    with trial.database.read() as connection:
        prompt = find_prompt(connection, pairs[0].llm_request_id or 0)
        assert post_store.count_posts(connection, remark.topic_id) == before
    assert prompt is not None
    assert "You are Ada the second." in prompt.messages[0]["content"]
    words = " ".join(message["content"] for message in prompt.messages)
    assert "Question 1?" in words
    assert "Answer 1" not in words
    assert "Said later" not in words
    done = trial.get(experiment)
    assert done.finished_at is not None
    progress = trial.progress(experiment)
    assert (progress.answered, progress.undecided, progress.percent) == (3, 3, 100)
    assert progress.new.characters == pytest.approx(13 / 3)


def test_of_each_question_the_newest_answer_that_is_meant_is_asked_for_again(trial: Trial) -> None:
    now, world = clock.now(), trial.evening.world
    with trial.database.transaction() as connection:
        question = post_store.get_post(connection, trial.replies[1]).parent_id or 0
        other = add_persona(connection, now, "Bob")
        by_bob = add_answer(connection, world, now, question, other, name="Bob")
        newer = add_answer(connection, world, now, question, trial.old_version, name="Ada", model="gone:7b")
    assert [pair.old_post_id for pair in trial.pairs(trial.create(model_id=world.model_id))] == [
        trial.replies[0],
        trial.replies[2],
        newer,
    ]
    experiment = trial.create(old_persona_id=None, post_ids=(by_bob, trial.replies[2]))
    assert [pair.old_post_id for pair in trial.pairs(experiment)] == [trial.replies[2], by_bob]
    found = trial.create(old_persona_id=None, query='"Question 3"')
    assert [pair.old_post_id for pair in trial.pairs(found)] == [trial.replies[2]]
    assert found.source == 'Answers found by “"Question 3"”'


def test_what_cannot_be_compared_is_left_out_and_told(trial: Trial) -> None:
    now, world = clock.now(), trial.evening.world
    with trial.database.transaction() as connection:
        question = post_store.get_post(connection, trial.replies[0]).parent_id or 0
        add_answer(connection, world, now, question, trial.old_version, name="Ada", model="gone:7b")
        question = post_store.get_post(connection, trial.replies[1]).parent_id or 0
        add_answer(connection, world, now, question, trial.version, name="Ada")
    experiment = trial.create()
    assert experiment.pair_count == 1
    assert experiment.left_out == {"model_gone": 1, "same": 1}


def everything_bad(trial: Trial) -> list[tuple[dict[str, Any], str, str]]:
    return [
        ({"old_persona_id": None}, "topic_ids", "No topics are chosen"),
        ({"topic_ids": ()}, "topic_ids", "No topic is chosen"),
        ({"topic_ids": (987654,)}, "topic_ids", "Nothing of what you chose was answered"),
        ({"persona_version_id": None}, "persona_version_id", "nothing to compare"),
        ({"persona_version_id": 987654}, "persona_version_id", "no such version"),
        ({"persona_version_id": trial.old_version}, "persona_version_id", "this very version on this very model"),
        ({"model_id": 987654}, "model_id", "no such model"),
        ({"old_persona_version_id": 987654}, "old_persona_version_id", "no such version"),
        ({"subforum_id": 987654}, "subforum_id", "no such subforum"),
        ({"tag": "unheard of"}, "tag", "No topic has this tag"),
        ({"query": "unheardof"}, "query", "finds no post"),
        ({"query": "?"}, "query", "asks for nothing"),
        ({"name": "x" * 201}, "name", "at most 200"),
    ]


def test_what_cannot_be_made_says_why_and_makes_nothing(trial: Trial) -> None:
    for values, field, words in everything_bad(trial):
        with pytest.raises(Invalid, match=words) as refused:
            trial.create(**values)
        assert refused.value.field == field, values
    with trial.database.read() as connection:
        assert experiment_store.list_experiments(connection, limit=10) == []


def test_a_deleted_persona_cannot_be_asked(trial: Trial) -> None:
    trial.evening.change("personas", trial.persona_id, deleted_at=clock.now())
    with pytest.raises(Invalid, match="Ada was deleted"):
        trial.create()
    with pytest.raises(Invalid, match="their persona was deleted: 3"):
        trial.create(persona_version_id=None, model_id=trial.evening.world.model_id)


def test_what_went_into_the_trash_meanwhile_fails_with_its_reason_and_can_be_tried_again(trial: Trial) -> None:
    experiment = trial.create()
    with trial.database.transaction() as connection:
        delete_post(connection, trial.replies[1], clock.now())
    trial.start(experiment)
    trial.run(experiment)
    failed = trial.pairs(experiment, "failed")
    assert [(pair.number, pair.problem) for pair in failed] == [(2, "The old answer was put into the trash meanwhile.")]
    assert trial.get(experiment).finished_at is not None
    trial.evening.change("posts", trial.replies[1], deleted_at=None)
    with trial.database.transaction() as connection:
        assert rules.retry_failed(connection, experiment.id, clock.now()) == 1
    assert trial.get(experiment).finished_at is None
    trial.run(experiment)
    assert trial.progress(experiment).answered == 3


def test_a_failed_answer_is_told_and_tried_again(trial: Trial) -> None:
    experiment = trial.start(trial.create())
    trial.evening.change("models", trial.evening.world.model_id, context_tokens=20)
    trial.run(experiment)
    with trial.database.read() as connection:
        [(problem, number)] = pair_store.list_failures(connection, experiment, limit=5)
    assert number == 3
    assert problem
    trial.evening.change("models", trial.evening.world.model_id, context_tokens=4096)
    with trial.database.transaction() as connection:
        assert rules.retry_failed(connection, experiment.id, clock.now()) == 3
    trial.run(experiment)
    assert trial.progress(experiment).answered == 3


def test_one_that_was_deleted_meanwhile_keeps_no_other_waiting(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "IN_QUEUE", 2)
    experiment = trial.start(trial.create())
    monkeypatch.setattr(experiment_store, "list_unfinished_ids", lambda _connection: [99, experiment.id])
    trial.run(experiment)
    assert trial.get(experiment).asked_count == 3


def test_only_so_many_are_in_the_queue_and_the_rest_follows(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "IN_QUEUE", 2)
    experiment = trial.start(trial.create())
    assert (experiment.asked_count, trial.progress(experiment).unasked) == (2, 1)
    assert tend_experiments(trial.database, clock.now()) == 0
    trial.run(experiment)
    trial.run(experiment)
    assert trial.progress(experiment).answered == 3
    assert trial.get(experiment).finished_at is not None


def test_cancelling_calls_off_what_waits_and_keeps_what_is_there(trial: Trial) -> None:
    experiment = trial.start(trial.create())
    assert trial.evening.run()
    with trial.database.transaction() as connection:
        rules.cancel_experiment(connection, experiment.id, clock.now())
    trial.run(experiment)
    progress = trial.progress(experiment)
    assert (progress.answered, progress.cancelled) == (1, 2)
    with trial.database.transaction() as connection, pytest.raises(Conflict):
        rules.retry_failed(connection, experiment.id, clock.now())


def test_pausing_holds_what_waits_and_going_on_asks_the_rest(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forllm_server.jobs.experiment_staging.IN_QUEUE", 2)
    experiment = trial.start(trial.create())
    assert trial.evening.run()
    with trial.database.transaction() as connection:
        assert rules.pause_experiment(connection, experiment.id, clock.now()).state is State.PAUSED
    trial.run(experiment)
    progress = trial.progress(experiment)
    assert (progress.answered, progress.waiting, progress.unasked) == (1, 1, 1)
    with trial.database.transaction() as connection, pytest.raises(Conflict):
        rules.retry_failed(connection, experiment.id, clock.now())
    with trial.database.transaction() as connection:
        rules.resume_experiment(connection, experiment.id, clock.now())
    trial.run(experiment)
    assert (trial.progress(experiment).answered, trial.get(experiment).state) == (3, State.OPEN)
    assert trial.get(experiment).finished_at is not None
    with trial.database.transaction() as connection, pytest.raises(Conflict):
        rules.pause_experiment(connection, experiment.id, clock.now())


def test_the_topics_await_nothing_of_an_experiment(trial: Trial) -> None:
    trial.start(trial.create())
    with trial.database.read() as connection:
        assert topic_store.list_page(connection, TopicOrder.AWAITING, limit=5).topics == ()
    trial.evening.ask(is_run_now=True)
    with trial.database.read() as connection:
        assert len(topic_store.list_page(connection, TopicOrder.AWAITING, limit=5).topics) == 1


def test_a_deleted_experiment_calls_off_what_waits(trial: Trial) -> None:
    experiment = trial.start(trial.create())
    with trial.database.transaction() as connection:
        rules.delete_experiment(connection, experiment.id, clock.now())
    assert not trial.evening.run()
    with pytest.raises(NotFound):
        trial.get(experiment)


def test_a_draft_is_estimated_started_once_and_never_cancelled(trial: Trial) -> None:
    experiment = trial.create()
    with trial.database.read() as connection:
        assert rules.estimate(connection, experiment, clock.now(), is_run_now=False).number == 3
    with trial.database.transaction() as connection, pytest.raises(Conflict):
        rules.cancel_experiment(connection, experiment.id, clock.now())
    trial.start(experiment)
    with pytest.raises(Conflict):
        trial.start(experiment)


def answered(trial: Trial) -> Experiment:
    experiment = trial.start(trial.create())
    trial.run(experiment)
    return experiment


def test_votes_are_given_changed_taken_back_and_counted_by_the_leaderboard(trial: Trial) -> None:
    experiment = answered(trial)
    trial.vote(experiment, 1, Choice.NEW)
    trial.vote(experiment, 2, Choice.TIE)
    with pytest.raises(voting.AlreadyVoted):
        trial.vote(experiment, 1, Choice.OLD)
    trial.vote(experiment, 1, Choice.OLD, is_change=True)
    trial.vote(experiment, 3, Choice.SKIP)
    trial.vote(experiment, 3, Choice.NEW)
    assert trial.progress(experiment).by_choice == {Choice.OLD: 1, Choice.TIE: 1, Choice.NEW: 1}
    subforum_id = trial.evening.world.subforum_id
    with trial.database.read() as connection:
        [tally] = tally_store.list_tallies(connection, LOCAL_USER, subforum_id=subforum_id)
        assert tally_store.list_tallies(connection, LOCAL_USER, subforum_id=subforum_id + 1) == []
        assert tally_store.list_subforums_with_votes(connection, LOCAL_USER) == [(subforum_id, "Homelab")]
    assert (tally.first.version_id, tally.second.version_id) == (trial.old_version, trial.version)
    assert (tally.first_wins, tally.second_wins, tally.ties) == (1, 1, 1)
    with trial.database.transaction() as connection:
        voting.take_back(connection, experiment.id, 3, clock.now())
    assert [pair.number for pair in trial.pairs(experiment, "undecided")] == [3]


def test_a_new_answer_is_put_into_its_thread_once_and_its_vote_goes_along(trial: Trial) -> None:
    experiment = answered(trial)
    trial.vote(experiment, 1, Choice.NEW)
    with trial.database.transaction() as connection:
        post_id = voting.post_answer(connection, experiment.id, 1, clock.now())
        assert voting.post_answer(connection, experiment.id, 1, clock.now()) == post_id
        post = post_store.get_post(connection, post_id)
        old = post_store.get_post(connection, trial.replies[0])
        vote = comparison_store.find_comparison(connection, LOCAL_USER, old.id, post_id)
    assert (post.parent_id, post.persona_version_id) == (old.parent_id, trial.version)
    assert vote is not None
    assert vote.choice is PostChoice.HIGH
    assert trial.pairs(experiment)[0].choice is Choice.NEW
    with trial.database.read() as connection:
        assert sum(each.number for each in tally_store.list_tallies(connection, LOCAL_USER)) == 1
    trial.vote(experiment, 1, Choice.BAD, is_change=True)
    with trial.database.transaction() as connection:
        assert trial_choice(connection, old.id, post_id) is PostChoice.BAD
        voting.take_back(connection, experiment.id, 1, clock.now())
    assert trial.pairs(experiment)[0].choice is None


def trial_choice(connection: Any, low_id: int, high_id: int) -> PostChoice | None:
    found = comparison_store.find_comparison(connection, LOCAL_USER, low_id, high_id)
    return found.choice if found else None


def test_a_pair_without_both_answers_takes_no_vote(trial: Trial) -> None:
    experiment = trial.start(trial.create())
    with pytest.raises(Conflict):
        trial.vote(experiment, 1, Choice.NEW)
    trial.run(experiment)
    with trial.database.transaction() as connection:
        delete_post(connection, trial.replies[0], clock.now())
    with pytest.raises(Conflict):
        trial.vote(experiment, 1, Choice.NEW)
    assert trial.progress(experiment).undecided == 2


def test_one_called_off_in_the_queue_is_tried_again_with_the_failed_ones(trial: Trial) -> None:
    experiment = trial.start(trial.create())
    first = trial.pairs(experiment)[0].llm_request_id or 0
    with trial.database.transaction() as connection:
        change_many(connection, Action.CANCEL, [first], clock.now())
        assert rules.retry_failed(connection, experiment.id, clock.now()) == 1
    trial.run(experiment)
    assert trial.progress(experiment).answered == 3
