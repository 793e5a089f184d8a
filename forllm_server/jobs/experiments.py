"""Experiments: made, started, paused, resumed, cancelled, retried.

How they get into the queue is in :mod:`experiment_staging`.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from forllm_server import log
from forllm_server.catalog import model_store
from forllm_server.catalog.choosing import choose_model
from forllm_server.catalog.model import ListedModel
from forllm_server.errors import Conflict, Invalid, NotFound
from forllm_server.experiments import asking_store, candidate_store, experiment_store, pair_store
from forllm_server.experiments.model import (
    Candidate,
    Experiment,
    LeftOut,
    Narrowing,
    NewExperiment,
    NewPair,
    Stage,
    State,
)
from forllm_server.forum.subforum_store import get_subforum
from forllm_server.forum.tag_store import get_tag_by_key
from forllm_server.jobs.experiment_staging import ask_pairs, stage
from forllm_server.jobs.forecast import Addition, NewAsk, forecast_for_new
from forllm_server.markup.names import name_key
from forllm_server.personas import persona_store, version_store
from forllm_server.personas.model import PersonaVersion
from forllm_server.queue.bulk import Action, change_many
from forllm_server.queue.model import LIVE, Status
from forllm_server.search.finding import find
from forllm_server.search.model import Place
from forllm_server.settings.values import read_settings

NAME_MAX_CHARS = 200
#: pairs of one experiment
MOST_PAIRS = 10_000
#: Failed pairs that one call tries again; the rest at the next.
RETRIED_AT_ONCE = 1_000
#: So many LLM requests are walked through to foretell when they are done; of more only the work is told.
FORETOLD = 400
_FOUND_AT_ONCE = 200
#: The word that stands for each old answer's own persona version, and for its model.
SAME_PERSONA, SAME_MODEL = "the same persona version", "the same model"


@dataclass(frozen=True)
class ExperimentDraft:
    """An experiment as it was entered. What is given of the first part narrows down which earlier answers are meant.

    ``persona_version_id`` None: each answer's own version; ``model_id`` None: the model that gave it.
    """

    name: str = ""
    topic_ids: tuple[int, ...] | None = None
    post_ids: tuple[int, ...] | None = None
    subforum_id: int | None = None
    tag: str = ""
    query: str = ""
    old_persona_id: int | None = None
    old_persona_version_id: int | None = None
    is_everything: bool = False
    persona_version_id: int | None = None
    model_id: int | None = None


def create_experiment(connection: Connection, draft: ExperimentDraft, *, owner_id: int, now: datetime) -> Experiment:
    """Choose and keep the pairs; nothing is asked before it is started. Raises Invalid with the field named."""
    if len(draft.name) > NAME_MAX_CHARS:
        raise Invalid(f"A name has at most {NAME_MAX_CHARS} characters.", field="name")
    if draft.persona_version_id is None and draft.model_id is None:
        raise Invalid(
            "Choose another persona version or another model: with the same version on the same model there is "
            "nothing to compare.",
            field="persona_version_id",
        )
    version, version_words = _challenging_version(connection, draft.persona_version_id)
    model_words = _challenging_model(connection, draft.model_id)
    narrowing, source = _narrowing(connection, draft, owner_id, now)
    candidates = candidate_store.list_candidates(connection, narrowing, limit=MOST_PAIRS + 1)
    if not candidates:
        raise Invalid("Nothing of what you chose was answered by a persona. Choose other topics.", field="topic_ids")
    if len(candidates) > MOST_PAIRS:
        raise Invalid(f"That are more than {MOST_PAIRS:,} questions. Narrow it down.", field="topic_ids")
    pairs, left_out = _pairs(connection, candidates, version, draft.model_id)
    if not pairs:
        raise Invalid(_all_left_out(left_out, len(candidates)), field="persona_version_id")
    new = NewExperiment(
        owner_id=owner_id,
        name=draft.name.strip() or f"{version_words} on {model_words}"[:NAME_MAX_CHARS],
        source=source,
        persona_version_id=draft.persona_version_id,
        persona_words=version_words,
        model_id=draft.model_id,
        model_words=model_words,
        left_out={reason.value: number for reason, number in left_out.items()},
    )
    experiment = experiment_store.insert_experiment(connection, new, len(pairs), now)
    pair_store.insert_pairs(connection, experiment.id, pairs)
    log.event("experiment.created", experiment=experiment.id, pairs=len(pairs))
    return experiment


def start_experiment(connection: Connection, experiment_id: int, now: datetime, *, is_run_now: bool) -> Experiment:
    """Put its first questions into the queue; the others follow. Raises NotFound, Conflict (it was started)."""
    experiment = experiment_store.get_experiment_to_change(connection, experiment_id)
    if not experiment.is_draft:
        raise Conflict("This experiment was started already.")
    values = {"state": State.OPEN.value, "is_run_now": is_run_now, "started_at": now}
    experiment_store.update_experiment(connection, experiment.id, **values)
    stage(connection, experiment.id, now)
    log.event("experiment.started", experiment=experiment.id, pairs=experiment.pair_count)
    return experiment_store.get_experiment(connection, experiment.id)


def pause_experiment(connection: Connection, experiment_id: int, now: datetime) -> Experiment:
    """Put nothing more of it into the queue, and hold what waits there. Raises NotFound, Conflict (not running)."""
    experiment = _get_to_act(connection, experiment_id)
    if experiment.finished_at is not None:
        raise Conflict("This experiment is finished: there is nothing to pause.")
    experiment_store.update_experiment(connection, experiment.id, state=State.PAUSED.value)
    _change(connection, experiment, Action.HOLD, (Status.QUEUED, Status.WAITING), now)
    return experiment_store.get_experiment(connection, experiment.id)


def resume_experiment(connection: Connection, experiment_id: int, now: datetime) -> Experiment:
    """Go on with a paused one; what was held of it is released. Raises NotFound, Conflict (cancelled, not started)."""
    experiment = _get_to_act(connection, experiment_id)
    experiment_store.update_experiment(connection, experiment.id, state=State.OPEN.value)
    _change(connection, experiment, Action.RELEASE, (Status.HELD,), now)
    stage(connection, experiment.id, now)
    return experiment_store.get_experiment(connection, experiment.id)


def cancel_experiment(connection: Connection, experiment_id: int, now: datetime) -> Experiment:
    """Ask nothing more of it and call off what waits or runs; the answers stay. Raises NotFound, Conflict."""
    experiment = experiment_store.get_experiment_to_change(connection, experiment_id)
    if experiment.is_draft:
        raise Conflict("This experiment was not started. Delete it instead.")
    values = {"state": State.CANCELLED.value, "finished_at": experiment.finished_at or now}
    experiment_store.update_experiment(connection, experiment.id, **values)
    _cancel_live(connection, experiment, now)
    return experiment_store.get_experiment(connection, experiment.id)


def retry_failed(connection: Connection, experiment_id: int, now: datetime) -> int:
    """Have failed pairs, and those called off by themselves, tried again, 1,000 at most; how many.

    Raises NotFound, Conflict (cancelled or not started).
    """
    experiment = _get_to_act(connection, experiment_id)
    if experiment.state is State.PAUSED:
        raise Conflict("This experiment is paused. Let it go on, then try its failed pairs again.")
    ended = (Status.FAILED.value, Status.CANCELLED.value)
    ids = pair_store.list_llm_request_ids(connection, experiment, ended, limit=RETRIED_AT_ONCE)
    number = len(change_many(connection, Action.RETRY, ids, now).changed)
    rest = pair_store.list_numbers(connection, experiment, [Stage.FAILED])[:RETRIED_AT_ONCE]
    if rest:
        pairs = asking_store.list_pairs_to_ask_of(connection, experiment.id, rest)
        number += ask_pairs(connection, experiment, pairs, now)
    if number:
        experiment_store.update_experiment(connection, experiment.id, finished_at=None)
    return number


def delete_experiment(connection: Connection, experiment_id: int, now: datetime) -> None:
    """Forget an experiment with its answers and votes, and call off what waits of it. Raises NotFound.

    What was put into threads stays.
    """
    experiment = experiment_store.get_experiment_to_change(connection, experiment_id)
    _cancel_live(connection, experiment, now)
    experiment_store.delete_experiment(connection, experiment_id)


def estimate(connection: Connection, experiment: Experiment, now: datetime, *, is_run_now: bool) -> Addition:
    """What starting it would add to the queue. Of a very long one only the work is told, as far as it is known."""
    settings = read_settings(connection)
    asked = pair_store.list_new_models(connection, experiment)
    backends = {each.model.id: each.model.backend_id for each in model_store.list_models(connection)}
    share = min(1.0, FORETOLD / max(experiment.pair_count, 1))
    asks: list[NewAsk] = []
    for model_id, persona_id, version_id, number, characters in asked:
        if model_id in backends:
            ask = NewAsk(
                backends[model_id],
                model_id,
                persona_id,
                version_id,
                prompt_tokens=characters // number // 4 + 1,
                max_tokens=settings.reply_max_tokens,
                is_run_now=is_run_now,
                owner_id=experiment.owner_id,
            )
            asks += [ask] * max(1, round(number * share))
    addition = forecast_for_new(connection, asks, now)
    if share == 1.0:
        return replace(addition, number=experiment.pair_count)
    seconds = addition.machine_seconds
    work = None if seconds is None else seconds * experiment.pair_count / len(asks)
    return replace(addition, number=experiment.pair_count, machine_seconds=work, done_by=None)


def _get_to_act(connection: Connection, experiment_id: int) -> Experiment:
    experiment = experiment_store.get_experiment_to_change(connection, experiment_id)
    if experiment.is_draft:
        raise Conflict("This experiment was not started.")
    if experiment.state is State.CANCELLED:
        raise Conflict("This experiment was cancelled. Make a new one to ask the rest.")
    return experiment


def _cancel_live(connection: Connection, experiment: Experiment, now: datetime) -> None:
    _change(connection, experiment, Action.CANCEL, LIVE, now)


def _change(
    connection: Connection, experiment: Experiment, action: Action, statuses: Collection[Status], now: datetime
) -> None:
    ids = pair_store.list_llm_request_ids(connection, experiment, [status.value for status in statuses])
    change_many(connection, action, ids, now)


def _challenging_version(connection: Connection, version_id: int | None) -> tuple[PersonaVersion | None, str]:
    if version_id is None:
        return None, SAME_PERSONA
    version = _version(connection, version_id, "persona_version_id")
    persona = persona_store.find_persona(connection, version.persona_id)
    if persona is None or persona.is_deleted:
        raise Invalid(f"{version.name} was deleted. Choose another persona.", field="persona_version_id")
    return version, _words(version)


def _version(connection: Connection, version_id: int, field: str) -> PersonaVersion:
    found = version_store.list_versions_by_ids(connection, [version_id])
    if not found:
        raise Invalid("There is no such version of a persona. Choose another one.", field=field)
    return found[0]


def _challenging_model(connection: Connection, model_id: int | None) -> str:
    if model_id is None:
        return SAME_MODEL
    chosen = choose_model(connection, asked_model_id=model_id, persona_model_id=None, default_model_id=None)
    return chosen.model.label if chosen else ""


def _narrowing(connection: Connection, draft: ExperimentDraft, owner_id: int, now: datetime) -> tuple[Narrowing, str]:
    """Which answers are meant, and the same in words. Raises Invalid for what is not there, and for no choice."""
    topic_ids = None if draft.topic_ids is None else tuple(dict.fromkeys(draft.topic_ids))
    post_ids = None if draft.post_ids is None else tuple(dict.fromkeys(draft.post_ids))
    if topic_ids == () or post_ids == ():
        raise Invalid("No topic is chosen. Choose at least one.", field="topic_ids")
    words = [f"in {_counted(topic_ids, 'chosen topic')}"] if topic_ids else []
    if post_ids:
        words.append(f"at {_counted(post_ids, 'chosen post')}")
    if draft.subforum_id is not None:
        words.append(f"in {_subforum_name(connection, draft.subforum_id)}")
    tag_id = _tag_id(connection, draft.tag) if draft.tag.strip() else None
    if tag_id is not None:
        words.append(f"tagged {draft.tag.strip()}")
    if draft.query.strip():
        found = _found_post_ids(connection, draft.query, owner_id, now)
        post_ids = tuple(each for each in post_ids if each in found) if post_ids else tuple(sorted(found))
        words.append(f"found by “{draft.query.strip()}”")
        if not post_ids:
            raise Invalid("This search finds no post.", field="query")
    by = _old_words(connection, draft)
    if not words and not by and not draft.is_everything:
        raise Invalid(
            "No topics are chosen. Tick some, name a subforum, a tag, a search or a persona, or choose all of the "
            "forum.",
            field="topic_ids",
        )
    source = " ".join(["Answers", *([f"by {by}"] if by else []), *([", ".join(words)] if words else [])])
    narrowing = Narrowing(
        topic_ids=topic_ids,
        post_ids=post_ids,
        subforum_id=draft.subforum_id,
        tag_id=tag_id,
        persona_id=draft.old_persona_id,
        persona_version_id=draft.old_persona_version_id,
    )
    return narrowing, source if words or by else "All answers of the forum"


def _counted(ids: Sequence[int], one: str) -> str:
    return f"{len(ids):,} {one}{'' if len(ids) == 1 else 's'}"


def _old_words(connection: Connection, draft: ExperimentDraft) -> str:
    if draft.old_persona_version_id is not None:
        version = _version(connection, draft.old_persona_version_id, "old_persona_version_id")
        if draft.old_persona_id not in (None, version.persona_id):
            raise Invalid("This persona has no such version.", field="old_persona_version_id")
        return _words(version)
    if draft.old_persona_id is None:
        return ""
    persona = persona_store.find_persona(connection, draft.old_persona_id)
    if persona is None:
        raise Invalid("There is no such persona. Choose another one.", field="old_persona_id")
    return persona.name


def _subforum_name(connection: Connection, subforum_id: int) -> str:
    try:
        return get_subforum(connection, subforum_id).name
    except NotFound as error:
        raise Invalid("There is no such subforum. Choose another one.", field="subforum_id") from error


def _tag_id(connection: Connection, tag: str) -> int:
    try:
        return get_tag_by_key(connection, name_key(tag.strip())).id
    except NotFound as error:
        raise Invalid("No topic has this tag.", field="tag") from error


def _found_post_ids(connection: Connection, query: str, reader_id: int, now: datetime) -> set[int]:
    """All posts that a search finds. Raises Invalid when they are too many, or the text cannot be searched for."""
    zone = read_settings(connection).zone
    found: set[int] = set()
    place: Place | None = None
    while True:
        results = find(connection, query, reader_id=reader_id, zone=zone, now=now, limit=_FOUND_AT_ONCE, after=place)
        if results.is_empty_query:
            raise Invalid("This search asks for nothing.", field="query")
        found.update(item.post_id for item in results.items)
        place = results.next
        if place is None:
            return found
        if len(found) > 2 * MOST_PAIRS:
            raise Invalid("This search finds too many posts. Narrow it down.", field="query")


def _pairs(
    connection: Connection, candidates: Sequence[Candidate], version: PersonaVersion | None, model_id: int | None
) -> tuple[list[NewPair], Counter[LeftOut]]:
    """Whom each answer is asked of again, and why how many are not."""
    available = model_store.list_models(connection, is_available=True)
    pairs: list[NewPair] = []
    left_out: Counter[LeftOut] = Counter()
    for candidate in candidates:
        persona_id = version.persona_id if version else candidate.persona_id
        version_id = version.id if version else candidate.version_id
        model = _model(available, candidate, model_id)
        if version is None and candidate.is_persona_deleted:
            left_out[LeftOut.PERSONA_DELETED] += 1
        elif model is None:
            left_out[LeftOut.MODEL_GONE] += 1
        elif (version_id, model.model.name) == (candidate.version_id, candidate.model_name):
            left_out[LeftOut.SAME] += 1
        else:
            pairs.append(NewPair(candidate, persona_id, version_id, model.model.id, model.model.name))
    return pairs, left_out


def _model(available: Sequence[ListedModel], candidate: Candidate, model_id: int | None) -> ListedModel | None:
    """The model asked for; else the one that gave the answer, else another of its name."""
    wanted = candidate.model_id if model_id is None else model_id
    by_id = (each for each in available if each.model.id == wanted)
    by_name = (each for each in available if model_id is None and each.model.name == candidate.model_name)
    return next(by_id, None) or next(by_name, None)


def _all_left_out(left_out: Counter[LeftOut], number: int) -> str:
    if left_out[LeftOut.SAME] == number:
        return (
            "All of these answers were given by this very version on this very model: there is nothing to compare. "
            "Choose another version or another model."
        )
    reasons = ", ".join(f"{left_out_words(reason)}: {count:,}" for reason, count in left_out.items())
    return f"None of these answers can be asked for again ({reasons})."


def left_out_words(reason: LeftOut) -> str:
    """Why answers are left out, in words."""
    return {
        LeftOut.SAME: "given by this very version on this very model",
        LeftOut.MODEL_GONE: "their model is no longer there",
        LeftOut.PERSONA_DELETED: "their persona was deleted",
    }[reason]


def _words(version: PersonaVersion) -> str:
    return f"{version.name} v{version.number}"
