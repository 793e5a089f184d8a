"""Bookmarks, notes, votes and quotes."""

import pytest

from forllm_server.accounts.local import LOCAL_USER_ID as YOU
from forllm_server.activity import bookmark_store, keeping, note_store, quote_store, quoting, vote_store
from forllm_server.activity.model import Votes
from forllm_server.db import Database
from forllm_server.errors import Conflict, Invalid, NotFound
from forllm_server.forum import editing
from forllm_server.forum.topics import delete_topic
from tests.activity.world import add_subforum, later, open_topic, reply


def test_a_post_is_bookmarked_once_with_a_note_that_can_change(database: Database) -> None:
    with database.transaction() as connection:
        topic_id, post_id = open_topic(connection, add_subforum(connection))
        bookmark = keeping.add_bookmark(connection, YOU, post_id, note=" for spring ", now=later(1))
        assert (bookmark.topic_id, bookmark.note, bookmark.content) == (topic_id, "for spring", "When?")
        with pytest.raises(Conflict):
            keeping.add_bookmark(connection, YOU, post_id, note="", now=later(2))
        assert keeping.change_bookmark(connection, YOU, bookmark.id, note="").note == ""
        assert bookmark_store.list_bookmarked(connection, YOU, [post_id, 99]) == {post_id}
        with pytest.raises(Invalid):
            keeping.change_bookmark(connection, YOU, bookmark.id, note="x" * 3000)


def test_a_removed_bookmark_can_come_back_with_its_note(database: Database) -> None:
    with database.transaction() as connection:
        _, post_id = open_topic(connection, add_subforum(connection))
        bookmark = keeping.add_bookmark(connection, YOU, post_id, note="for spring", now=later(1))
        keeping.remove_bookmark(connection, YOU, bookmark.id, later(2))
        with pytest.raises(NotFound):
            keeping.remove_bookmark(connection, YOU, bookmark.id, later(2))
        assert bookmark_store.list_bookmarked(connection, YOU, [post_id]) == frozenset()
        assert bookmark_store.list_bookmarks(connection, YOU, limit=9) == []
        assert keeping.restore_bookmark(connection, YOU, bookmark.id) == bookmark
        keeping.remove_bookmark(connection, YOU, bookmark.id, later(3))
        assert keeping.add_bookmark(connection, YOU, post_id, note="anew", now=later(4)).note == "anew"


def test_bookmarks_are_listed_newest_first_in_pages_without_what_was_deleted(database: Database) -> None:
    with database.transaction() as connection:
        subforum_id = add_subforum(connection)
        topic_id, first = open_topic(connection, subforum_id)
        gone_id, elsewhere = open_topic(connection, subforum_id, 1)
        second = reply(connection, first, 2, "Secret")
        for minute, post_id in enumerate([first, second, elsewhere]):
            keeping.add_bookmark(connection, YOU, post_id, note="", now=later(minute))
        editing.delete_post(connection, second, later(9))
        delete_topic(connection, gone_id, later(9))
        found = bookmark_store.list_bookmarks(connection, YOU, limit=1)
        assert [(bookmark.post_id, bookmark.content) for bookmark in found] == [(second, "")]
        rest = bookmark_store.list_bookmarks(connection, YOU, limit=9, after=(found[0].created_at, found[0].id))
        assert [bookmark.post_id for bookmark in rest] == [first]
        assert rest[0].topic_id == topic_id


def test_a_note_on_a_topic_is_kept_replaced_and_taken_away(database: Database) -> None:
    with database.transaction() as connection:
        topic_id, _ = open_topic(connection, add_subforum(connection))
        keeping.write_note(connection, YOU, topic_id, "Ask again in March.", later(1))
        keeping.write_note(connection, YOU, topic_id, "Ask in April.", later(2))
        note = note_store.find_note(connection, YOU, topic_id)
        assert note is not None
        assert (note.content, note.changed_at, note.topic_title) == ("Ask in April.", later(2), "Roses")
        assert note_store.list_notes(connection, YOU, limit=9) == [note]
        assert keeping.write_note(connection, YOU, topic_id, "  ", later(3)) is None
        assert note_store.find_note(connection, YOU, topic_id) is None
        with pytest.raises(NotFound):
            keeping.write_note(connection, YOU, 99, "x", later(3))


def test_there_is_one_vote_a_reader_and_it_can_be_taken_back(database: Database) -> None:
    with database.transaction() as connection:
        _, post_id = open_topic(connection, add_subforum(connection))
        assert keeping.vote(connection, YOU, post_id, 1, later(1)) == Votes(up=1, own=1)
        assert keeping.vote(connection, YOU, post_id, -1, later(2)) == Votes(down=1, own=-1)
        assert vote_store.list_votes(connection, YOU, [post_id, 77]) == {post_id: Votes(down=1, own=-1)}
        assert keeping.vote(connection, YOU, post_id, 0, later(3)) == Votes()
        with pytest.raises(Invalid):
            keeping.vote(connection, YOU, post_id, 2, later(3))


def test_quotes_are_noted_and_lead_back(database: Database) -> None:
    with database.transaction() as connection:
        _, first = open_topic(connection, add_subforum(connection))
        second, third = reply(connection, first, 1), reply(connection, first, 2)
        named = {second: {first, second, 4_000}, third: {first}}
        changed = quoting.find_changed_quotes(connection, named)
        assert changed == {second: {first}, third: {first}}
        quoting.note_quotes(connection, changed)
        assert quoting.find_changed_quotes(connection, named) == {}
        assert quote_store.list_quoting(connection, [first, second]) == {first: (second, third)}
        quoting.note_quotes(connection, quoting.find_changed_quotes(connection, {second: set()}))
        assert quote_store.list_quoting(connection, [first]) == {first: (third,)}
        editing.delete_post(connection, third, later(3))
        assert quote_store.list_quoting(connection, [first]) == {}
