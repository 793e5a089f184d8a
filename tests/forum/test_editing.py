"""Posts: written, edited, deleted, restored."""

import pytest

from forllm_server.accounts.local import LOCAL_USER_ID as YOU
from forllm_server.db import Database
from forllm_server.errors import Conflict, Invalid, NotAllowed, NotFound
from forllm_server.forum import editing, post_store, reverting, revision_store, topic_store, topics
from forllm_server.forum.model import AuthorKind
from tests.forum.world import EVENING, answer, minutes_later, open_topic, reply, start_topic


def test_a_reply_is_one_deeper_and_moves_the_topic_up(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        first = reply(connection, root.id, minute=5)
        after = topic_store.get_topic(connection, topic.id)
        parent = post_store.get_post(connection, root.id)
    assert (first.parent_id, first.depth, first.author_kind) == (root.id, 1, AuthorKind.PERSON)
    assert (after.post_count, after.last_post_at, after.version) == (2, minutes_later(5), topic.version + 1)
    assert parent.child_count == 1


def test_line_ends_are_made_one_kind_and_words_are_left_alone(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        assert reply(connection, root.id, "  one\r\n\ttwo  \n").content == "  one\n\ttwo  \n"


@pytest.mark.parametrize("content", ["", " \n\t", "\u200b", "x" * 262_145, "ü" * 131_073])
def test_a_reply_that_is_blank_or_beyond_256_kib_is_refused(database: Database, content: str) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection, pytest.raises(Invalid) as refused:
        reply(connection, root.id, content)
    assert refused.value.field == "content"


def test_a_reply_of_256_kib_is_taken_whole(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        assert len(reply(connection, root.id, "x" * 262_144).content) == 262_144


def test_a_reply_to_nothing_or_to_a_deleted_post_is_refused_and_counts_nothing(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        first = reply(connection, root.id)
        editing.delete_post(connection, first.id, EVENING)
    with pytest.raises(NotFound), database.transaction() as connection:
        reply(connection, 404)
    with pytest.raises(Conflict, match="deleted"), database.transaction() as connection:
        reply(connection, first.id)
    with database.read() as connection:
        assert post_store.get_post(connection, first.id).child_count == 0
        assert topic_store.get_topic(connection, topic.id).post_count == 1


def test_a_reply_given_a_topic_must_have_its_parent_there(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        other, _ = open_topic(connection, topic.subforum_id, "Bread")
        with pytest.raises(NotFound, match="not in this topic") as refused:
            editing.add_reply(
                connection, owner_id=YOU, parent_id=root.id, topic_id=other.id, content="Hello", now=EVENING
            )
    assert refused.value.field == "parent_id"


def test_an_answer_remembers_how_it_came_about(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        post = editing.add_answer(connection, answer(root.id), minutes_later(3))
        assert post_store.find_post_of_llm_request(connection, 77) == post
    assert (post.is_by_persona, post.author_name, post.model_name) == (True, "Assistant", "tiny")
    assert (post.parameters, post.usage, post.finish_reason) == ({"temperature": 0.5}, {"output_tokens": 3}, "stop")
    assert (post.thinking, post.persona_version_id, post.question_version) == ("Roses want pruning.", 1, 1)


def test_one_llm_request_is_answered_once(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        editing.add_answer(connection, answer(root.id), EVENING)
    with pytest.raises(Conflict, match="answered already"), database.transaction() as connection:
        editing.add_answer(connection, answer(root.id, content="Again"), EVENING)
    with database.read() as connection:
        assert post_store.count_posts(connection, topic.id) == 2


def test_an_answer_too_long_for_a_post_is_cut_and_says_so(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        post = editing.add_answer(connection, answer(root.id, content="ü" * 200_000), EVENING)
    assert (len(post.content), post.finish_reason) == (131_072, "length")


def test_an_answer_with_what_no_database_holds_is_kept(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        post = editing.add_answer(connection, answer(root.id, content="a\x00b\ud800c"), EVENING)
    assert (post.content, post.finish_reason) == ("a\ufffdb\ufffdc", "stop")


def test_an_answer_without_words_is_refused(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection, pytest.raises(Invalid):
        editing.add_answer(connection, answer(root.id, content=" \n"), EVENING)


def test_an_edit_keeps_the_earlier_text(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        post_store.update_html(connection, root, "<p>old</p>", 1)
        for minute, text in ((1, "Second"), (2, "Third")):
            edited = editing.edit_post(connection, root.id, editor_id=YOU, content=text, now=minutes_later(minute))
        revisions = revision_store.list_revisions(connection, root.id)
        after = topic_store.get_topic(connection, topic.id)
    assert (edited.content, edited.version, edited.revision_count) == ("Third", 3, 2)
    assert (edited.edited_at, edited.content_html) == (minutes_later(2), None)
    assert [(revision.number, revision.content) for revision in revisions] == [(2, "Second"), (1, "When to prune?")]
    assert (revisions[0].written_at, revisions[0].replaced_at) == (minutes_later(1), minutes_later(2))
    assert (revisions[1].written_at, revisions[1].editor_name) == (EVENING, "You")
    assert (after.version, after.last_post_at) == (topic.version + 2, EVENING)


def test_an_edit_that_changes_nothing_leaves_no_trace(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        same = editing.edit_post(connection, root.id, editor_id=YOU, content=root.content, now=minutes_later(1))
        assert revision_store.list_revisions(connection, root.id) == []
        assert topic_store.get_version(connection, topic.id) == topic.version
    assert same == root


def test_an_edit_begun_before_another_one_is_not_lost_silently(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        editing.edit_post(connection, root.id, editor_id=YOU, content="Mine", now=EVENING, expected_version=1)
        with pytest.raises(Conflict, match="changed while you edited"):
            editing.edit_post(connection, root.id, editor_id=YOU, content="Yours", now=EVENING, expected_version=1)
        assert post_store.get_post(connection, root.id).content == "Mine"


def test_an_earlier_text_comes_back_as_a_new_edit(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        editing.edit_post(connection, root.id, editor_id=YOU, content="Second", now=minutes_later(1))
        back = reverting.restore_revision(connection, root.id, number=1, editor_id=YOU, now=minutes_later(2)).post
        assert (back.content, back.version, back.revision_count) == ("When to prune?", 3, 2)
        assert revision_store.get_revision(connection, root.id, 2).content == "Second"
        with pytest.raises(NotFound):
            reverting.restore_revision(connection, root.id, number=9, editor_id=YOU, now=EVENING)


def test_a_deleted_post_keeps_its_place_and_loses_its_words(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        first = editing.add_answer(connection, answer(root.id), minutes_later(1))
        below = reply(connection, first.id, minute=2)
        post_store.update_html(connection, first, "<p>In March.</p>", 1)
        editing.edit_post(connection, first.id, editor_id=YOU, content="In April.", now=minutes_later(3))
        deleted = editing.delete_post(connection, first.id, minutes_later(4))
        page = post_store.list_page(connection, topic.id, limit=10)
        assert revision_store.list_revisions(connection, first.id) == []
        assert topic_store.get_topic(connection, topic.id).post_count == 2
    assert (deleted.is_deleted, deleted.content, deleted.content_html, deleted.thinking) == (True, "", None, None)
    assert [post.id for post in page] == [root.id, first.id, below.id]
    assert deleted.version == 3


def test_deleting_and_restoring_the_newest_post_moves_the_last_activity(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        reply(connection, root.id, minute=1)
        newest = reply(connection, root.id, "Newest", minute=2)
        editing.delete_post(connection, newest.id, minutes_later(3))
        without = topic_store.get_topic(connection, topic.id)
        back = editing.restore_post(connection, newest.id)
        restored = topic_store.get_topic(connection, topic.id)
    assert (without.post_count, without.last_post_at) == (2, minutes_later(1))
    assert (restored.post_count, restored.last_post_at) == (3, minutes_later(2))
    assert (back.content, back.version, back.is_deleted) == ("Newest", 3, False)


def test_deleting_and_restoring_twice_counts_once(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        first = reply(connection, root.id)
        for _ in range(2):
            editing.delete_post(connection, first.id, EVENING)
        assert topic_store.get_topic(connection, topic.id).post_count == 1
        for _ in range(2):
            editing.restore_post(connection, first.id)
        assert topic_store.get_topic(connection, topic.id).post_count == 2


def test_the_first_post_cannot_be_deleted_alone(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection, pytest.raises(NotAllowed, match="Delete the topic instead"):
        editing.delete_post(connection, root.id, EVENING)


def test_a_deleted_post_cannot_be_edited(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        first = reply(connection, root.id)
        editing.delete_post(connection, first.id, EVENING)
        with pytest.raises(Conflict, match="Restore it"):
            editing.edit_post(connection, first.id, editor_id=YOU, content="Hello", now=EVENING)


def test_posts_of_a_deleted_topic_cannot_be_touched(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        first = reply(connection, root.id)
        topics.delete_topic(connection, topic.id, EVENING)
        for act in (
            lambda: editing.edit_post(connection, first.id, editor_id=YOU, content="Hello", now=EVENING),
            lambda: editing.delete_post(connection, first.id, EVENING),
            lambda: editing.restore_post(connection, first.id),
            lambda: editing.add_answer(connection, answer(first.id), EVENING),
        ):
            with pytest.raises(NotFound):
                act()
