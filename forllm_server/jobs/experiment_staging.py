"""Putting the pairs of experiments into the queue, a part at a time, as batches do with their lines.

A part's LLM requests, the pairs' knowledge of them and the count of the pairs asked are one transaction: after a crash
it goes on with the next pair.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection

from forllm_server import log
from forllm_server.catalog import model_store
from forllm_server.catalog.model import Model
from forllm_server.db import Database
from forllm_server.errors import NotFound
from forllm_server.experiments import asking_store, experiment_store, pair_store
from forllm_server.experiments.model import Experiment, PairToAsk, State
from forllm_server.jobs.asking import default_parameters
from forllm_server.jobs.experiment import NAME
from forllm_server.jobs.subject import ALONE
from forllm_server.personas import version_store
from forllm_server.personas.model import PersonaVersion
from forllm_server.personas.parameters import merge
from forllm_server.prompts.tokens import DEFAULT_CHARACTERS_PER_TOKEN
from forllm_server.queue.llm_request_store import insert_new_llm_requests
from forllm_server.queue.model import Lane, NewLlmRequest
from forllm_server.settings.values import Settings, read_settings

#: LLM requests of one experiment that are in the queue at once, about
IN_QUEUE = 400
#: pairs that one transaction asks, for others want to write too
PAIRS_AT_ONCE = 100


def tend_experiments(database: Database, now: datetime) -> int:
    """Ask what there is room for, and note what has come to its end. Returns how many LLM requests were made.

    It may be called by any number of processes at once.
    """
    with database.read() as connection:
        unfinished = experiment_store.list_unfinished_ids(connection)
    made = 0
    for experiment_id in unfinished:
        # One that was deleted meanwhile keeps no other one waiting.
        with suppress(NotFound):
            made += _tend(database, experiment_id, now)
    return made


def _tend(database: Database, experiment_id: int, now: datetime) -> int:
    made = 0
    while True:
        with database.read() as connection:
            experiment = experiment_store.get_experiment(connection, experiment_id)
            waiting = pair_store.count_waiting(connection, experiment)
        is_all_asked = experiment.asked_count >= experiment.pair_count
        if experiment.state is not State.OPEN or (waiting >= IN_QUEUE and not is_all_asked):
            return made
        if is_all_asked and waiting:
            return made
        with database.transaction() as connection:
            if is_all_asked:
                _finish(connection, experiment_id, now)
                return made
            made += stage(connection, experiment_id, now)


def stage(connection: Connection, experiment_id: int, now: datetime) -> int:
    """Ask the next pairs of an experiment, as many as there is room for; how many LLM requests that made."""
    experiment = experiment_store.get_experiment_to_change(connection, experiment_id)
    room = IN_QUEUE - pair_store.count_waiting(connection, experiment)
    if experiment.state is not State.OPEN or room <= 0 or experiment.asked_count >= experiment.pair_count:
        return 0
    limit = min(room, PAIRS_AT_ONCE)
    pairs = asking_store.list_pairs_to_ask(connection, experiment.id, after=experiment.asked_count, limit=limit)
    made = ask_pairs(connection, experiment, pairs, now)
    experiment_store.update_experiment(connection, experiment.id, asked_count=experiment.asked_count + len(pairs))
    return made


def ask_pairs(connection: Connection, experiment: Experiment, pairs: Sequence[PairToAsk], now: datetime) -> int:
    """Make the LLM requests of these pairs; those that cannot be asked are told why. How many were made."""
    settings = read_settings(connection)
    problems = {pair.number: pair.obstacle for pair in pairs if pair.obstacle}
    asked = [pair for pair in pairs if not pair.obstacle]
    found = version_store.list_versions_by_ids(connection, {pair.version_id for pair in asked})
    versions = {version.id: version for version in found}
    models = {each.model.id: each.model for each in model_store.list_models(connection, is_available=True)}
    news = [_new_request(experiment, pair, versions[pair.version_id], models, settings) for pair in asked]
    made = insert_new_llm_requests(connection, news, now)
    ids = {pair.number: request.id for pair, request in zip(asked, made, strict=True) if request is not None}
    pair_store.update_asked(connection, experiment.id, ids)
    pair_store.update_problems(connection, experiment.id, problems)
    return len(ids)


def _new_request(
    experiment: Experiment,
    pair: PairToAsk,
    version: PersonaVersion,
    models: Mapping[int, Model],
    settings: Settings,
) -> NewLlmRequest:
    model = models[pair.model_id]
    characters = pair.question_characters + len(version.instructions) + len(settings.custom_instructions)
    per_token = model.characters_per_token or DEFAULT_CHARACTERS_PER_TOKEN
    return NewLlmRequest(
        owner_id=experiment.owner_id,
        kind=NAME,
        # Without a post of its own: the thread shows what will become a reply, and this will not by itself.
        topic_id=pair.topic_id,
        persona_id=pair.persona_id,
        persona_version_id=version.id,
        backend_id=model.backend_id,
        model_id=model.id,
        model_name=model.name,
        lane=Lane.LIVE if experiment.is_run_now else Lane.NIGHT,
        max_attempts=settings.max_attempts,
        parameters=merge(default_parameters(settings), version.parameters),
        input={
            "experiment_id": experiment.id,
            "pair": pair.number,
            "post_id": pair.question_id,
            "old_llm_request_id": pair.old_llm_request_id,
            "persona_reason": "asked",
            "model_reason": "asked for",
            "prompt_tokens": int(characters / per_token) + 1,
            ALONE: pair.is_alone,
        },
        # Tells the requests of one insertion apart, for they name no post.
        answer_number=pair.number,
    )


def _finish(connection: Connection, experiment_id: int, now: datetime) -> None:
    """Note that everything has an end, unless a retry came in between."""
    current = experiment_store.get_experiment_to_change(connection, experiment_id)
    if (
        current.state is State.OPEN
        and current.finished_at is None
        and not pair_store.count_waiting(connection, current)
    ):
        experiment_store.update_experiment(connection, experiment_id, finished_at=now)
        log.event("experiment.finished", experiment=experiment_id, pairs=current.pair_count)
