"""What a reader kept: bookmarks with their notes, and the notes on topics."""

from datetime import datetime

from flask import Blueprint, Response, g, request

from forllm_server.activity import bookmark_store, keeping, note_store
from forllm_server.clock import now
from forllm_server.forum import post_store, topic_store
from forllm_server.markup.excerpt import excerpt
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form, shows_again
from forllm_server.web.fragments import notice, page, see_other
from forllm_server.web.paging import decode_cursor, encode_cursor

blueprint = Blueprint("bookmark", __name__)

PER_PAGE = 50
NOTES_SHOWN = 50
_CURSOR = (datetime, int)


@blueprint.get("/bookmarks")
def show() -> Response:
    """The bookmarks, the newest first; on the first page the notes on topics, too."""
    after = decode_cursor(request.args.get("after"), *_CURSOR)
    with current().database.read() as connection:
        bookmarks = bookmark_store.list_bookmarks(connection, current_user_id(), limit=PER_PAGE + 1, after=after)
        notes = note_store.list_notes(connection, current_user_id(), limit=NOTES_SHOWN) if after is None else []
    shown, rest = bookmarks[:PER_PAGE], bookmarks[PER_PAGE:]
    return page(
        "bookmark/list.html",
        bookmarks=[(bookmark, excerpt(bookmark.content, max_chars=200)) for bookmark in shown],
        notes=notes,
        next_cursor=encode_cursor(shown[-1].created_at, shown[-1].id) if rest else "",
        is_first=after is None,
    )


@blueprint.get("/posts/<int:post_id>/bookmark")
def show_new(post_id: int) -> Response:
    """The form that bookmarks a post; of one that is bookmarked, the form that changes the note."""
    with current().database.read() as connection:
        post = post_store.get_post(connection, post_id)
        topic = topic_store.get_topic(connection, post.topic_id)
        bookmark = bookmark_store.find_bookmark_of_post(connection, current_user_id(), post_id)
    g.subforum_id = topic.subforum_id
    if bookmark is not None:
        return see_other(f"/bookmarks/{bookmark.id}/edit")
    return page("bookmark/new.html", post=post, topic=topic, note_max_chars=keeping.NOTE_MAX_CHARS)


@blueprint.post("/posts/<int:post_id>/bookmark")
@shows_again(show_new)
def create(post_id: int) -> Response:
    """Bookmark a post, perhaps with a note. A script that stays on its page needs no answer (``is_quiet``)."""
    form = Form.of_request()
    note = form.text("note")
    with current().database.transaction() as connection:
        post = post_store.get_post(connection, post_id)
        bookmark = keeping.add_bookmark(connection, current_user_id(), post.id, note=note, now=now())
    if form.flag("is_quiet"):
        return Response(status=204)
    notice("The post is bookmarked.", undo=f"/bookmarks/{bookmark.id}/delete")
    return see_other(f"/posts/{post_id}")


@blueprint.get("/bookmarks/<int:bookmark_id>/edit")
def show_edit(bookmark_id: int) -> Response:
    """The form that changes a bookmark's note."""
    with current().database.read() as connection:
        bookmark = bookmark_store.get_bookmark(connection, current_user_id(), bookmark_id)
    return page("bookmark/edit.html", bookmark=bookmark, note_max_chars=keeping.NOTE_MAX_CHARS)


@blueprint.post("/bookmarks/<int:bookmark_id>/edit")
@shows_again(show_edit)
def change(bookmark_id: int) -> Response:
    """Give a bookmark another note."""
    note = Form.of_request().text("note")
    with current().database.transaction() as connection:
        keeping.change_bookmark(connection, current_user_id(), bookmark_id, note=note)
    return see_other("/bookmarks")


@blueprint.post("/bookmarks/<int:bookmark_id>/delete")
def delete(bookmark_id: int) -> Response:
    """Remove a bookmark and go back to where that was asked for: the list, or the post."""
    with current().database.transaction() as connection:
        bookmark = keeping.remove_bookmark(connection, current_user_id(), bookmark_id, now())
    notice("The bookmark is removed.", undo=f"/bookmarks/{bookmark_id}/restore")
    is_on_post = Form.of_request().text("next") == "post"
    return see_other(f"/posts/{bookmark.post_id}" if is_on_post else "/bookmarks")


@blueprint.post("/bookmarks/<int:bookmark_id>/restore")
def restore(bookmark_id: int) -> Response:
    """Take the removing of a bookmark back."""
    with current().database.transaction() as connection:
        keeping.restore_bookmark(connection, current_user_id(), bookmark_id)
    notice("The bookmark is back.")
    return see_other("/bookmarks")


@blueprint.get("/topics/<int:topic_id>/note")
def show_note(topic_id: int) -> Response:
    """The form of one's own note on a topic."""
    with current().database.read() as connection:
        topic = topic_store.get_topic(connection, topic_id)
        note = note_store.find_note(connection, current_user_id(), topic_id)
    g.subforum_id = topic.subforum_id
    return page("bookmark/note.html", topic=topic, note=note)


@blueprint.post("/topics/<int:topic_id>/note")
@shows_again(show_note)
def change_note(topic_id: int) -> Response:
    """Keep a note on a topic; an empty one takes it away."""
    text = Form.of_request().text("note")
    with current().database.transaction() as connection:
        note = keeping.write_note(connection, current_user_id(), topic_id, text, now())
    notice("Your note is kept." if note else "Your note is gone.")
    return see_other(f"/topics/{topic_id}")
