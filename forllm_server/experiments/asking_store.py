"""Pairs as they are put into the queue: with all that decides whether, and how, they can be asked."""

from typing import Any

from sqlalchemy import Connection, Row, Select, select

from forllm_server.db.types import metadata
from forllm_server.experiments.model import PairToAsk
from forllm_server.experiments.tables import experiment_pairs

_c = experiment_pairs.c


def list_pairs_to_ask(connection: Connection, experiment_id: int, *, after: int, limit: int) -> list[PairToAsk]:
    """The pairs after the number ``after``, in their order."""
    query = _select(experiment_id).where(_c.number > after).order_by(_c.number).limit(limit)
    return [_pair(row) for row in connection.execute(query)]


def list_pairs_to_ask_of(connection: Connection, experiment_id: int, numbers: list[int]) -> list[PairToAsk]:
    """The pairs of these numbers, in their order."""
    query = _select(experiment_id).where(_c.number.in_(numbers)).order_by(_c.number)
    return [_pair(row) for row in connection.execute(query)]


def _select(experiment_id: int) -> Select[Any]:
    posts, topics, subforums = (metadata.tables[name] for name in ("posts", "topics", "subforums"))
    requests, personas = metadata.tables["llm_requests"], metadata.tables["personas"]
    models, backends = metadata.tables["models"], metadata.tables["backends"]
    old, question = posts.alias("old"), posts.alias("question")
    return (
        select(
            experiment_pairs,
            old.c.deleted_at.label("old_deleted_at"),
            old.c.id.label("old_id"),
            old.c.llm_request_id.label("old_llm_request_id"),
            question.c.deleted_at.label("question_deleted_at"),
            # Where the question stands now: its topic may have been merged or split since.
            question.c.topic_id.label("present_topic_id"),
            topics.c.deleted_at.label("topic_deleted_at"),
            subforums.c.deleted_at.label("subforum_deleted_at"),
            requests.c.input.label("old_input"),
            personas.c.deleted_at.label("persona_deleted_at"),
            models.c.is_available,
            backends.c.is_enabled,
            backends.c.deleted_at.label("backend_deleted_at"),
        )
        .outerjoin(old, old.c.id == _c.old_post_id)
        .outerjoin(question, question.c.id == _c.question_id)
        .outerjoin(topics, topics.c.id == question.c.topic_id)
        .outerjoin(subforums, subforums.c.id == topics.c.subforum_id)
        .outerjoin(requests, requests.c.id == old.c.llm_request_id)
        .outerjoin(personas, personas.c.id == _c.persona_id)
        .outerjoin(models, models.c.id == _c.new_model_id)
        .outerjoin(backends, backends.c.id == models.c.backend_id)
        .where(_c.experiment_id == experiment_id)
    )


def _pair(row: Row[Any]) -> PairToAsk:
    return PairToAsk(
        number=row.number,
        old_post_id=row.old_post_id,
        old_llm_request_id=row.old_llm_request_id,
        question_id=row.question_id,
        topic_id=row.present_topic_id or row.topic_id,
        persona_id=row.persona_id,
        version_id=row.new_version_id,
        model_id=row.new_model_id,
        model_name=row.new_model_name,
        # As jobs/subject.py has it: a line of a batch was asked without the thread around it.
        is_alone=bool((row.old_input or {}).get("is_alone")),
        question_characters=row.question_characters,
        obstacle=_obstacle(row),
    )


def _obstacle(row: Row[Any]) -> str:
    if row.subforum_deleted_at is not None or row.topic_deleted_at is not None or row.present_topic_id is None:
        return "Its topic was put into the trash meanwhile."
    if row.question_deleted_at is not None:
        return "The question was put into the trash meanwhile."
    if row.old_id is None or row.old_deleted_at is not None:
        return "The old answer was put into the trash meanwhile."
    if row.persona_deleted_at is not None:
        return "The persona was deleted meanwhile."
    if not row.is_available or not row.is_enabled or row.backend_deleted_at is not None:
        return f"The model {row.new_model_name} is not available: its backend was disabled or deleted, or lost it."
    return ""
