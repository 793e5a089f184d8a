"""Posts are rendered once, outside a transaction, and only what still holds is kept."""

import pytest

from forllm_server.accounts.local import LOCAL_USER_ID as YOU
from forllm_server.db import Database
from forllm_server.forum import editing, post_store, rendering
from forllm_server.forum.rendering import ensure_html
from tests.forum.world import EVENING, counted_statements, reply, start_topic


def test_a_post_is_rendered_at_first_sight_and_read_from_then_on(database: Database) -> None:
    _, root = start_topic(database)
    [rendered] = ensure_html(database, [root])
    assert "<p>When to prune?</p>" in (rendered.content_html or "")
    with database.read() as connection:
        kept = post_store.get_post(connection, root.id)
    assert kept == rendered
    with counted_statements(database) as statements:
        assert ensure_html(database, [kept]) == [kept]
    assert statements == []


def test_a_new_version_of_the_renderer_renders_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    _, root = start_topic(database)
    [rendered] = ensure_html(database, [root])
    monkeypatch.setattr(rendering, "RENDER_VERSION", rendered.render_version + 1)
    [again] = ensure_html(database, [rendered])
    assert again.render_version == rendered.render_version + 1


def test_an_edit_meanwhile_is_not_hidden_by_the_old_rendering(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        editing.edit_post(connection, root.id, editor_id=YOU, content="Changed", now=EVENING)
    ensure_html(database, [root])
    with database.read() as connection:
        assert post_store.get_post(connection, root.id).content_html is None


def test_deleted_posts_are_not_rendered_and_order_is_kept(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        first = editing.delete_post(connection, reply(connection, root.id).id, EVENING)
        second = reply(connection, root.id)
    shown = ensure_html(database, [second, first, root])
    assert [post.id for post in shown] == [second.id, first.id, root.id]
    assert [post.content_html is None for post in shown] == [False, True, False]


def test_a_locked_database_still_shows_what_was_rendered(sqlite_database: Database) -> None:
    _, root = start_topic(sqlite_database)
    assert sqlite_database.path is not None
    hasty = Database.at(sqlite_database.path, busy_timeout_seconds=0.05)
    with sqlite_database.transaction():
        [rendered] = ensure_html(hasty, [root])
    hasty.close()
    assert rendered.content_html is not None
