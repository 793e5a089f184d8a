"""Rows of ``topics``, with the names of their subforum and of who opened them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    Column,
    CompoundSelect,
    Connection,
    Row,
    ScalarSelect,
    Select,
    Update,
    and_,
    bindparam,
    case,
    false,
    func,
    insert,
    literal,
    literal_column,
    select,
    tuple_,
    union_all,
    update,
)

from forllm_server.db.types import Id, metadata
from forllm_server.errors import NotFound, TopicMoved
from forllm_server.forum.model import AuthorKind, Topic, TopicKin, TopicKind, TopicOrder, TopicTie
from forllm_server.forum.tables import posts, subforums, topic_tags, topics

_IS_THERE = and_(topics.c.deleted_at.is_(None), subforums.c.deleted_at.is_(None))
#: Topics that stand first in one subforum.
MOST_PINNED = 20
#: How many answered topics a page of those without the reader's vote looks at, at most.
_LOOKED_AT_FOR_VOTES = 200


@dataclass(frozen=True, slots=True)
class TopicCursor:
    """The last topic of a page: the next page begins after it. ``at`` is None where topics are ordered by id."""

    at: datetime | None
    id: int

    @classmethod
    def after(cls, topic: Topic) -> "TopicCursor":
        """That of the order by the newest activity."""
        return cls(topic.last_post_at, topic.id)


@dataclass(frozen=True, slots=True)
class TopicPage:
    """A page of topics, and where the next one begins; ``next`` None: there is none."""

    topics: tuple[Topic, ...]
    next: TopicCursor | None


def get_topic(connection: Connection, topic_id: int) -> Topic:
    """The topic; raises NotFound when there is none or it (or its subforum) lies in the trash.

    TopicMoved, a NotFound, when it was merged into another one.
    """
    row = connection.execute(_one(), {"topic_id": topic_id}).one_or_none()
    if row is None:
        raise _missing(connection, topic_id)
    return _topic(row)


def get_topic_to_change(connection: Connection, topic_id: int) -> Topic:
    """Like :func:`get_topic`, and nobody else changes it before this transaction ends."""
    return _get(connection, _select().with_for_update(of=topics), topic_id)


def find_topic(connection: Connection, topic_id: int, *, is_to_change: bool = False) -> Topic | None:
    """The topic, in the trash or not; ``is_to_change``: nobody else changes it before this transaction ends."""
    query = _select().where(topics.c.id == topic_id)
    row = connection.execute(query.with_for_update(of=topics) if is_to_change else query).one_or_none()
    return _topic(row) if row else None


def find_successor_id(connection: Connection, topic_id: int) -> int | None:
    """The topic that the posts of a merged one are in now; None when it was not merged."""
    moved = _find_moved(connection, topic_id)
    return None if moved is None else moved.topic_id


def get_first_of_merged(connection: Connection, topic_id: int) -> int:
    """The post that was the first of a merged topic. Raises NotFound: it was not merged."""
    moved = _find_moved(connection, topic_id)
    if moved is None:
        raise NotFound("This topic is not merged into another one.")
    return int(moved.id)


def get_version(connection: Connection, topic_id: int) -> int:
    """The topic's version alone, for polls; raises NotFound like :func:`get_topic`."""
    query = select(topics.c.version).join(subforums, subforums.c.id == topics.c.subforum_id)
    version: int | None = connection.execute(query.where(topics.c.id == topic_id, _IS_THERE)).scalar_one_or_none()
    if version is None:
        raise _missing(connection, topic_id)
    return version


def list_topics(
    connection: Connection, subforum_id: int, *, limit: int, after: TopicCursor | None = None
) -> list[Topic]:
    """A page of a subforum's topics, newest activity first, beginning after the topic of the cursor."""
    query = _select().where(topics.c.subforum_id == subforum_id, _IS_THERE)
    return _list(connection, query, topics.c.last_post_at, limit, after)


def list_recent_topics(connection: Connection, *, limit: int, after: TopicCursor | None = None) -> list[Topic]:
    """A page of the topics of all subforums, newest activity first."""
    return _list(connection, _select().where(_IS_THERE), topics.c.last_post_at, limit, after)


def list_pinned(connection: Connection, subforum_id: int) -> list[Topic]:
    """The topics that stand first in a subforum, newest activity first."""
    query = _select().where(topics.c.subforum_id == subforum_id, topics.c.is_pinned, _IS_THERE)
    return _list(connection, query, topics.c.last_post_at, MOST_PINNED, None)


def count_pinned(connection: Connection, subforum_id: int) -> int:
    """How many topics stand first in a subforum."""
    is_pinned = (topics.c.subforum_id == subforum_id, topics.c.is_pinned, topics.c.deleted_at.is_(None))
    return connection.execute(select(func.count()).select_from(topics).where(*is_pinned)).scalar_one()


def list_page(
    connection: Connection,
    order: TopicOrder,
    *,
    limit: int,
    subforum_id: int | None = None,
    after: TopicCursor | None = None,
    since: datetime | None = None,
    voter_id: int | None = None,
    leaves_out_pinned: bool = False,
) -> TopicPage:
    """A page of topics in one of the orders, of one subforum or of all; as cheap at 50,000 topics as at 50.

    ``since`` belongs to FINISHED: who answered before that is left out. ``voter_id`` belongs to UNVOTED, whose pages
    can be shorter than ``limit`` although there is a next one.
    """
    query = _select().where(_IS_THERE)
    if subforum_id is not None:
        # The sum: a list that walks along another table's index is not to begin with all topics of the subforum.
        column = topics.c.subforum_id + 0 if order is TopicOrder.AWAITING else topics.c.subforum_id
        query = query.where(column == subforum_id)
    if leaves_out_pinned:
        query = query.where(topics.c.is_pinned.is_(false()))
    if order is TopicOrder.UNVOTED:
        return _list_unvoted(connection, query, voter_id or 0, limit, after)
    if order is TopicOrder.AWAITING:
        return _list_awaiting(connection, query, limit, after)
    if order is TopicOrder.UNANSWERED:
        query = query.where(topics.c.post_count <= literal_column("1"))
    if order is TopicOrder.FINISHED:
        query = query.where(topics.c.last_answer_at.is_not(None))
        if since is not None:
            query = query.where(topics.c.last_answer_at >= since)
    ordered_by = _COLUMN_OF_ORDER[order]
    found = _list(connection, query, ordered_by, limit + 1, after)
    last = found[limit - 1] if len(found) > limit else None
    return TopicPage(tuple(found[:limit]), TopicCursor(getattr(last, ordered_by.name), last.id) if last else None)


def list_page_of_tag(
    connection: Connection, tag_id: int, *, limit: int, subforum_id: int | None = None, after: TopicCursor | None = None
) -> TopicPage:
    """A page of the topics with a tag, the newest topic first."""
    query = _select().where(_IS_THERE)
    if subforum_id is not None:
        query = query.where(topics.c.subforum_id + 0 == subforum_id)
    query = query.join(topic_tags, topic_tags.c.topic_id == topics.c.id).where(topic_tags.c.tag_id == tag_id)
    return _page_by_id(connection, query, topic_tags.c.topic_id, limit, after)


def list_kin(connection: Connection, topic_id: int) -> list[TopicKin]:
    """Where a topic was split off from, what was split off from it, and what was merged into it."""
    rows = connection.execute(_KIN, {"topic_id": topic_id}).all()
    return [TopicKin(TopicTie(tie), kin_id, title) for tie, kin_id, title in sorted(rows)]


def _kin() -> CompoundSelect[Any]:
    source, topic_id = topics.alias(), bindparam("topic_id", type_=Id)
    split_from = (
        select(literal("split_from"), posts.c.id, source.c.title)
        .join(source, source.c.id == posts.c.topic_id)
        .join(topics, topics.c.split_from_post_id == posts.c.id)
        .where(topics.c.id == topic_id, source.c.deleted_at.is_(None))
    )
    # From the few that were ever split or merged to their posts: never through the posts of the topic.
    there = (posts.c.topic_id + 0 == topic_id,)
    split_off = (
        select(literal("split_off"), topics.c.id, topics.c.title)
        .join(posts, posts.c.id == topics.c.split_from_post_id)
        .where(topics.c.split_from_post_id.is_not(None), topics.c.deleted_at.is_(None), *there)
    )
    # A branch that was split off and taken back came from nowhere else.
    is_back = and_(topics.c.split_from_post_id.is_not(None), topics.c.split_from_post_id == posts.c.parent_id)
    merged_in = (
        select(literal("merged_in"), posts.c.id, topics.c.title)
        .join(posts, posts.c.id == topics.c.moved_to_post_id)
        .where(topics.c.moved_to_post_id.is_not(None), topics.c.title != "", ~func.coalesce(is_back, false()), *there)
    )
    return union_all(split_from, split_off, merged_in)


# Built once: it is asked with every page of a topic, and building it takes longer than asking.
_KIN = _kin()


def list_titles(connection: Connection, topic_ids: Collection[int]) -> dict[int, str]:
    """The titles by id of those topics that are not in the trash."""
    query = select(topics.c.id, topics.c.title).where(topics.c.id.in_(topic_ids), topics.c.deleted_at.is_(None))
    return {row.id: row.title for row in connection.execute(query)}


def insert_topic(
    connection: Connection, *, owner_id: int, subforum_id: int, kind: TopicKind, title: str, now: datetime
) -> int:
    """Add a topic without posts; its id."""
    statement = insert(topics).values(
        subforum_id=subforum_id,
        owner_id=owner_id,
        kind=kind.value,
        title=title,
        created_at=now,
        last_post_at=now,
        post_count=0,
        version=1,
    )
    topic_id: int = connection.execute(statement.returning(topics.c.id)).scalar_one()
    return topic_id


def update_topic(connection: Connection, topic_id: int, **values: Any) -> None:
    """Change columns and bump the version."""
    _update(connection, topic_id, **values)


def update_for_new_post(connection: Connection, topic_id: int, now: datetime, *, is_answer: bool = False) -> None:
    """Count one post more, written ``now``; ``is_answer``: by a persona."""
    connection.execute(_new_answer() if is_answer else _new_post(), {"topic": topic_id, "now": now})


@cache
def _new_post() -> Update:
    # Built once: it runs for every post. A post may be committed after one that was begun later; the newest activity
    # must not go backwards.
    moment = bindparam("now", type_=topics.c.last_post_at.type)
    newest = case((topics.c.last_post_at > moment, topics.c.last_post_at), else_=moment)
    return (
        update(topics)
        .where(topics.c.id == bindparam("topic"))
        .values(version=topics.c.version + 1, post_count=topics.c.post_count + 1, last_post_at=newest)
    )


@cache
def _new_answer() -> Update:
    moment = bindparam("now", type_=topics.c.last_answer_at.type)
    newest = case((topics.c.last_answer_at > moment, topics.c.last_answer_at), else_=moment)
    return _new_post().values(last_answer_at=newest)


def update_for_deleted_post(
    connection: Connection, topic_id: int, created_at: datetime, *, is_answer: bool = False
) -> None:
    """Count one post fewer; what was written at ``created_at`` is no longer the newest activity."""
    _update(connection, topic_id, post_count=topics.c.post_count - 1)
    moment = literal(created_at, posts.c.created_at.type)
    # Only then is it worth looking through the topic's posts.
    was_newest = and_(topics.c.id == topic_id, topics.c.last_post_at <= moment)
    connection.execute(update(topics).where(was_newest).values(last_post_at=_newest_post(topic_id)))
    if is_answer:
        was_last = and_(topics.c.id == topic_id, topics.c.last_answer_at <= moment)
        connection.execute(update(topics).where(was_last).values(last_answer_at=_newest_answer(topic_id)))


def update_for_moved_posts(connection: Connection, topic_id: int) -> None:
    """Count a topic's posts anew, find its newest activity, and bump the version."""
    there = select(func.count()).where(posts.c.topic_id == topic_id, posts.c.deleted_at.is_(None))
    _update(
        connection,
        topic_id,
        post_count=there.scalar_subquery(),
        last_post_at=func.coalesce(_newest_post(topic_id), topics.c.last_post_at),
        last_answer_at=_newest_answer(topic_id),
    )


def _newest_post(topic_id: int) -> ScalarSelect[Any]:
    newest = select(func.max(posts.c.created_at)).where(posts.c.topic_id == topic_id, posts.c.deleted_at.is_(None))
    return newest.scalar_subquery()


def _newest_answer(topic_id: int) -> ScalarSelect[Any]:
    is_answer = (posts.c.author_kind == AuthorKind.PERSONA.value, posts.c.deleted_at.is_(None))
    return select(func.max(posts.c.created_at)).where(posts.c.topic_id == topic_id, *is_answer).scalar_subquery()


def _update(connection: Connection, topic_id: int, **values: Any) -> None:
    connection.execute(update(topics).where(topics.c.id == topic_id).values(version=topics.c.version + 1, **values))


_COLUMN_OF_ORDER: Mapping[TopicOrder, Column[Any]] = {
    TopicOrder.ACTIVE: topics.c.last_post_at,
    TopicOrder.NEW: topics.c.created_at,
    TopicOrder.UNANSWERED: topics.c.last_post_at,
    TopicOrder.FINISHED: topics.c.last_answer_at,
}


def _list(
    connection: Connection, query: Select[Any], column: Column[Any], limit: int, after: TopicCursor | None
) -> list[Topic]:
    if after is not None and after.at is not None:
        place = tuple_(literal(after.at, column.type), literal(after.id))
        query = query.where(tuple_(column, topics.c.id) < place)
    ordered = query.order_by(column.desc(), topics.c.id.desc()).limit(limit)
    return [_topic(row) for row in connection.execute(ordered)]


def _list_awaiting(connection: Connection, query: Select[Any], limit: int, after: TopicCursor | None) -> TopicPage:
    """Each topic once, by the newest of what is still to be answered in it."""
    asked = metadata.tables["llm_requests"]
    newer = asked.alias()
    # As the partial index ix_llm_requests_awaited has it.
    is_newer = (newer.c.finished_at.is_(None), newer.c.topic_id == asked.c.topic_id, newer.c.id > asked.c.id)
    # What names no post (a trial, an experiment) will not become a reply by itself: the topic does not await it.
    has_newer = select(newer.c.id).where(*is_newer, newer.c.post_id.is_not(None)).correlate(asked).exists()
    query = query.join(asked, asked.c.topic_id == topics.c.id).where(
        asked.c.finished_at.is_(None), asked.c.topic_id.is_not(None), asked.c.post_id.is_not(None), ~has_newer
    )
    return _page_by_id(connection, query, asked.c.topic_id, limit, after)


def _page_by_id(
    connection: Connection, query: Select[Any], topic_id: Column[Any], limit: int, after: TopicCursor | None
) -> TopicPage:
    """A page by the ids of topics as another table's index has them, the largest first."""
    if after is not None:
        query = query.where(topic_id < after.id)
    rows = [_topic(row) for row in connection.execute(query.order_by(topic_id.desc()).limit(limit + 1))]
    return TopicPage(tuple(rows[:limit]), TopicCursor(None, rows[limit - 1].id) if len(rows) > limit else None)


def _list_unvoted(
    connection: Connection, query: Select[Any], voter_id: int, limit: int, after: TopicCursor | None
) -> TopicPage:
    """Looks at a fixed number of answered topics: who has voted on everything must not make it look at all."""
    votes = metadata.tables["post_votes"]
    own = select(votes.c.post_id).where(votes.c.post_id == posts.c.id, votes.c.user_id == voter_id)
    is_answer = and_(
        posts.c.topic_id == topics.c.id, posts.c.author_kind == AuthorKind.PERSONA.value, posts.c.deleted_at.is_(None)
    )
    lacks_vote = select(posts.c.id).where(is_answer, ~own.correlate(posts).exists()).correlate(topics).exists()
    column = topics.c.last_answer_at
    query = query.add_columns(lacks_vote.label("lacks_vote")).where(column.is_not(None))
    if after is not None and after.at is not None:
        query = query.where(tuple_(column, topics.c.id) < tuple_(literal(after.at, column.type), literal(after.id)))
    looked_at = connection.execute(query.order_by(column.desc(), topics.c.id.desc()).limit(_LOOKED_AT_FOR_VOTES)).all()
    found = [_topic(row) for row in looked_at if row.lacks_vote]
    if len(found) > limit:
        return TopicPage(tuple(found[:limit]), TopicCursor(found[limit - 1].last_answer_at, found[limit - 1].id))
    last = looked_at[-1] if len(looked_at) == _LOOKED_AT_FOR_VOTES else None
    return TopicPage(tuple(found), TopicCursor(last.last_answer_at, last.id) if last else None)


def _get(connection: Connection, query: Select[Any], topic_id: int) -> Topic:
    row = connection.execute(query.where(topics.c.id == topic_id, _IS_THERE)).one_or_none()
    if row is None:
        raise _missing(connection, topic_id)
    return _topic(row)


def _missing(connection: Connection, topic_id: int) -> NotFound:
    """Why there is no such topic; a merged one's posts are elsewhere."""
    moved = _find_moved(connection, topic_id)
    if moved is None:
        return NotFound("There is no such topic. It may have been deleted.")
    return TopicMoved(post_id=moved.id, topic_id=moved.topic_id)


def _find_moved(connection: Connection, topic_id: int) -> Row[Any] | None:
    query: Select[Any] = select(posts.c.id, posts.c.topic_id).join(topics, topics.c.moved_to_post_id == posts.c.id)
    return connection.execute(query.where(topics.c.id == topic_id)).one_or_none()


@cache
def _one() -> Select[Any]:
    return _select().where(topics.c.id == bindparam("topic_id", type_=Id), _IS_THERE)


@cache
def _select() -> Select[Any]:
    users = metadata.tables["users"]
    return (
        select(topics, subforums.c.name.label("subforum_name"), users.c.name.label("author_name"))
        .join(subforums, subforums.c.id == topics.c.subforum_id)
        .join(users, users.c.id == topics.c.owner_id)
    )


def _topic(row: Row[Any]) -> Topic:
    """The topic of a row of :func:`select_topics`."""
    values = dict(row._mapping)
    values["kind"] = TopicKind(values["kind"])
    values.pop("lacks_vote", None)
    return Topic(**values)
