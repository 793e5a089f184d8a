"""A page of a topic's thread: which posts it shows, and everything its rows need."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from forllm_server.clock import now
from forllm_server.errors import NotFound
from forllm_server.forum import post_store
from forllm_server.forum.model import Post, Topic
from forllm_server.forum.rendering import ensure_html
from forllm_server.forum.threading import path_from_cursor
from forllm_server.jobs.standing import list_standings
from forllm_server.pages.database import database
from forllm_server.pages.rows import PendingRow, PostRow, Surroundings, thread_rows
from forllm_server.personas.version_store import list_versions_by_ids
from forllm_server.queue.chunk_store import list_partials
from forllm_server.queue.llm_request_store import list_unanswered_of_posts
from forllm_server.queue.model import Status


@dataclass(frozen=True)
class Place:
    """Which part of a thread is asked for; at most one of them, else its beginning. Cursors are paths as text."""

    after: str = ""
    before: str = ""
    #: a page around this post
    at: int | None = None
    #: this post and what hangs on it
    branch: int | None = None


@dataclass(frozen=True)
class Stretch:
    """The posts of a page. ``base_depth`` is the depth that is shown without standing in."""

    posts: tuple[Post, ...]
    has_more: bool
    base_depth: int = 0

    @property
    def has_earlier(self) -> bool:
        return bool(self.posts) and not self.posts[0].is_root

    @property
    def first_id(self) -> int:
        return self.posts[0].id if self.posts else 0

    @property
    def last_cursor(self) -> str:
        return self.posts[-1].cursor if self.posts else ""


def read_stretch(connection: Connection, topic_id: int, place: Place, limit: int) -> Stretch:
    """The posts of a page of ``limit``. Raises NotFound for a post of another topic, Invalid for a bad cursor."""
    if place.branch is not None:
        return _branch(connection, _own_post(connection, topic_id, place.branch), limit)
    if place.at is not None:
        post = _own_post(connection, topic_id, place.at)
        return _cut(post_store.list_page_around(connection, post, limit=limit + 1), limit)
    if place.before:
        before = post_store.list_page_before(connection, topic_id, before=path_from_cursor(place.before), limit=limit)
        return Stretch(tuple(before), has_more=True)
    after = path_from_cursor(place.after) if place.after else None
    return _cut(post_store.list_page(connection, topic_id, after=after, limit=limit + 1), limit)


def read_stretch_again(
    connection: Connection, topic_id: int, *, first_id: int, until: str, base_depth: int, limit: int
) -> Stretch:
    """The posts that stand now where a page began with ``first_id`` and ended with the path ``until`` (empty: with
    the thread). Up to twice ``limit``, so that what arrives pushes nothing off the page."""
    first = _own_post(connection, topic_id, first_id)
    following = post_store.list_page(connection, topic_id, after=first.path, limit=2 * limit)
    posts = (first, *following)
    if until:
        last = path_from_cursor(until)
        posts = tuple(post for post in posts if post.path <= last)
    if base_depth:
        posts = _within_branch(posts, base_depth)
    return Stretch(posts, has_more=bool(until), base_depth=base_depth)


def read_rows(topic: Topic, stretch: Stretch) -> list[PostRow | PendingRow]:
    """The rows of a page, rendered where they had not been."""
    posts = ensure_html(database(), stretch.posts)
    with database().read() as connection:
        around = _surroundings(connection, topic, posts, stretch.base_depth)
    return thread_rows(posts, around)


def pending_of(rows: Sequence[PostRow | PendingRow]) -> list[PendingRow]:
    """What is not there yet, or failed."""
    return [row for row in rows if isinstance(row, PendingRow)]


def pace_of(rows: Sequence[PostRow | PendingRow]) -> str:
    """How lively a page is, for its poll: ``running``, ``waiting`` or ``idle``."""
    states = {row.llm_request.status for row in pending_of(rows)}
    if Status.RUNNING in states:
        return "running"
    return "waiting" if states & {Status.QUEUED, Status.WAITING} else "idle"


def _surroundings(connection: Connection, topic: Topic, posts: Sequence[Post], base_depth: int) -> Surroundings:
    requests = list_unanswered_of_posts(connection, topic.id, [post.id for post in posts])
    version_ids = {post.persona_version_id for post in posts} | {request.persona_version_id for request in requests}
    versions = list_versions_by_ids(connection, {version_id for version_id in version_ids if version_id is not None})
    moment = now()
    return Surroundings(
        versions={version.id: version for version in versions},
        requests=requests,
        standings=list_standings(connection, requests, moment),
        partials=list_partials(connection, [request.id for request in requests]) if requests else {},
        now=moment,
        base_depth=base_depth,
    )


def _own_post(connection: Connection, topic_id: int, post_id: int) -> Post:
    post = post_store.get_post(connection, post_id)
    if post.topic_id != topic_id:
        raise NotFound("That post belongs to another topic.")
    return post


def _cut(posts: Sequence[Post], limit: int) -> Stretch:
    return Stretch(tuple(posts[:limit]), has_more=len(posts) > limit)


def _branch(connection: Connection, top: Post, limit: int) -> Stretch:
    following = post_store.list_page(connection, top.topic_id, after=top.path, limit=limit)
    posts = _within_branch((top, *following), top.depth)
    return Stretch(posts[:limit], has_more=len(posts) > limit, base_depth=top.depth)


def _within_branch(posts: Sequence[Post], base_depth: int) -> tuple[Post, ...]:
    """The first post and what hangs on it: up to the next post that stands as far out."""
    for index, post in enumerate(posts):
        if index and post.depth <= base_depth:
            return tuple(posts[:index])
    return tuple(posts)
