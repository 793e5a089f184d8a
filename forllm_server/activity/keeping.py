"""Bookmarks with notes, notes on topics, votes on posts."""

from datetime import datetime

from sqlalchemy import Connection

from forllm_server.activity import bookmark_store, note_store, seen_store, vote_store
from forllm_server.activity.model import Bookmark, TopicNote, Votes
from forllm_server.errors import Invalid
from forllm_server.markup.names import clean_text

NOTE_MAX_CHARS = 2_000
TOPIC_NOTE_MAX_CHARS = 20_000


def add_bookmark(connection: Connection, user_id: int, post_id: int, *, note: str, now: datetime) -> Bookmark:
    """Bookmark a post that is there. Raises Conflict (bookmarked already) or Invalid (the note)."""
    bookmark_id = bookmark_store.insert_bookmark(connection, user_id, post_id, clean_note(note), now)
    return bookmark_store.get_bookmark(connection, user_id, bookmark_id)


def change_bookmark(connection: Connection, user_id: int, bookmark_id: int, *, note: str) -> Bookmark:
    """Give a bookmark another note. Raises NotFound or Invalid."""
    bookmark_store.get_bookmark(connection, user_id, bookmark_id)
    bookmark_store.update_bookmark(connection, bookmark_id, note=clean_note(note))
    return bookmark_store.get_bookmark(connection, user_id, bookmark_id)


def remove_bookmark(connection: Connection, user_id: int, bookmark_id: int, now: datetime) -> Bookmark:
    """Remove a bookmark; what it was. Raises NotFound."""
    bookmark = bookmark_store.get_bookmark(connection, user_id, bookmark_id)
    bookmark_store.update_bookmark(connection, bookmark_id, removed_at=now)
    return bookmark


def restore_bookmark(connection: Connection, user_id: int, bookmark_id: int) -> Bookmark:
    """Take the removing of a bookmark back, with its note. Raises NotFound."""
    bookmark_store.update_restored_bookmark(connection, user_id, bookmark_id)
    return bookmark_store.get_bookmark(connection, user_id, bookmark_id)


def write_note(connection: Connection, user_id: int, topic_id: int, content: str, now: datetime) -> TopicNote | None:
    """Keep a note on a topic; an empty one takes it away. Raises NotFound or Invalid."""
    seen_store.get_topic_state(connection, topic_id)
    if not content.strip():
        note_store.delete_note(connection, user_id, topic_id)
        return None
    text = clean_text(content, field="note", max_chars=TOPIC_NOTE_MAX_CHARS)
    note_store.replace_note(connection, user_id, topic_id, text, now)
    return note_store.find_note(connection, user_id, topic_id)


def vote(connection: Connection, user_id: int, post_id: int, value: int, now: datetime) -> Votes:
    """Vote for (1) or against (-1) a post that is there; 0 takes the vote back. Raises Invalid."""
    if value not in (-1, 0, 1):
        raise Invalid("A vote is 1, -1 or 0.", field="value")
    if value:
        vote_store.replace_vote(connection, user_id, post_id, value, now)
    else:
        vote_store.delete_vote(connection, user_id, post_id)
    return vote_store.list_votes(connection, user_id, [post_id]).get(post_id, Votes())


def clean_note(note: str) -> str:
    """A bookmark's note as it is stored: trimmed, possibly empty. Raises Invalid."""
    return clean_text(note, field="note", max_chars=NOTE_MAX_CHARS).strip() if note.strip() else ""
