"""Rows of ``tags`` and ``topic_tags``."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, ScalarSelect, Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from forllm_server.db.among import among
from forllm_server.errors import NotFound
from forllm_server.forum.model import Tag
from forllm_server.forum.tables import subforums, tags, topic_tags, topics

#: Tags of one topic.
MOST_TAGS = 20


def get_tag_by_key(connection: Connection, name_key: str) -> Tag:
    """The tag; raises NotFound."""
    row = connection.execute(select(tags.c.id, tags.c.name).where(tags.c.name_key == name_key)).one_or_none()
    if row is None:
        raise NotFound("No topic has this tag.")
    return Tag(row.id, row.name)


def list_tags(connection: Connection, *, limit: int) -> list[Tag]:
    """The tags that most topics have, with how many, by their names."""
    most = select(tags).where(tags.c.topic_count > 0).order_by(tags.c.topic_count.desc(), tags.c.id.desc())
    used = most.limit(limit).subquery()
    query = select(used.c.id, used.c.name, used.c.topic_count).order_by(used.c.name_key)
    return [Tag(row.id, row.name, row.topic_count) for row in connection.execute(query)]


def list_tag_names(connection: Connection, *, limit: int) -> list[str]:
    """Names to be suggested, in their order."""
    return list(connection.execute(select(tags.c.name).order_by(tags.c.name_key).limit(limit)).scalars())


def list_tags_of_topics(connection: Connection, topic_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
    """The names of the tags of each of these topics, in their order; topics without any are left out."""
    found: dict[int, tuple[str, ...]] = {}
    for row in connection.execute(_of_topics(), {"ids": [*topic_ids]}):
        found[row.topic_id] = (*found.get(row.topic_id, ()), row.name)
    return found


@cache
def _of_topics() -> Select[Any]:
    # Built once: it is asked with every page of every topic.
    return (
        select(topic_tags.c.topic_id, tags.c.name)
        .join(tags, tags.c.id == topic_tags.c.tag_id)
        .where(among(topic_tags.c.topic_id, "ids"))
        .order_by(topic_tags.c.topic_id, tags.c.name_key)
    )


def replace_tags(connection: Connection, topic_id: int, wanted: Sequence[tuple[str, str]], *, now: datetime) -> None:
    """Let a topic have exactly these tags: (name, key) each. A tag that is left without a topic is gone."""
    known = {key: tag_id for tag_id, key in _of_topic(connection, topic_id)}
    keys = {key for _, key in wanted}
    dropped = [tag_id for key, tag_id in known.items() if key not in keys]
    if dropped:
        _delete(connection, topic_id, dropped)
    # By their keys: two transactions that add the same ones never wait for each other crosswise.
    missing = sorted((key, name) for name, key in wanted if key not in known)
    _insert(connection, topic_id, [_find_or_insert(connection, name, key, now) for key, name in missing])
    if dropped:
        is_used = select(topic_tags.c.tag_id).where(topic_tags.c.tag_id == tags.c.id).correlate(tags).exists()
        connection.execute(delete(tags).where(tags.c.id.in_(dropped), ~is_used))


def insert_tags_of(connection: Connection, topic_id: int, *, from_topic_id: int) -> list[int]:
    """Give a topic the tags of another one besides its own, as far as there is room; the ids of those it got."""
    own = {tag_id for tag_id, _ in _of_topic(connection, topic_id)}
    more = [tag_id for tag_id, _ in _of_topic(connection, from_topic_id) if tag_id not in own]
    added = more[: MOST_TAGS - len(own)]
    _insert(connection, topic_id, added)
    return added


def delete_tags_of(connection: Connection, topic_id: int, tag_ids: Collection[int]) -> None:
    """Take tags off a topic, as far as it has them. They stay, though no other topic may have them."""
    _delete(connection, topic_id, [tag_id for tag_id, _ in _of_topic(connection, topic_id) if tag_id in set(tag_ids)])


def update_counts_of_topic(connection: Connection, topic_id: int, change: int) -> None:
    """Count a topic to its tags (1), or no longer (-1): it went into the trash."""
    _count(connection, [tag_id for tag_id, _ in _of_topic(connection, topic_id)], change)


def update_counts_of_subforum(connection: Connection, subforum_id: int, change: int) -> None:
    """Count all topics of a subforum that are not in the trash to their tags (1), or no longer (-1)."""
    is_in = (topics.c.subforum_id == subforum_id, topics.c.deleted_at.is_(None))
    of_topics = topic_tags.join(topics, topics.c.id == topic_tags.c.topic_id)
    its_tags = select(topic_tags.c.tag_id).select_from(of_topics).where(*is_in)
    number = select(func.count()).select_from(of_topics).where(*is_in, topic_tags.c.tag_id == tags.c.id)
    connection.execute(select(tags.c.id).where(tags.c.id.in_(its_tags)).order_by(tags.c.id).with_for_update())
    counted = tags.c.topic_count + change * number.correlate(tags).scalar_subquery()
    connection.execute(update(tags).where(tags.c.id.in_(its_tags)).values(topic_count=counted))


def list_miscounted_tags(connection: Connection) -> list[str]:
    """The names of the tags whose stored number of topics is wrong; counts them all."""
    is_wrong = tags.c.topic_count != _counted()
    return list(connection.execute(select(tags.c.name).where(is_wrong).order_by(tags.c.name_key)).scalars())


def update_all_counts(connection: Connection) -> None:
    """Count the topics of all tags anew."""
    connection.execute(update(tags).values(topic_count=_counted()))


def _counted() -> ScalarSelect[int]:
    is_there = (topics.c.deleted_at.is_(None), subforums.c.deleted_at.is_(None))
    of_topics = topic_tags.join(topics, topics.c.id == topic_tags.c.topic_id).join(
        subforums, subforums.c.id == topics.c.subforum_id
    )
    number = select(func.count()).select_from(of_topics).where(topic_tags.c.tag_id == tags.c.id, *is_there)
    return number.correlate(tags).scalar_subquery()


def _insert(connection: Connection, topic_id: int, tag_ids: Sequence[int]) -> None:
    if tag_ids:
        connection.execute(insert(topic_tags), [{"topic_id": topic_id, "tag_id": tag_id} for tag_id in tag_ids])
        _count(connection, tag_ids, 1)


def _delete(connection: Connection, topic_id: int, tag_ids: Sequence[int]) -> None:
    if tag_ids:
        connection.execute(
            delete(topic_tags).where(topic_tags.c.topic_id == topic_id, topic_tags.c.tag_id.in_(tag_ids))
        )
        _count(connection, tag_ids, -1)


def _count(connection: Connection, tag_ids: Collection[int], change: int) -> None:
    if tag_ids:
        # In one order, so that two transactions never wait for each other crosswise.
        connection.execute(select(tags.c.id).where(tags.c.id.in_(tag_ids)).order_by(tags.c.id).with_for_update())
        statement = update(tags).where(tags.c.id.in_(tag_ids))
        connection.execute(statement.values(topic_count=tags.c.topic_count + change))


def _of_topic(connection: Connection, topic_id: int) -> list[tuple[int, str]]:
    query = select(tags.c.id, tags.c.name_key).join(topic_tags, topic_tags.c.tag_id == tags.c.id)
    rows = connection.execute(query.where(topic_tags.c.topic_id == topic_id).order_by(tags.c.name_key))
    return [(row.id, row.name_key) for row in rows]


def _find_or_insert(connection: Connection, name: str, key: str, now: datetime) -> int:
    find = select(tags.c.id).where(tags.c.name_key == key)
    # A tag that another topic is just losing is not deleted before this one is committed.
    found: int | None = connection.execute(find.with_for_update(read=True)).scalar_one_or_none()
    if found is not None:
        return found
    try:
        with connection.begin_nested():
            statement = insert(tags).values(name=name, name_key=key, created_at=now)
            added: int = connection.execute(statement.returning(tags.c.id)).scalar_one()
    except IntegrityError:
        added = connection.execute(find).scalar_one()
    return added
