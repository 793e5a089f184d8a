"""The votes with a winner as pairs of texts, for training and tests (reads ``comparisons`` and what was compared)."""

from typing import Any

from sqlalchemy import Connection, Row, select

from forllm_server.db.types import metadata
from forllm_server.votes.model import Choice, Entrant, Preference
from forllm_server.votes.tables import comparisons

_c = comparisons.c


def list_preferences(connection: Connection, user_id: int, *, after_id: int, limit: int) -> list[Preference]:
    """A person's votes with a winner in the order of their ids, beginning after ``after_id``. Left out is what was
    deleted since."""
    posts, topics = metadata.tables["posts"], metadata.tables["topics"]
    low, high, question = posts.alias("low"), posts.alias("high"), posts.alias("question")
    subforums = metadata.tables["subforums"]
    query = (
        select(
            comparisons,
            question.c.content.label("prompt"),
            low.c.content.label("low_content"),
            low.c.persona_name.label("low_name"),
            high.c.content.label("high_content"),
            high.c.persona_name.label("high_name"),
            topics.c.id.label("topic_id"),
            topics.c.title,
            subforums.c.name.label("subforum_name"),
        )
        .join(low, low.c.id == _c.low_post_id)
        .join(high, high.c.id == _c.high_post_id)
        .join(question, question.c.id == low.c.parent_id)
        .join(topics, topics.c.id == low.c.topic_id)
        .join(subforums, subforums.c.id == topics.c.subforum_id)
        .where(_c.user_id == user_id, _c.id > after_id, _c.choice.in_([Choice.LOW.value, Choice.HIGH.value]))
        .where(low.c.deleted_at.is_(None), high.c.deleted_at.is_(None), question.c.deleted_at.is_(None))
        .where(topics.c.deleted_at.is_(None), subforums.c.deleted_at.is_(None))
        .order_by(_c.id)
        .limit(limit)
    )
    return [_preference(row) for row in connection.execute(query)]


def _preference(row: Row[Any]) -> Preference:
    low = (row.low_content, Entrant(row.low_version_id, row.low_model_name), row.low_name or "", row.low_post_id)
    high = (row.high_content, Entrant(row.high_version_id, row.high_model_name), row.high_name or "", row.high_post_id)
    chosen, rejected = (low, high) if row.choice == Choice.LOW.value else (high, low)
    return Preference(
        comparison_id=row.id,
        prompt=row.prompt,
        chosen=chosen[0],
        rejected=rejected[0],
        chosen_entrant=chosen[1],
        rejected_entrant=rejected[1],
        chosen_persona=chosen[2],
        rejected_persona=rejected[2],
        topic_id=row.topic_id,
        topic_title=row.title,
        subforum=row.subforum_name,
        chosen_post_id=chosen[3],
        rejected_post_id=rejected[3],
        voted_at=row.voted_at,
    )
