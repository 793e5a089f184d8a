"""A page of a topic: which posts it shows, as a tree or flat, and everything its rows need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from forllm_server import log
from forllm_server.activity import bookmark_store, quote_store, seen_store, vote_store, written_store
from forllm_server.activity.model import TopicReading
from forllm_server.activity.quoting import find_changed_quotes, note_quotes
from forllm_server.catalog.editing import EMBEDDED_BACKEND_ID
from forllm_server.catalog.model_store import list_models_of
from forllm_server.clock import now
from forllm_server.discussions.discussion_store import list_parts
from forllm_server.discussions.model import Part
from forllm_server.errors import Invalid, NotFound, Unavailable
from forllm_server.forum import post_store
from forllm_server.forum.attachment_store import list_attachments_of_posts
from forllm_server.forum.model import Post, Topic
from forllm_server.forum.rendering import ensure_html
from forllm_server.forum.threading import path_from_cursor
from forllm_server.jobs.standing import list_standings
from forllm_server.markup.quotes import quoted_post_ids
from forllm_server.pages.database import database
from forllm_server.pages.rows import PendingRow, PostRow, Surroundings, thread_rows
from forllm_server.personas.version_store import list_versions_by_ids
from forllm_server.queue.chunk_store import list_partials
from forllm_server.queue.llm_request_store import list_unanswered_of_posts
from forllm_server.queue.model import LlmRequest, Status
from forllm_server.web.current import current_user_id


@dataclass(frozen=True)
class Place:
    """Which part of a topic is asked for; at most one of them, else its beginning.

    Cursors are paths as text in a tree, and ids in the flat view.
    """

    after: str = ""
    before: str = ""
    #: a page around this post
    at: int | None = None
    #: this post and what hangs on it; always a tree
    branch: int | None = None


@dataclass(frozen=True)
class Stretch:
    """The posts of a page. ``base_depth`` is the depth that is shown without standing in."""

    posts: tuple[Post, ...]
    has_more: bool
    base_depth: int = 0
    is_flat: bool = False

    @property
    def has_earlier(self) -> bool:
        return bool(self.posts) and not self.posts[0].is_root

    @property
    def first_id(self) -> int:
        return self.posts[0].id if self.posts else 0

    @property
    def first_cursor(self) -> str:
        return self._cursor(self.posts[0]) if self.posts else ""

    @property
    def last_cursor(self) -> str:
        return self._cursor(self.posts[-1]) if self.posts else ""

    def _cursor(self, post: Post) -> str:
        return str(post.id) if self.is_flat else post.cursor


def read_stretch(connection: Connection, topic_id: int, place: Place, limit: int, *, is_flat: bool) -> Stretch:
    """The posts of a page of ``limit``. Raises NotFound for a post of another topic, Invalid for a bad cursor."""
    if place.branch is not None:
        return _branch(connection, _own_post(connection, topic_id, place.branch), limit)
    if is_flat:
        return _read_flat(connection, topic_id, place, limit)
    if place.at is not None:
        post = _own_post(connection, topic_id, place.at)
        return _cut(post_store.list_page_around(connection, post, limit=limit + 1), limit)
    if place.before:
        before = post_store.list_page_before(connection, topic_id, before=path_from_cursor(place.before), limit=limit)
        return Stretch(tuple(before), has_more=True)
    after = path_from_cursor(place.after) if place.after else None
    return _cut(post_store.list_page(connection, topic_id, after=after, limit=limit + 1), limit)


def read_stretch_again(
    connection: Connection, topic_id: int, *, first_id: int, until: str, base_depth: int, limit: int, is_flat: bool
) -> Stretch:
    """The posts that stand now where a page began with ``first_id`` and ended with the cursor ``until`` (empty: with
    the topic). Up to twice ``limit``, so that what arrives pushes nothing off the page."""
    first = _own_post(connection, topic_id, first_id)
    if is_flat:
        ids = written_store.list_ids_after(connection, topic_id, after_id=first_id - 1, limit=2 * limit + 1)
        last_id = _id_from_cursor(until) if until else max(ids, default=0)
        posts = _in_order(connection, [post_id for post_id in ids if post_id <= last_id])
        return Stretch(posts, has_more=bool(until), is_flat=True)
    following = post_store.list_page(connection, topic_id, after=first.path, limit=2 * limit)
    posts = (first, *following)
    if until:
        last = path_from_cursor(until)
        posts = tuple(post for post in posts if post.path <= last)
    if base_depth:
        posts = _within_branch(posts, base_depth)
    return Stretch(posts, has_more=bool(until), base_depth=base_depth)


def read_rows(
    connection: Connection, topic: Topic, stretch: Stretch, reading: TopicReading
) -> list[PostRow | PendingRow]:
    """The rows of a page, rendered where they had not been.

    ``connection`` is the one that the posts were read from: of a later moment, a reply that came in between would be
    neither waited for nor there.
    """
    posts = ensure_html(database(), stretch.posts)
    around = _surroundings(connection, topic, posts, stretch, reading)
    changed = _changed_quotes(connection, posts)
    if changed:
        _keep_quotes(changed)
    return thread_rows(posts, around)


def pending_of(rows: Sequence[PostRow | PendingRow]) -> list[PendingRow]:
    """What is not there yet, or failed."""
    return [row for row in rows if isinstance(row, PendingRow)]


def unseen_of(rows: Sequence[PostRow | PendingRow]) -> list[int]:
    """The posts of a page that were not seen before."""
    return [row.post.id for row in rows if isinstance(row, PostRow) and row.is_unseen]


def pace_of(rows: Sequence[PostRow | PendingRow]) -> str:
    """How lively a page is, for its poll: ``running``, ``waiting`` or ``idle``."""
    states = {row.llm_request.status for row in pending_of(rows)}
    if Status.RUNNING in states:
        return "running"
    return "waiting" if states & {Status.QUEUED, Status.WAITING} else "idle"


def _surroundings(
    connection: Connection, topic: Topic, posts: Sequence[Post], stretch: Stretch, reading: TopicReading
) -> Surroundings:
    reader_id = current_user_id()
    post_ids = [post.id for post in posts]
    requests = list_unanswered_of_posts(connection, topic.id, post_ids)
    version_ids = {post.persona_version_id for post in posts} | {request.persona_version_id for request in requests}
    versions = list_versions_by_ids(connection, {version_id for version_id in version_ids if version_id is not None})
    moment = now()
    return Surroundings(
        versions={version.id: version for version in versions},
        requests=requests,
        standings=list_standings(connection, requests, moment),
        partials=list_partials(connection, [request.id for request in requests]) if requests else {},
        now=moment,
        base_depth=stretch.base_depth,
        is_flat=stretch.is_flat,
        parents={post.id: post for post in _missing_parents(connection, posts)} if stretch.is_flat else {},
        unseen=list_unseen(connection, reader_id, topic.id, reading, post_ids),
        bookmarked=bookmark_store.list_bookmarked(connection, reader_id, post_ids),
        votes=vote_store.list_votes(connection, reader_id, post_ids),
        quoting=quote_store.list_quoting(connection, post_ids),
        tiny_models=_tiny_models(connection, posts),
        files=list_attachments_of_posts(connection, post_ids),
        parts=_parts(connection, posts, requests),
    )


def list_unseen(
    connection: Connection, reader_id: int, topic_id: int, reading: TopicReading, post_ids: Sequence[int]
) -> frozenset[int]:
    """Those of a topic's posts that the reader has not seen."""
    if not any(reading.is_unread(post_id, frozenset()) for post_id in post_ids):
        return frozenset()
    seen = seen_store.list_seen_ids(connection, reader_id, topic_id, post_ids)
    return frozenset(post_id for post_id in post_ids if reading.is_unread(post_id, seen))


def _missing_parents(connection: Connection, posts: Sequence[Post]) -> list[Post]:
    """The posts that are answered on the page and are not on it."""
    shown = {post.id for post in posts}
    wanted = {post.parent_id for post in posts if post.parent_id is not None} - shown
    return post_store.list_posts(connection, wanted)


def _tiny_models(connection: Connection, posts: Sequence[Post]) -> frozenset[str]:
    """The names of the models that are there to try things with; none where no model wrote."""
    if not any(post.is_by_persona for post in posts):
        return frozenset()
    return frozenset(model.name for model in list_models_of(connection, EMBEDDED_BACKEND_ID))


def _parts(connection: Connection, posts: Sequence[Post], requests: Sequence[LlmRequest]) -> Mapping[int, Part]:
    """What on the page is a step of a debate or a council; nothing is read where no persona takes part."""
    ids = [post.llm_request_id for post in posts if post.llm_request_id is not None]
    return list_parts(connection, [*ids, *(request.id for request in requests)])


def _changed_quotes(connection: Connection, posts: Sequence[Post]) -> dict[int, frozenset[int]]:
    """What the page's posts quote otherwise than is noted: texts change, and other ways lead into the forum."""
    quotes = {post.id: quoted_post_ids(post.content) for post in posts if not post.is_deleted}
    quotes = {post_id: quoted for post_id, quoted in quotes.items() if quoted}
    return find_changed_quotes(connection, quotes) if quotes else {}


def _keep_quotes(changed: dict[int, frozenset[int]]) -> None:
    """Like a rendering: derived from the text, kept for the next reader, who notes it where this cannot be written."""
    try:
        with database().transaction() as connection:
            note_quotes(connection, changed)
    except Unavailable as error:
        log.event("quotes.postponed", level=log.WARNING, posts=len(changed), reason=error.message)


def _read_flat(connection: Connection, topic_id: int, place: Place, limit: int) -> Stretch:
    if place.before:
        before_id = _id_from_cursor(place.before)
        ids = written_store.list_ids_before(connection, topic_id, before_id=before_id, limit=limit)
        return Stretch(_in_order(connection, ids), has_more=True, is_flat=True)
    after_id, earlier = _id_from_cursor(place.after) if place.after else 0, list[int]()
    if place.at is not None:
        post = _own_post(connection, topic_id, place.at)
        earlier = written_store.list_ids_before(connection, topic_id, before_id=post.id, limit=limit // 4)
        after_id = post.id - 1
    rest = limit + 1 - len(earlier)
    ids = [*earlier, *written_store.list_ids_after(connection, topic_id, after_id=after_id, limit=rest)]
    return Stretch(_in_order(connection, ids[:limit]), has_more=len(ids) > limit, is_flat=True)


def _in_order(connection: Connection, post_ids: Sequence[int]) -> tuple[Post, ...]:
    return tuple(sorted(post_store.list_posts(connection, post_ids), key=lambda post: post.id))


def _id_from_cursor(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise Invalid("This place in the topic cannot be read. Start from its first page.", field="after")
    return int(cursor)


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
