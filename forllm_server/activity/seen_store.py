"""Rows of ``subforum_readings``, ``topic_readings`` and ``seen_posts``: what was seen, and what is unread.

A topic holds something unread when its newest activity is later than what its subforum and its own row know to be
seen. Both are single comparisons, so that a dot costs one look into an index, however large the forum is.
"""

from collections.abc import Collection
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
    update,
)

from forllm_server.activity.model import Attention, TopicMark, TopicReading, TopicState, UnreadPost, UnreadTopic, View
from forllm_server.activity.tables import seen_posts, subforum_readings, topic_readings
from forllm_server.db.among import among
from forllm_server.db.types import Id, UtcDateTime, metadata
from forllm_server.db.upsert import insert_missing, insert_or_update
from forllm_server.errors import NotFound

_whole = subforum_readings.c
_own = topic_readings.c
_BEGINNING = literal(datetime.fromisoformat("1970-01-01T00:00+00:00"), UtcDateTime)


def get_topic_reading(connection: Connection, user_id: int, topic_id: int) -> TopicReading:
    """What the reader has with a topic: the beginnings of it where there is nothing yet."""
    row = connection.execute(_reading(), {"reader": user_id, "topic": topic_id}).one_or_none()
    if row is None:
        return TopicReading()
    view = View(row.view) if row.view else None
    return TopicReading(row.until, _attention(row.attention), view, bool(row.has_unread))


@cache
def _reading() -> Select[Any]:
    # Built once: it is asked for every page of every topic.
    topics = metadata.tables["topics"]
    reader: BindParameter[int] = bindparam("reader")
    return (
        select(
            _larger(func.coalesce(_own.until_post_id, 0), func.coalesce(_whole.until_post_id, 0)).label("until"),
            _own.attention,
            _own.view,
            _is_unread(topics).label("has_unread"),
        )
        .select_from(topics)
        .outerjoin(topic_readings, _is_own(topics, reader))
        .outerjoin(subforum_readings, _is_whole(topics, reader))
        .where(topics.c.id == bindparam("topic"))
    )


def get_topic_state(connection: Connection, topic_id: int) -> TopicState:
    """What marking needs to know of a topic; raises NotFound when there is none or it lies in the trash."""
    topics, subforums = metadata.tables["topics"], metadata.tables["subforums"]
    query = (
        select(topics.c.subforum_id, topics.c.last_post_at, topics.c.post_count)
        .join(subforums, subforums.c.id == topics.c.subforum_id)
        .where(topics.c.id == topic_id, topics.c.deleted_at.is_(None), subforums.c.deleted_at.is_(None))
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("There is no such topic. It may have been deleted.")
    return TopicState(row.subforum_id, row.last_post_at, row.post_count)


def list_subforum_ids(connection: Connection, subforum_id: int | None = None) -> list[int]:
    """The ids of all subforums that are there, or the one if it is; raises NotFound when it is not."""
    subforums = metadata.tables["subforums"]
    query = select(subforums.c.id).where(subforums.c.deleted_at.is_(None))
    if subforum_id is not None:
        query = query.where(subforums.c.id == subforum_id)
    found = list(connection.execute(query).scalars())
    if subforum_id is not None and not found:
        raise NotFound("There is no such subforum. It may have been deleted.")
    return found


def list_seen_ids(connection: Connection, user_id: int, topic_id: int, post_ids: Collection[int]) -> frozenset[int]:
    """Those of the posts that were seen one by one."""
    values = {"reader": user_id, "topic": topic_id, "ids": [*post_ids]}
    return frozenset(connection.execute(_seen(), values).scalars())


@cache
def _seen() -> Select[Any]:
    own = (seen_posts.c.user_id == bindparam("reader"), seen_posts.c.topic_id == bindparam("topic"))
    return select(seen_posts.c.post_id).where(*own, among(seen_posts.c.post_id, "ids"))


def find_first_unread(
    connection: Connection, user_id: int, topic_id: int, until_post_id: int, *, is_flat: bool = False
) -> UnreadPost | None:
    """The first post that was not seen, in the order in which the topic is read."""
    posts = metadata.tables["posts"]
    query = select(posts.c.id, posts.c.path).where(*_unseen(posts, user_id, topic_id, until_post_id))
    # The plus keeps SQLite from walking through the posts of all topics in the order of their ids.
    order = posts.c.id + 0 if is_flat else posts.c.path
    row = connection.execute(query.order_by(order).limit(1)).one_or_none()
    return UnreadPost(row.id, row.path) if row else None


def list_topic_marks(connection: Connection, user_id: int, topic_ids: Collection[int]) -> dict[int, TopicMark]:
    """What lists say of these topics, by id; one statement for all of them."""
    topics = metadata.tables["topics"]
    query = (
        select(topics.c.id, topics.c.post_count, _own.seen_count, _own.attention, _is_unread(topics).label("is_unread"))
        .select_from(topics)
        .outerjoin(topic_readings, _is_own(topics, user_id))
        .outerjoin(subforum_readings, _is_whole(topics, user_id))
        .where(topics.c.id.in_(topic_ids))
    )
    marks = {}
    for row in connection.execute(query):
        is_known = row.is_unread and row.seen_count
        new_count = max(1, row.post_count - row.seen_count) if is_known else None
        marks[row.id] = TopicMark(bool(row.is_unread), new_count, _attention(row.attention))
    return marks


def list_unread_subforum_ids(connection: Connection, user_id: int) -> frozenset[int]:
    """The subforums that have a topic with something unread: the dots."""
    return frozenset(connection.execute(_unread_subforums(), {"reader": user_id}).scalars())


@cache
def _unread_subforums() -> Select[Any]:
    """Built once: it is asked with every page."""
    subforums, topics = metadata.tables["subforums"], metadata.tables["topics"]
    reader = bindparam("reader", type_=Id)
    has_unread = _unread_topics(select(literal(1)), reader).where(topics.c.subforum_id == subforums.c.id)
    return (
        select(subforums.c.id)
        .select_from(subforums)
        .outerjoin(subforum_readings, and_(_whole.user_id == reader, _whole.subforum_id == subforums.c.id))
        .where(subforums.c.deleted_at.is_(None), has_unread.correlate(subforums, subforum_readings).exists())
    )


def count_unread_topics(connection: Connection, user_id: int) -> dict[int, int]:
    """How many topics with something unread each subforum has, by its id; those without any are left out."""
    subforums, topics = metadata.tables["subforums"], metadata.tables["topics"]
    query = (
        select(subforums.c.id, func.count())
        .select_from(subforums)
        .outerjoin(subforum_readings, and_(_whole.user_id == user_id, _whole.subforum_id == subforums.c.id))
        .join(topics, and_(topics.c.subforum_id == subforums.c.id, *_is_later(topics)))
        .outerjoin(topic_readings, _is_own(topics, user_id))
        .where(subforums.c.deleted_at.is_(None), _is_unseen_by_own())
        .group_by(subforums.c.id)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def list_unread_topics(
    connection: Connection, user_id: int, *, limit: int, after: tuple[datetime, int] | None = None
) -> list[UnreadTopic]:
    """The topics with something unread, newest activity first, beginning after the moment and id of ``after``."""
    subforums, topics = metadata.tables["subforums"], metadata.tables["topics"]
    query = (
        select(
            topics.c.id,
            topics.c.title,
            topics.c.subforum_id,
            subforums.c.name.label("subforum_name"),
            topics.c.post_count,
            topics.c.last_post_at,
        )
        .select_from(subforums)
        .outerjoin(subforum_readings, and_(_whole.user_id == user_id, _whole.subforum_id == subforums.c.id))
        .join(topics, and_(topics.c.subforum_id == subforums.c.id, *_is_later(topics)))
        .outerjoin(topic_readings, _is_own(topics, user_id))
        .where(subforums.c.deleted_at.is_(None), _is_unseen_by_own())
        .order_by(topics.c.last_post_at.desc(), topics.c.id.desc())
        .limit(limit)
    )
    if after is not None:
        query = query.where(
            tuple_(topics.c.last_post_at, topics.c.id) < tuple_(literal(after[0], UtcDateTime), literal(after[1]))
        )
    return [UnreadTopic(**row._mapping) for row in connection.execute(query)]


def insert_seen_posts(connection: Connection, user_id: int, topic_id: int, post_ids: Collection[int]) -> None:
    """Note these posts of a topic as seen; ids of other topics' posts are left out."""
    posts = metadata.tables["posts"]
    query = select(posts.c.id).where(posts.c.topic_id == topic_id, posts.c.id.in_(post_ids))
    rows = [
        {"user_id": user_id, "topic_id": topic_id, "post_id": post_id}
        for post_id in sorted(connection.execute(query).scalars())
    ]
    insert_missing(connection, seen_posts, rows)


def count_unseen(
    connection: Connection, user_id: int, topic_id: int, until_post_id: int
) -> tuple[int, int | None, int]:
    """How many posts of a topic were not seen, the oldest of them, and the newest post that is there at all.

    One statement, so that a post that arrives meanwhile is either counted or not there. Looks at the whole topic.
    """
    posts = metadata.tables["posts"]
    of_topic, *rest = _unseen(posts, user_id, topic_id, until_post_id)
    is_unseen = and_(*rest)
    query = select(
        func.count(case((is_unseen, posts.c.id))),
        func.min(case((is_unseen, posts.c.id))),
        func.coalesce(func.max(posts.c.id + 0), 0),
    ).where(of_topic)
    count, oldest, newest = connection.execute(query).one()
    return count, oldest, newest


def get_newest_post_id(connection: Connection, topic_id: int | None = None) -> int:
    """The id of the post that was written last, in a topic or anywhere; 0 without posts."""
    posts = metadata.tables["posts"]
    query = select(func.coalesce(func.max(posts.c.id), 0))
    if topic_id is not None:
        # Not the largest id of all that turns out to be of this topic: that search would begin at the wrong end.
        query = select(func.coalesce(func.max(posts.c.id + 0), 0)).where(posts.c.topic_id == topic_id)
    newest: int = connection.execute(query).scalar_one()
    return newest


def update_topic_reading(connection: Connection, user_id: int, topic_id: int, **values: Any) -> None:
    """Change columns of what the reader has with a topic."""
    insert_or_update(connection, topic_readings, {"user_id": user_id, "topic_id": topic_id}, values)


def update_subforum_reading(connection: Connection, user_id: int, subforum_id: int, **values: Any) -> None:
    """Change columns of what the reader has with a subforum."""
    insert_or_update(connection, subforum_readings, {"user_id": user_id, "subforum_id": subforum_id}, values)


def delete_seen_posts(connection: Connection, user_id: int, topic_id: int, *, before: int | None = None) -> None:
    """Forget which posts were seen one by one: all, or those with smaller ids than ``before``."""
    is_gone = [seen_posts.c.user_id == user_id, seen_posts.c.topic_id == topic_id]
    if before is not None:
        is_gone.append(seen_posts.c.post_id < before)
    connection.execute(delete(seen_posts).where(*is_gone))


def find_end_of_read(connection: Connection, user_id: int, subforum_id: int) -> datetime | None:
    """Until when nothing in a subforum is unread: its newest activity before that of its oldest unread topic."""
    topics = metadata.tables["topics"]
    known = select(_whole.until_at).where(_whole.user_id == user_id, _whole.subforum_id == subforum_id)
    since = func.coalesce(known.scalar_subquery(), _BEGINNING)
    there = (topics.c.subforum_id == subforum_id, topics.c.deleted_at.is_(None), topics.c.last_post_at > since)
    oldest = (
        select(topics.c.last_post_at)
        .select_from(topics)
        .outerjoin(topic_readings, _is_own(topics, user_id))
        .where(*there, _is_unseen_by_own())
        .order_by(topics.c.last_post_at)
        .limit(1)
    )
    oldest_at = connection.execute(oldest).scalar_one_or_none()
    before = true() if oldest_at is None else topics.c.last_post_at < literal(oldest_at, UtcDateTime)
    end: datetime | None = connection.execute(
        select(func.max(topics.c.last_post_at)).where(*there, before)
    ).scalar_one()
    return end


def update_subforums_as_seen(
    connection: Connection, user_id: int, subforum_ids: Collection[int], *, until_post_id: int, now: datetime
) -> None:
    """Mark all in these subforums as seen, and keep what was known before."""
    rows = [{"user_id": user_id, "subforum_id": subforum_id} for subforum_id in subforum_ids]
    insert_missing(connection, subforum_readings, rows)
    topics = metadata.tables["topics"]
    newest = select(func.max(topics.c.last_post_at)).where(
        topics.c.subforum_id == _whole.subforum_id, topics.c.deleted_at.is_(None)
    )
    connection.execute(
        update(subforum_readings)
        .where(_whole.user_id == user_id, _whole.subforum_id.in_(subforum_ids))
        .values(
            marked_at=now,
            before_post_id=_whole.until_post_id,
            before_at=_whole.until_at,
            until_post_id=until_post_id,
            until_at=newest.scalar_subquery(),
        )
    )


def update_back_to_before(connection: Connection, user_id: int, marked_at: datetime) -> int:
    """Take back what was marked at that moment; in how many subforums."""
    is_marked = (_whole.user_id == user_id, _whole.marked_at == marked_at, _whole.before_post_id.is_not(None))
    values = {"until_post_id": _whole.before_post_id, "until_at": _whole.before_at}
    return connection.execute(
        update(subforum_readings)
        .where(*is_marked)
        .values(**values, marked_at=None, before_post_id=None, before_at=None)
    ).rowcount


def _unread_topics(query: Select[Any], user_id: Any) -> Select[Any]:
    topics = metadata.tables["topics"]
    return (
        query.select_from(topics)
        .outerjoin(topic_readings, _is_own(topics, user_id))
        .where(*_is_later(topics), _is_unseen_by_own())
    )


def _is_own(topics: Any, user_id: Any) -> ColumnElement[bool]:
    return and_(_own.user_id == user_id, _own.topic_id == topics.c.id)


def _is_whole(topics: Any, user_id: Any) -> ColumnElement[bool]:
    return and_(_whole.user_id == user_id, _whole.subforum_id == topics.c.subforum_id)


def _is_later(topics: Any) -> tuple[ColumnElement[bool], ...]:
    return (topics.c.deleted_at.is_(None), topics.c.last_post_at > func.coalesce(_whole.until_at, _BEGINNING))


def _is_unseen_by_own() -> ColumnElement[bool]:
    topics = metadata.tables["topics"]
    is_behind = or_(_own.seen_at.is_(None), _own.seen_at < topics.c.last_post_at)
    return and_(is_behind, or_(_own.attention.is_(None), _own.attention != Attention.MUTED.value))


def _is_unread(topics: Any) -> ColumnElement[bool]:
    return and_(*_is_later(topics), _is_unseen_by_own())


def _unseen(posts: Any, user_id: int, topic_id: int, until_post_id: int) -> tuple[ColumnElement[bool], ...]:
    seen = select(literal(1)).where(
        seen_posts.c.user_id == user_id, seen_posts.c.topic_id == topic_id, seen_posts.c.post_id == posts.c.id
    )
    return (
        posts.c.topic_id == topic_id,
        posts.c.deleted_at.is_(None),
        # Without an index to begin at: the topic's own order is the one to walk along.
        posts.c.id + 0 > until_post_id,
        ~seen.correlate(posts).exists(),
    )


def _larger(one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
    return case((one > other, one), else_=other)


def _attention(value: str | None) -> Attention | None:
    return Attention(value) if value else None
