"""``/api/v1/bookmarks``, ``/unread`` and what a reader has with topics and posts."""

from datetime import datetime
from typing import Any

from flask import Response
from sqlalchemy import Connection

from forllm_server.activity import bookmark_store, keeping, marking, note_store, seeing, seen_store, vote_store
from forllm_server.activity.model import Attention, Bookmark, TopicNote, View, Votes
from forllm_server.api.contract import Noun, PageQuery, listing, page_of
from forllm_server.api.creating import IDEMPOTENCY_KEY, create
from forllm_server.api.schemas_activity import (
    BookmarkChange,
    BookmarkIn,
    BookmarkOut,
    MarkingIn,
    MarkingOut,
    NoteIn,
    NoteOut,
    ReadingChange,
    ReadingOut,
    SeenIn,
    UnreadCountsOut,
    UnreadTopicOut,
    VoteIn,
    VotesOut,
)
from forllm_server.clock import now
from forllm_server.errors import Invalid, NotFound
from forllm_server.forum import post_store, topic_store
from forllm_server.settings.values import read_settings
from forllm_server.web.current import current, current_user_id
from forllm_server.web.paging import decode_cursor

blueprint = Noun("Reading", "Bookmarks, notes, votes, and what is unread.")


@blueprint.route("/bookmarks", methods=["GET"])
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, listing(BookmarkOut))
def show_bookmarks(query: dict[str, Any]) -> dict[str, Any]:
    """List the bookmarks, the newest first."""
    after = decode_cursor(query.get("after"), datetime, int)
    with current().database.read() as connection:
        found = bookmark_store.list_bookmarks(connection, current_user_id(), limit=query["limit"] + 1, after=after)
    return page_of(found, query["limit"], lambda bookmark: (bookmark.created_at, bookmark.id))


@blueprint.route("/bookmarks", methods=["POST"])
@blueprint.arguments(BookmarkIn)
@blueprint.response(201, BookmarkOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def add_bookmark(values: dict[str, Any]) -> Response:
    """Bookmark a post, perhaps with a note."""

    def work(connection: Connection) -> Any:
        post = post_store.get_post(connection, values["post_id"])
        added = keeping.add_bookmark(connection, current_user_id(), post.id, note=values["note"], now=now())
        return BookmarkOut().dump(added)

    return create(work, location="/api/v1/bookmarks/{id}")


@blueprint.route("/bookmarks/<int:bookmark_id>", methods=["GET"])
@blueprint.response(200, BookmarkOut)
def show_bookmark(bookmark_id: int) -> Bookmark:
    """Read one bookmark."""
    with current().database.read() as connection:
        return bookmark_store.get_bookmark(connection, current_user_id(), bookmark_id)


@blueprint.route("/bookmarks/<int:bookmark_id>", methods=["PATCH"])
@blueprint.arguments(BookmarkChange)
@blueprint.response(200, BookmarkOut)
def change_bookmark(values: dict[str, Any], bookmark_id: int) -> Bookmark:
    """Give a bookmark another note."""
    with current().database.transaction() as connection:
        return keeping.change_bookmark(connection, current_user_id(), bookmark_id, note=values["note"])


@blueprint.route("/bookmarks/<int:bookmark_id>", methods=["DELETE"])
@blueprint.response(204)
def remove_bookmark(bookmark_id: int) -> str:
    """Remove a bookmark."""
    with current().database.transaction() as connection:
        keeping.remove_bookmark(connection, current_user_id(), bookmark_id, now())
    return ""


@blueprint.route("/topics/<int:topic_id>/note", methods=["GET"])
@blueprint.response(200, NoteOut)
def show_note(topic_id: int) -> TopicNote:
    """Read one's own note on a topic."""
    with current().database.read() as connection:
        topic_store.get_topic(connection, topic_id)
        note = note_store.find_note(connection, current_user_id(), topic_id)
    if note is None:
        raise NotFound("There is no note on this topic.")
    return note


@blueprint.route("/topics/<int:topic_id>/note", methods=["PUT"])
@blueprint.arguments(NoteIn)
@blueprint.response(200, NoteOut)
def replace_note(values: dict[str, Any], topic_id: int) -> TopicNote | None:
    """Keep a note on a topic, in place of the one before. No model is shown it."""
    with current().database.transaction() as connection:
        note = keeping.write_note(connection, current_user_id(), topic_id, values["content"], now())
    if note is None:
        raise Invalid("A note needs a text. Delete it to take it away.", field="content")
    return note


@blueprint.route("/topics/<int:topic_id>/note", methods=["DELETE"])
@blueprint.response(204)
def delete_note(topic_id: int) -> str:
    """Take the note on a topic away."""
    with current().database.transaction() as connection:
        keeping.write_note(connection, current_user_id(), topic_id, "", now())
    return ""


@blueprint.route("/posts/<int:post_id>/votes", methods=["GET"])
@blueprint.response(200, VotesOut)
def show_votes(post_id: int) -> Votes:
    """Read the votes on a post."""
    with current().database.read() as connection:
        post_store.get_post(connection, post_id)
        return vote_store.list_votes(connection, current_user_id(), [post_id]).get(post_id, Votes())


@blueprint.route("/posts/<int:post_id>/votes", methods=["PUT"])
@blueprint.arguments(VoteIn)
@blueprint.response(200, VotesOut)
def replace_vote(values: dict[str, Any], post_id: int) -> Votes:
    """Vote for or against a post, in place of one's vote before."""
    with current().database.transaction() as connection:
        post_store.get_post(connection, post_id)
        return keeping.vote(connection, current_user_id(), post_id, values["value"], now())


@blueprint.route("/topics/<int:topic_id>/reading", methods=["GET"])
@blueprint.response(200, ReadingOut)
def show_reading(topic_id: int) -> dict[str, Any]:
    """Tell what is unread in a topic, whether it is watched or muted, and how it is read."""
    with current().database.read() as connection:
        return _reading(connection, topic_id)


@blueprint.route("/topics/<int:topic_id>/reading", methods=["PATCH"])
@blueprint.arguments(ReadingChange)
@blueprint.response(200, ReadingOut)
def change_reading(values: dict[str, Any], topic_id: int) -> dict[str, Any]:
    """Watch or mute a topic, or choose how it is read."""
    with current().database.transaction() as connection:
        if "attention" in values:
            attention = Attention(values["attention"]) if values["attention"] else None
            seeing.attend(connection, current_user_id(), topic_id, attention)
        if "view" in values:
            view = View(values["view"]) if values["view"] else None
            seeing.choose_view(connection, current_user_id(), topic_id, view)
        return _reading(connection, topic_id)


@blueprint.route("/topics/<int:topic_id>/seen", methods=["POST"])
@blueprint.arguments(SeenIn)
@blueprint.response(200, ReadingOut)
def see(values: dict[str, Any], topic_id: int) -> dict[str, Any]:
    """Mark posts of a topic as seen, or all of it."""
    with current().database.transaction() as connection:
        if "post_ids" in values:
            seeing.see_posts(connection, current_user_id(), topic_id, values["post_ids"])
        else:
            seeing.see_topic(connection, current_user_id(), topic_id)
        return _reading(connection, topic_id)


@blueprint.route("/unread", methods=["GET"])
@blueprint.response(200, UnreadCountsOut)
def show_unread() -> dict[str, Any]:
    """Count the topics with something unread."""
    with current().database.read() as connection:
        counts = seen_store.count_unread_topics(connection, current_user_id())
    subforums = [{"subforum_id": subforum_id, "topics": count} for subforum_id, count in sorted(counts.items())]
    return {"topics": sum(counts.values()), "subforums": subforums}


@blueprint.route("/unread/topics", methods=["GET"])
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, listing(UnreadTopicOut))
def show_unread_topics(query: dict[str, Any]) -> dict[str, Any]:
    """List the topics with something unread, the newest activity first."""
    after = decode_cursor(query.get("after"), datetime, int)
    with current().database.read() as connection:
        found = seen_store.list_unread_topics(connection, current_user_id(), limit=query["limit"] + 1, after=after)
    return page_of(found, query["limit"], lambda topic: (topic.last_post_at, topic.id))


@blueprint.route("/unread/markings", methods=["POST"])
@blueprint.arguments(MarkingIn)
@blueprint.response(201, MarkingOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def mark_all(values: dict[str, Any]) -> Response:
    """Mark everything as read, or everything in one subforum."""

    def work(connection: Connection) -> Any:
        marked_at = seeing.see_all(connection, current_user_id(), now(), subforum_id=values["subforum_id"])
        return MarkingOut().dump({"id": marking.number_of(marked_at), "marked_at": marked_at})

    return create(work, location="/api/v1/unread/markings/{id}")


@blueprint.route("/unread/markings/<int:number>", methods=["DELETE"])
@blueprint.response(204)
def undo_marking(number: int) -> str:
    """Take a marking back: what was unread before is unread again."""
    with current().database.transaction() as connection:
        if not seeing.unsee_all(connection, current_user_id(), marking.moment_of(number)):
            raise NotFound("There is no such marking. It was taken back already, or all was marked again since.")
    return ""


def _reading(connection: Connection, topic_id: int) -> dict[str, Any]:
    topic_store.get_topic(connection, topic_id)
    reading = seen_store.get_topic_reading(connection, current_user_id(), topic_id)
    view = reading.view or View(read_settings(connection).thread_view)
    is_muted = reading.attention is Attention.MUTED
    first = None
    if reading.has_unread and not is_muted:
        first = seen_store.find_first_unread(
            connection, current_user_id(), topic_id, reading.until_post_id, is_flat=view is View.FLAT
        )
    return {
        "has_unread": first is not None,
        "first_unread_post_id": first.id if first else None,
        "attention": reading.attention,
        "view": reading.view,
    }
