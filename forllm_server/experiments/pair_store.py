"""Rows of ``experiment_pairs``, with what became of their LLM requests, answers and votes (joined, never copied)."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, case, func, insert, literal, select, update
from sqlalchemy.sql import ColumnElement

from forllm_server.db.types import metadata
from forllm_server.errors import NotFound
from forllm_server.experiments.model import Choice, Experiment, NewAnswer, NewPair, Pair, Progress, Stage, Sums
from forllm_server.experiments.tables import experiment_pairs
from forllm_server.queue.model import LIVE

_c = experiment_pairs.c
#: of the question, for its beginning
_QUESTION_CHARACTERS = 400

#: What a list can be narrowed to.
FILTERS = ("all", "undecided", "new", "old", "tie", "bad", "waiting", "failed", "cancelled")


def insert_pairs(connection: Connection, experiment_id: int, pairs: Sequence[NewPair]) -> None:
    """Keep which answers are asked for again, numbered from 1."""
    rows = [
        {
            "experiment_id": experiment_id,
            "number": number,
            "old_post_id": pair.candidate.post_id,
            "question_id": pair.candidate.question_id,
            "topic_id": pair.candidate.topic_id,
            "old_version_id": pair.candidate.version_id,
            "old_model_name": pair.candidate.model_name,
            "old_tokens": pair.candidate.tokens,
            "old_seconds": pair.candidate.seconds,
            "old_characters": pair.candidate.characters,
            "question_characters": pair.candidate.question_characters,
            "persona_id": pair.persona_id,
            "new_version_id": pair.version_id,
            "new_model_id": pair.model_id,
            "new_model_name": pair.model_name,
        }
        for number, pair in enumerate(pairs, 1)
    ]
    connection.execute(insert(experiment_pairs), rows)


def get_pair(connection: Connection, experiment: Experiment, number: int) -> Pair:
    """One pair with its whole texts; raises NotFound."""
    query = _shown(experiment, None).where(_c.number == number)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("This experiment has no such pair.")
    return _pair(row)


def list_pairs(
    connection: Connection,
    experiment: Experiment,
    *,
    shown: str = "all",
    after: int = 0,
    limit: int,
    text_characters: int | None = None,
) -> list[Pair]:
    """The pairs after the number ``after`` that the filter ``shown`` lets through, with so much of their texts."""
    query = _shown(experiment, text_characters).where(_c.number > after).order_by(_c.number).limit(limit)
    return [_pair(row) for row in connection.execute(_filtered(query, shown))]


def find_next_undecided(connection: Connection, experiment: Experiment, after: int) -> int | None:
    """The first pair after ``after`` that waits for a vote, else the first of all; None when there is none."""
    query = _filtered(_joined(experiment, _c.number), "undecided")
    later = query.where(_c.number > after).order_by(_c.number).limit(1)
    found: int | None = connection.execute(later).scalar_one_or_none()
    if found is None and after:
        found = connection.execute(query.order_by(_c.number).limit(1)).scalar_one_or_none()
    return found


def read_progress(connection: Connection, experiment: Experiment) -> Progress:
    """How many pairs are how far, and what was found; one statement."""
    measures = [_c[f"{side}_{what}"] for side in ("old", "new") for what in ("tokens", "seconds", "characters")]
    has_both = case((_both_are_there(), 1), else_=0).label("has_both")
    # What is grouped by has values bound to it, which PostgreSQL takes for the same only in a query of its own.
    each = _joined(experiment, _stage().label("stage"), _choice().label("found"), has_both, *measures).subquery()
    sums = [made for column in measures for made in (func.sum(each.c[column.name]), func.count(each.c[column.name]))]
    query = select(each.c.stage, each.c.found, func.count(), func.sum(each.c.has_both), *sums)
    by_stage: Counter[Stage] = Counter()
    by_choice: Counter[Choice] = Counter()
    undecided = 0
    totals = [[0.0, 0] for _ in measures]
    for stage, found, number, with_both, *known in connection.execute(query.group_by(each.c.stage, each.c.found)):
        by_stage[Stage(stage)] += int(number)
        if stage != Stage.ANSWERED.value:
            continue
        if found is not None:
            by_choice[Choice(found)] += int(number)
        else:
            undecided += int(with_both)
        for place, total in enumerate(totals):
            total[0] += float(known[2 * place] or 0)
            total[1] += int(known[2 * place + 1])
    means = [total / number if number else None for total, number in totals]
    return Progress(experiment.pair_count, by_stage, by_choice, Sums(*means[:3]), Sums(*means[3:]), undecided)


def list_failures(connection: Connection, experiment: Experiment, *, limit: int) -> list[tuple[str, int]]:
    """Why how many pairs failed, the most frequent first."""
    failed = _joined(experiment, _problem().label("problem")).where(_stage() == Stage.FAILED.value).subquery()
    query = select(failed.c.problem, func.count()).group_by(failed.c.problem)
    ordered = query.order_by(func.count().desc(), failed.c.problem).limit(limit)
    return [(row[0] or "", int(row[1])) for row in connection.execute(ordered)]


def list_new_models(connection: Connection, experiment: Experiment) -> list[tuple[int, int, int, int, int]]:
    """(model, persona, version, pairs, characters of their questions in all) that the new answers are asked of."""
    asked = (_c.new_model_id, _c.persona_id, _c.new_version_id)
    query = select(*asked, func.count(), func.sum(_c.question_characters)).where(_c.experiment_id == experiment.id)
    rows = connection.execute(query.group_by(*asked).order_by(*asked))
    return [(row[0], row[1], row[2], int(row[3]), int(row[4])) for row in rows]


def count_waiting(connection: Connection, experiment: Experiment) -> int:
    """How many of its LLM requests have no end yet."""
    requests = metadata.tables["llm_requests"].c
    is_live = requests.status.in_([status.value for status in LIVE])
    query = select(func.count()).join(metadata.tables["llm_requests"], requests.id == _c.llm_request_id)
    own = query.where(_c.experiment_id == experiment.id, _c.answered_at.is_(None), _c.problem.is_(None), is_live)
    return int(connection.execute(own).scalar_one())


def list_numbers(connection: Connection, experiment: Experiment, stages: Collection[Stage]) -> list[int]:
    """The pairs that are so far, in their order."""
    query = _joined(experiment, _c.number).where(_stage().in_([stage.value for stage in stages]))
    return list(connection.execute(query.order_by(_c.number)).scalars())


def list_llm_request_ids(
    connection: Connection, experiment: Experiment, statuses: Collection[str], *, limit: int | None = None
) -> list[int]:
    """The LLM requests of an experiment that are in one of ``statuses``, in the order of ids."""
    status = metadata.tables["llm_requests"].c.status
    query = _joined(experiment, _c.llm_request_id).where(status.in_(list(statuses)))
    return list(connection.execute(query.order_by(_c.llm_request_id).limit(limit)).scalars())


def find_place(connection: Connection, llm_request_id: int) -> tuple[int, int] | None:
    """(experiment, number) of the pair that an LLM request belongs to."""
    query = select(_c.experiment_id, _c.number).where(_c.llm_request_id == llm_request_id)
    row = connection.execute(query).first()
    return (row[0], row[1]) if row else None


def update_asked(connection: Connection, experiment_id: int, llm_request_ids: Mapping[int, int]) -> None:
    """Note which LLM requests pairs became, by their numbers."""
    own = update(experiment_pairs).where(_c.experiment_id == experiment_id, _c.number == bindparam("number_"))
    rows = [{"number_": number, "id_": llm_request_id} for number, llm_request_id in llm_request_ids.items()]
    if rows:
        connection.execute(own.values(llm_request_id=bindparam("id_"), problem=None), rows)


def update_problems(connection: Connection, experiment_id: int, problems: Mapping[int, str]) -> None:
    """Note why pairs could not be asked, by their numbers."""
    for number, problem in problems.items():
        _update(connection, experiment_id, number, llm_request_id=None, problem=problem)


def update_answered(connection: Connection, llm_request_id: int, answer: NewAnswer, now: datetime) -> bool:
    """Keep a new answer; False when its experiment was deleted meanwhile."""
    values = {
        "new_text": answer.text,
        "new_thinking": answer.thinking or None,
        "new_finish_reason": answer.finish_reason,
        "new_model_name": answer.model_name,
        "new_tokens": answer.tokens,
        "new_seconds": answer.seconds,
        "new_characters": len(answer.text),
        "answered_at": now,
    }
    own = update(experiment_pairs).where(_c.llm_request_id == llm_request_id)
    return connection.execute(own.values(values)).rowcount > 0


def update_erased(connection: Connection) -> list[int]:
    """Erase the new answers to questions that were erased; the LLM requests that gave them."""
    posts = metadata.tables["posts"]
    query = (
        select(_c.experiment_id, _c.number, _c.llm_request_id)
        .join(posts, posts.c.id == _c.question_id)
        .where(_c.new_text.is_not(None), posts.c.deleted_at.is_not(None), posts.c.content == "")
    )
    gone = connection.execute(query).all()
    for experiment_id, number, _ in gone:
        _update(connection, experiment_id, number, new_text=None, new_thinking=None)
    return [row[2] for row in gone if row[2] is not None]


def update_choice(
    connection: Connection, experiment_id: int, number: int, choice: Choice | None, now: datetime
) -> None:
    """Keep what a person found; None takes it back."""
    _update(
        connection,
        experiment_id,
        number,
        choice=choice.value if choice else None,
        voted_at=now if choice else None,
    )


def update_posted(connection: Connection, experiment_id: int, number: int, post_id: int) -> None:
    """Note where the new answer stands in the forum; the vote is kept beside the posts from then on."""
    _update(connection, experiment_id, number, post_id=post_id, choice=None, voted_at=None)


def _update(connection: Connection, experiment_id: int, number: int, **values: Any) -> None:
    own = update(experiment_pairs).where(_c.experiment_id == experiment_id, _c.number == number)
    connection.execute(own.values(values))


def _stage() -> ColumnElement[str]:
    status = metadata.tables["llm_requests"].c.status
    return case(
        (_c.answered_at.is_not(None), literal(Stage.ANSWERED.value)),
        (_c.problem.is_not(None), literal(Stage.FAILED.value)),
        (_c.llm_request_id.is_(None), literal(Stage.UNASKED.value)),
        (status.in_([live.value for live in LIVE]), literal(Stage.WAITING.value)),
        (status == "cancelled", literal(Stage.CANCELLED.value)),
        else_=literal(Stage.FAILED.value),
    )


def _problem() -> ColumnElement[str]:
    requests = metadata.tables["llm_requests"].c
    erased = case((requests.id.is_(None), "Its LLM request was erased."), else_="")
    return func.coalesce(_c.problem, requests.cause_detail, erased)


def _choice() -> ColumnElement[str | None]:
    """The vote: the pair's own, or that between the two posts once the new answer is one of them."""
    voted = metadata.tables["comparisons"].c.choice
    between_posts = case((voted == "low", "old"), (voted == "high", "new"), else_=voted)
    return func.coalesce(_c.choice, between_posts)


def _both_are_there() -> ColumnElement[bool]:
    """The old answer lies in no trash, and the new one was not erased with its question."""
    posts = metadata.tables["posts"]
    return and_(posts.c.id.is_not(None), posts.c.deleted_at.is_(None), _c.new_text.is_not(None))


def _joined(experiment: Experiment, *columns: Any) -> Select[Any]:
    """Pairs with their LLM requests, old answers, and the votes on those whose new answer was put into its thread."""
    requests, posts = metadata.tables["llm_requests"], metadata.tables["posts"]
    comparisons = metadata.tables["comparisons"].c
    is_their_vote = and_(
        comparisons.user_id == experiment.owner_id,
        comparisons.low_post_id == _c.old_post_id,
        comparisons.high_post_id == _c.post_id,
    )
    return (
        select(*columns)
        .select_from(experiment_pairs)
        .outerjoin(requests, requests.c.id == _c.llm_request_id)
        .outerjoin(posts, posts.c.id == _c.old_post_id)
        .outerjoin(metadata.tables["comparisons"], is_their_vote)
        .where(_c.experiment_id == experiment.id)
    )


def _shown(experiment: Experiment, characters: int | None) -> Select[Any]:
    posts, topics = metadata.tables["posts"], metadata.tables["topics"]
    question = posts.alias("question")

    def cut(column: Any) -> Any:
        return column if characters is None else func.substr(column, 1, characters)

    asked = func.substr(question.c.content, 1, _QUESTION_CHARACTERS)
    return (
        _joined(
            experiment,
            *(column for column in _c if column.name not in ("topic_id", "new_text", "new_thinking", "choice")),
            func.coalesce(question.c.topic_id, _c.topic_id).label("topic_id"),
            cut(_c.new_text).label("new_text"),
            (_c.new_thinking if characters is None else literal(None)).label("new_thinking"),
            case((posts.c.deleted_at.is_(None), cut(posts.c.content))).label("old_text"),
            case((question.c.deleted_at.is_(None), asked), else_="").label("question"),
            (question.c.version > posts.c.question_version).label("is_question_edited"),
            topics.c.title.label("topic_title"),
            _stage().label("stage"),
            _problem().label("problem_words"),
            _choice().label("choice"),
        )
        .outerjoin(question, question.c.id == _c.question_id)
        .outerjoin(topics, topics.c.id == question.c.topic_id)
    )


def _filtered(query: Select[Any], shown: str) -> Select[Any]:
    if shown == "all":
        return query
    if shown == "undecided":
        return query.where(_stage() == Stage.ANSWERED.value, _choice().is_(None), _both_are_there())
    if shown in (Choice.NEW, Choice.OLD, Choice.TIE, Choice.BAD):
        return query.where(_choice() == shown)
    stages = [Stage.UNASKED.value, Stage.WAITING.value] if shown == "waiting" else [shown]
    return query.where(_stage().in_(stages))


def _pair(row: Row[Any]) -> Pair:
    stage = Stage(row.stage)
    return Pair(
        experiment_id=row.experiment_id,
        number=row.number,
        stage=stage,
        problem=row.problem_words or "" if stage is Stage.FAILED else "",
        llm_request_id=row.llm_request_id,
        topic_id=row.topic_id,
        topic_title=row.topic_title or "",
        question_id=row.question_id,
        question=row.question or "",
        is_question_edited=bool(row.is_question_edited),
        old_post_id=row.old_post_id,
        old_version_id=row.old_version_id,
        old_model_name=row.old_model_name,
        old_text=row.old_text,
        old_tokens=row.old_tokens,
        old_seconds=row.old_seconds,
        new_version_id=row.new_version_id,
        new_model_name=row.new_model_name,
        new_text=row.new_text,
        new_thinking=row.new_thinking,
        new_finish_reason=row.new_finish_reason,
        new_tokens=row.new_tokens,
        new_seconds=row.new_seconds,
        post_id=row.post_id,
        choice=Choice(row.choice) if row.choice else None,
    )
