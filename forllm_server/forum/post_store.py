"""Rows of ``posts``: pages in thread order, the way to a post, and the writes that keep versions honest.

Of a deleted post the text is withheld here, in one place, so that no page, prompt or API can show it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, Update, bindparam, func, insert, literal, or_, select, update
from sqlalchemy.exc import IntegrityError

from forllm_server.db.types import metadata
from forllm_server.errors import Conflict, NotFound
from forllm_server.forum.branches import PostPlace
from forllm_server.forum.model import Ancestry, AuthorKind, Post
from forllm_server.forum.tables import posts, subforums, topics
from forllm_server.forum.threading import BranchPost, root_path


@dataclass(frozen=True, slots=True)
class Place:
    """Where a new reply goes: what its parent said when the reply was counted."""

    parent_id: int
    topic_id: int
    parent_path: bytes
    parent_depth: int
    parent_version: int
    #: The number of the new reply among its siblings, from 1.
    sibling: int
    is_parent_deleted: bool
    is_topic_locked: bool


def get_post(connection: Connection, post_id: int) -> Post:
    """The post, deleted or not; raises NotFound when there is none or its topic or subforum lies in the trash."""
    return _get(connection, _select_there().where(posts.c.id == post_id))


def get_post_to_change(connection: Connection, post_id: int) -> Post:
    """Like :func:`get_post`, and nobody else changes it before this transaction ends."""
    # SQLite needs no lock: a transaction that may write is alone already.
    return _get(connection, _select_there().where(posts.c.id == post_id).with_for_update(of=posts))


def find_post_of_llm_request(connection: Connection, llm_request_id: int) -> Post | None:
    """The answer that came of an LLM request, if there is one."""
    row = connection.execute(_select().where(posts.c.llm_request_id == llm_request_id)).one_or_none()
    return _post(row) if row else None


def get_root(connection: Connection, topic_id: int) -> Post:
    """The first post of a topic."""
    return _get(connection, _select_there().where(posts.c.topic_id == topic_id, posts.c.path == root_path()))


def list_page(connection: Connection, topic_id: int, *, after: bytes | None = None, limit: int) -> list[Post]:
    """A page of a topic in thread order, beginning after the path ``after``; as cheap at 100,000 posts as at 10."""
    values = {"topic": topic_id, "after": after, "most": limit}
    return [_post(row) for row in connection.execute(_page(is_first=after is None), values)]


@cache
def _page(*, is_first: bool) -> Select[Any]:
    # Built once: it is asked with every page of every topic.
    query = _select().where(posts.c.topic_id == bindparam("topic"))
    if not is_first:
        query = query.where(posts.c.path > bindparam("after"))
    return query.order_by(posts.c.path).limit(bindparam("most"))


def list_page_before(connection: Connection, topic_id: int, *, before: bytes, limit: int) -> list[Post]:
    """The ``limit`` posts that come before the path ``before``, in thread order."""
    query = _select().where(posts.c.topic_id == topic_id, posts.c.path < before)
    rows = connection.execute(query.order_by(posts.c.path.desc()).limit(limit)).all()
    return [_post(row) for row in reversed(rows)]


def list_page_around(connection: Connection, post: Post, *, limit: int) -> list[Post]:
    """A page that shows ``post``: a quarter of it comes before, for context, and the rest from the post on."""
    before = list_page_before(connection, post.topic_id, before=post.path, limit=limit // 4)
    query = _select().where(posts.c.topic_id == post.topic_id, posts.c.path >= post.path)
    rows = connection.execute(query.order_by(posts.c.path).limit(limit - len(before)))
    return before + [_post(row) for row in rows]


def list_newest_places(connection: Connection, topic_id: int, *, limit: int) -> list[PostPlace]:
    """Where the newest posts of a topic stand that models are shown, the newest first."""
    query = (
        select(posts.c.id, posts.c.path)
        .where(posts.c.topic_id == topic_id, posts.c.deleted_at.is_(None), ~posts.c.is_excluded)
        .order_by(posts.c.id.desc())
        .limit(limit)
    )
    return [PostPlace(*row) for row in connection.execute(query)]


def list_newest(connection: Connection, *, limit: int) -> list[Post]:
    """The posts that people wrote last, newest first, where neither they nor their topic lie in the trash."""
    query = _select_there().where(posts.c.author_kind == AuthorKind.PERSON.value, posts.c.deleted_at.is_(None))
    return [_post(row) for row in connection.execute(query.order_by(posts.c.id.desc()).limit(limit))]


def list_posts(connection: Connection, post_ids: Collection[int]) -> list[Post]:
    """The posts of these ids that exist, in thread order within their topics."""
    query = _select().where(posts.c.id.in_(post_ids)).order_by(posts.c.topic_id, posts.c.path)
    return [_post(row) for row in connection.execute(query)]


def list_ancestors(connection: Connection, post_id: int, *, nearest: int | None = None) -> Ancestry:
    """The way from the first post of the topic to this one, both included.

    With ``nearest`` only that many posts at the end (this one among them) and the first post: deep chains stay cheap.
    Raises NotFound like :func:`get_post`.
    """
    post = get_post(connection, post_id)
    steps = _EVERY_STEP if nearest is None else max(nearest, 1)
    rows = connection.execute(_ancestors(), {"post": post_id, "steps": steps})
    found = [_post(row) for row in rows]
    if not found[0].is_root:
        found.insert(0, get_root(connection, post.topic_id))
    return Ancestry(posts=tuple(found), left_out=post.depth + 1 - len(found))


#: More steps than any thread is deep.
_EVERY_STEP = 2**31 - 1


@cache
def _ancestors() -> Select[Any]:
    # Built once: a model waits while the prompt of its next answer is made.
    way = select(posts.c.id, posts.c.parent_id, literal(1).label("steps")).where(posts.c.id == bindparam("post"))
    walk = way.cte("walk", recursive=True)
    up = select(posts.c.id, posts.c.parent_id, walk.c.steps + 1).join(walk, walk.c.parent_id == posts.c.id)
    walk = walk.union_all(up.where(walk.c.steps < bindparam("steps")))
    # Ordered explicitly: joining a recursive query can make SQLite drop the recursion's own order.
    return _select().join(walk, walk.c.id == posts.c.id).order_by(posts.c.depth)


def update_for_new_reply(connection: Connection, parent_id: int) -> Place:
    """Count one reply more to a post and tell its place; raises NotFound.

    One statement, so that two replies at once get two numbers: the second waits for the first transaction's end.
    """
    row = connection.execute(_new_reply(), {"parent": parent_id}).one_or_none()
    if row is None:
        # Asked again: a topic that was split off while this waited for the post is seen by a new statement only.
        row = connection.execute(_new_reply(), {"parent": parent_id}).one_or_none()
    if row is None:
        raise NotFound("The post to reply to is not there. It may have been deleted.", field="parent_id")
    return Place(
        parent_id=parent_id,
        topic_id=row.topic_id,
        parent_path=row.path,
        parent_depth=row.depth,
        parent_version=row.version,
        sibling=row.child_count,
        is_parent_deleted=row.deleted_at is not None,
        is_topic_locked=bool(row.is_locked),
    )


@cache
def _new_reply() -> Update:
    # Built once: it runs for every reply, and building costs more than running it.
    topic_is_there = (
        select(topics.c.id)
        .join(subforums, subforums.c.id == topics.c.subforum_id)
        .where(topics.c.id == posts.c.topic_id, topics.c.deleted_at.is_(None), subforums.c.deleted_at.is_(None))
        .exists()
    )
    is_locked = select(topics.c.is_locked).where(topics.c.id == posts.c.topic_id).scalar_subquery()
    statement = update(posts).where(posts.c.id == bindparam("parent"), topic_is_there)
    return statement.values(child_count=posts.c.child_count + 1).returning(
        posts.c.topic_id,
        posts.c.path,
        posts.c.depth,
        posts.c.version,
        posts.c.child_count,
        posts.c.deleted_at,
        is_locked.label("is_locked"),
    )


_INSERT = insert(posts).returning(posts.c.id)


def insert_post(connection: Connection, values: Mapping[str, Any]) -> int:
    """Add a post; its id. Raises Conflict when its LLM request was answered already."""
    # A JSON column would store None as the JSON value null; left out it is SQL's NULL.
    given = {name: value for name, value in values.items() if value is not None}
    try:
        post_id: int = connection.execute(_INSERT, given).scalar_one()
    except IntegrityError as error:
        # Both databases name the column or the constraint in their message.
        if "llm_request_id" not in str(error.orig):
            raise
        raise Conflict("This LLM request was answered already; its reply was not posted twice.") from error
    return post_id


def update_post(connection: Connection, post_id: int, **values: Any) -> None:
    """Change columns, bump the version and forget the rendering."""
    changed = {"version": posts.c.version + 1, "content_html": None, **values}
    connection.execute(update(posts).where(posts.c.id == post_id).values(changed))


def update_excluded(connection: Connection, post_id: int, *, is_excluded: bool) -> None:
    """Keep a post from models, or show it to them again. Its text is the same: neither version nor rendering change."""
    connection.execute(update(posts).where(posts.c.id == post_id).values(is_excluded=is_excluded))


def list_for_moving(connection: Connection, topic_id: int, *, and_post_id: int | None = None) -> list[BranchPost]:
    """All posts of a topic, and nobody else adds, changes or moves any before this transaction ends.

    ``and_post_id``: the post that they are to hang on is kept the same way.
    """
    query = select(posts.c.id, posts.c.parent_id, posts.c.depth, posts.c.path, posts.c.topic_id)
    is_meant = posts.c.topic_id == topic_id
    if and_post_id is not None:
        is_meant = or_(is_meant, posts.c.id == and_post_id)
    # In one order, so that two moves never wait for each other; and again until no reply came in meanwhile: whoever
    # adds one holds the post above it.
    locked = query.where(is_meant).order_by(posts.c.id).with_for_update()
    rows, known = connection.execute(locked).all(), -1
    while connection.dialect.name != "sqlite" and len(rows) != known:
        rows, known = connection.execute(locked).all(), len(rows)
    return [BranchPost(row.id, row.parent_id, row.depth, row.path) for row in rows if row.topic_id == topic_id]


def update_places(
    connection: Connection,
    topic_id: int,
    branch: Sequence[BranchPost],
    paths: Mapping[int, bytes],
    *,
    parent_id: int | None,
) -> None:
    """Put a branch into a topic, at ``paths``; its first post becomes a reply to ``parent_id``, or a topic's first."""
    top = min(branch, key=lambda post: post.depth)
    parent_depth = -1
    if parent_id is not None:
        parent_depth = connection.execute(select(posts.c.depth).where(posts.c.id == parent_id)).scalar_one()
    deeper = parent_depth + 1 - top.depth
    moved = update(posts).where(posts.c.id == bindparam("post")).values(topic_id=topic_id, path=bindparam("place"))
    first = moved.values(depth=parent_depth + 1, parent_id=parent_id)
    connection.execute(first, {"post": top.id, "place": paths[top.id]})
    rest = [{"post": post.id, "place": paths[post.id]} for post in branch if post.id != top.id]
    if rest:
        connection.execute(moved.values(depth=posts.c.depth + deeper), rest)


def is_path_taken(connection: Connection, topic_id: int, path: bytes) -> bool:
    """Whether a post of the topic stands at ``path``."""
    query = select(posts.c.id).where(posts.c.topic_id == topic_id, posts.c.path == path)
    return connection.execute(query).one_or_none() is not None


def update_html(connection: Connection, post: Post, content_html: str, render_version: int) -> None:
    """Keep the rendering of a post, unless the post was changed since it was read."""
    is_same = (posts.c.id == post.id, posts.c.version == post.version)
    connection.execute(update(posts).where(*is_same).values(content_html=content_html, render_version=render_version))


def count_posts(connection: Connection, topic_id: int) -> int:
    """The posts of a topic, deleted ones included: the rows its pages show."""
    return connection.execute(select(func.count()).where(posts.c.topic_id == topic_id)).scalar_one()


def _get(connection: Connection, query: Select[Any]) -> Post:
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("There is no such post. It may have been deleted.")
    return _post(row)


def _select() -> Select[Any]:
    users, versions = metadata.tables["users"], metadata.tables["persona_versions"]
    persona_id = select(versions.c.persona_id).where(versions.c.id == posts.c.persona_version_id).scalar_subquery()
    columns = (posts, users.c.name.label("user_name"), persona_id.label("persona_id"))
    return select(*columns).join(users, users.c.id == posts.c.owner_id)


@cache
def _names() -> tuple[str, ...]:
    return tuple(str(column.key) for column in _select().selected_columns)


def _select_there() -> Select[Any]:
    return (
        _select()
        .join(topics, topics.c.id == posts.c.topic_id)
        .join(subforums, subforums.c.id == topics.c.subforum_id)
        .where(topics.c.deleted_at.is_(None), subforums.c.deleted_at.is_(None))
    )


def _post(row: Row[Any]) -> Post:
    # Names and values side by side: a row that is asked for its names takes four times as long.
    values = dict(zip(_names(), row, strict=True))
    user_name = values.pop("user_name")
    values["author_kind"] = AuthorKind(values["author_kind"])
    values["author_name"] = values["persona_name"] or user_name
    if values["deleted_at"] is not None:
        values |= {"content": "", "content_html": None, "thinking": None}
    return Post(**values)
