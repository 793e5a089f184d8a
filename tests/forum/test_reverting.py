"""Files in the history of their post: what an edit did to them, and an earlier text that comes back with its files."""

import pytest
from sqlalchemy import Connection

from forllm_server.accounts.local import LOCAL_USER_ID as YOU
from forllm_server.db import Database
from forllm_server.errors import Conflict
from forllm_server.forum import attachment_store, editing, post_store, revision_store
from forllm_server.forum.attachment_model import FileChange
from forllm_server.forum.model import Post
from forllm_server.forum.reverting import delete_file, restore_file, restore_revision
from tests.forum.test_attaching import LIMITS, attach, files_of, stage
from tests.forum.world import minutes_later, start_topic


def edit(
    connection: Connection,
    post: Post,
    content: str | None,
    *,
    added: tuple[int, ...] = (),
    removed: tuple[int, ...] = (),
    minute: int = 1,
) -> Post:
    files = FileChange(LIMITS, added=added, removed=removed)
    return editing.edit_post(
        connection, post.id, editor_id=YOU, content=content, now=minutes_later(minute), files=files
    )


def history_of(connection: Connection, post: Post) -> list[tuple[str, list[str]]]:
    return [
        (each.content, [file.name for file in each.attachments or ()])
        for each in revision_store.list_revisions(connection, post.id)
    ]


def test_an_edit_of_text_and_files_is_one_step_of_the_history(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        plan = stage(connection, b"plan", "plan.txt")
        attach(connection, root.id, plan.id)
        assert post_store.get_post(connection, root.id).revision_count == 0
        sketch = stage(connection, b"sketch", "sketch.txt")
        edited = edit(connection, root, "New", added=(plan.id, sketch.id), removed=())
        assert (edited.revision_count, edited.version, edited.edited_at) == (1, root.version + 1, minutes_later(1))
        assert history_of(connection, root) == [(root.content, ["plan.txt"])]
        # The same text with the same files is no edit.
        assert edit(connection, root, "New", added=(plan.id, sketch.id)) == edited
        only_files = edit(connection, root, None, removed=(plan.id,), minute=2)
        assert (only_files.content, only_files.revision_count) == ("New", 2)
        assert history_of(connection, root)[0] == ("New", ["plan.txt", "sketch.txt"])


def test_an_earlier_text_comes_back_with_the_files_of_then(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        plan, later = stage(connection, b"plan", "plan.txt"), stage(connection, b"later", "later.txt")
        attach(connection, root.id, plan.id)
        edit(connection, root, "New", added=(later.id,), removed=(plan.id,))
        assert files_of(connection, root.id) == ["later.txt"]
        back = restore_revision(connection, root.id, number=1, editor_id=YOU, now=minutes_later(2))
        assert (back.post.content, files_of(connection, root.id), back.lost) == (root.content, ["plan.txt"], ())
        assert history_of(connection, root)[0] == ("New", ["later.txt"])
        again = restore_revision(connection, root.id, number=2, editor_id=YOU, now=minutes_later(3))
        assert (again.post.content, files_of(connection, root.id)) == ("New", ["later.txt"])


def test_a_file_that_was_erased_is_told_and_one_attached_again_stays(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        gone, again = stage(connection, b"1", "gone.txt"), stage(connection, b"2", "again.txt")
        attach(connection, root.id, gone.id, again.id)
        edit(connection, root, "New", removed=(gone.id, again.id))
        attachment_store.delete_attachments(connection, [gone.id, again.id])
        edit(connection, root, None, added=(stage(connection, b"2", "again.txt").id,), minute=2)
        back = restore_revision(connection, root.id, number=1, editor_id=YOU, now=minutes_later(3))
        assert [each.name for each in back.lost] == ["gone.txt"]
        assert files_of(connection, root.id) == ["again.txt"]


def test_removing_a_file_and_giving_it_back_are_edits_too(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        plan = stage(connection, b"plan", "plan.txt")
        attach(connection, root.id, plan.id)
        delete_file(connection, plan.id, owner_id=YOU, now=minutes_later(1))
        restore_file(connection, plan.id, editor_id=YOU, now=minutes_later(2))
        assert [files for _, files in history_of(connection, root)] == [[], ["plan.txt"]]


def test_files_are_not_changed_over_a_newer_text(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        plan = stage(connection, b"plan", "plan.txt")
        edit(connection, root, "Newer")
        files = FileChange(LIMITS, added=(plan.id,))
        with pytest.raises(Conflict, match="was changed while you edited"):
            editing.edit_post(
                connection,
                root.id,
                editor_id=YOU,
                content="Newer",
                now=minutes_later(2),
                expected_version=root.version,
                files=files,
            )
