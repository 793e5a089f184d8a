"""Importing an original FORLLM's database: once, again, and after it has grown."""

import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from forllm_server.db import Database
from forllm_server.errors import Invalid, Unavailable
from forllm_server.exchange import importing_threads
from forllm_server.exchange.ledger import ImportReport
from forllm_server.exchange.original import import_original
from forllm_server.forum import post_store, subforum_store, topic_store
from forllm_server.forum.model import Post
from forllm_server.forum.topics import delete_topic
from forllm_server.personas import persona_store, version_store
from forllm_server.queue import llm_request_store, prompt_store
from forllm_server.queue.model import LlmRequest, Status
from forllm_server.schedule import window_store
from forllm_server.settings.values import change_settings, read_settings
from tests.catalog.world import add as add_backend
from tests.catalog.world import add_model
from tests.exchange.original_database import SCEPTIC, Original, make_original

_TABLES = (
    "subforums",
    "topics",
    "posts",
    "personas",
    "persona_versions",
    "llm_requests",
    "llm_prompts",
    "schedule_windows",
    "settings",
)
NOW = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)


@pytest.fixture
def original(tmp_path: Path) -> Original:
    return make_original(tmp_path / "original.db")


def _import(database: Database, original: Original) -> ImportReport:
    return import_original(database, original.path, owner_id=1, now=NOW)


def _posts(database: Database) -> list[Post]:
    """The posts of the only topic in the order of its thread."""
    with database.read() as connection:
        (topic,) = topic_store.list_recent_topics(connection, limit=10)
        return post_store.list_page(connection, topic.id, limit=100)


def _requests(database: Database, *statuses: Status) -> list[LlmRequest]:
    with database.read() as connection:
        return llm_request_store.list_llm_requests(connection, statuses=statuses, limit=100)


def _everything(database: Database) -> dict[str, list[Any]]:
    with database.read() as connection:
        return {table: sorted(map(repr, connection.execute(text(f"SELECT * FROM {table}")))) for table in _TABLES}


def test_a_thread_arrives_with_its_branches_authors_and_times(database: Database, original: Original) -> None:
    report = _import(database, original)
    posts = _posts(database)
    assert [(post.depth, post.content.split("\n")[0], post.author_name) for post in posts] == [
        (0, "Which one for a *small* NAS?", "You"),
        (1, "I meant with ECC.", "You"),
        (2, "ECC is not the question.", "Sceptic"),
        (1, "Neither, prove me wrong.", "Sceptic"),
        (2, "Fair enough.", "You"),
    ]
    assert posts[1].created_at == datetime(2025, 6, 1, 10, 30, tzinfo=UTC)
    assert posts[2].model_name == "llama3"
    assert report.added["post"] == 5
    with database.read() as connection:
        assert [one.name for one in subforum_store.list_subforums(connection)] == ["Homelab", "Reading"]
        topic = topic_store.get_topic(connection, posts[0].topic_id)
    assert (topic.title, topic.post_count) == ("ZFS or Btrfs?", 5)
    assert topic.last_post_at == datetime(2025, 6, 1, 14, tzinfo=UTC)


def test_attached_files_are_named_in_their_post_in_order(sqlite_database: Database, original: Original) -> None:
    report = _import(sqlite_database, original)
    content = _posts(sqlite_database)[0].content
    assert content.endswith("Attached in the original:\n\n- `zpool.txt`\n- `dmesg.txt`")
    assert "/srv/up" not in content
    assert any("names are kept" in note for note in report.notes)


def test_personas_arrive_with_versions_and_each_reply_with_the_one_of_its_time(
    database: Database, original: Original
) -> None:
    _import(database, original)
    replies = [post for post in _posts(database) if post.is_by_persona]
    with database.read() as connection:
        personas = {persona.name: persona for persona in persona_store.list_personas(connection)}
        versions = version_store.list_versions(connection, personas["Sceptic"].id)[::-1]
        retired = connection.execute(text("SELECT deleted_at FROM personas WHERE name = 'Retired'")).scalar_one()
    # the original's own persona says what the built-in one says, so it is that one
    assert set(personas) == {"Assistant", "Sceptic"}
    assert retired is not None
    assert [version.instructions for version in versions] == list(SCEPTIC)
    assert versions[0].created_at == datetime(2025, 5, 2, 8, tzinfo=UTC)
    by_text = {reply.content: reply.persona_version_id for reply in replies}
    assert by_text["Neither, prove me wrong."] == versions[0].id
    assert by_text["ECC is not the question."] == versions[1].id


def test_the_default_of_a_subforum_arrives(sqlite_database: Database, original: Original) -> None:
    _import(sqlite_database, original)
    with sqlite_database.read() as connection:
        rows = connection.execute(
            text(
                "SELECT s.name, p.name, a.is_default FROM persona_assignments a "
                "JOIN subforums s ON s.id = a.subforum_id JOIN personas p ON p.id = a.persona_id"
            )
        ).all()
    assert [tuple(row) for row in rows] == [("Homelab", "Sceptic", 1)]


def test_requests_arrive_as_history_failures_and_held_ones_and_nothing_starts(
    database: Database, original: Original
) -> None:
    report = _import(database, original)
    replies = {post.id: post for post in _posts(database) if post.is_by_persona}
    done = _requests(database, Status.SUCCEEDED)
    assert {request.reply_post_id for request in done} == set(replies)
    for request in done:
        assert request.post_id == replies[request.reply_post_id or 0].parent_id
        assert request.finish_reason == "stop"
        assert replies[request.reply_post_id or 0].llm_request_id == request.id
    assert {request.created_at for request in done} == {datetime(2025, 6, 1, 10, 10, tzinfo=UTC)}
    assert len(_requests(database, Status.HELD)) == 2
    (failed,) = _requests(database, Status.FAILED)
    assert failed.cause_detail == "Ollama stream ended unexpectedly"
    assert failed.finished_at == datetime(2025, 6, 1, 15, tzinfo=UTC)
    assert _requests(database, Status.QUEUED, Status.WAITING, Status.RUNNING) == []
    assert any("release them" in note for note in report.notes)
    for words in ("another persona's reply", "drafting of personas", "no longer there"):
        assert any("left out" in note and words in note for note in report.notes)


def test_the_prompt_that_was_sent_is_kept(sqlite_database: Database, original: Original) -> None:
    _import(sqlite_database, original)
    with sqlite_database.read() as connection:
        prompts = [
            prompt_store.find_prompt(connection, request.id) for request in _requests(sqlite_database, Status.SUCCEEDED)
        ]
    (kept,) = [prompt for prompt in prompts if prompt is not None]
    assert kept.messages[0]["content"].startswith("Doubt everything.")


def test_hours_become_windows_and_settings_are_mapped(database: Database, original: Original) -> None:
    report = _import(database, original)
    with database.read() as connection:
        night, day = window_store.list_windows(connection)
        settings = read_settings(connection)
        sceptic = persona_store.find_persona_by_name_key(connection, "sceptic")
    assert (night.day_list, night.start_minute, night.end_minute, night.is_enabled) == (["fri", "sat"], 1320, 360, True)
    assert (len(day.day_list), day.start_minute, day.end_minute, day.is_enabled) == (7, 540, 1440, False)
    assert sceptic is not None
    assert settings.default_persona_id == sceptic.id
    assert (settings.default_context_tokens, settings.theme, settings.shows_link_warning) == (8192, "dark", False)
    assert settings.default_model_id is None
    assert any("selectedModel" in note and "llama3" in note for note in report.notes)
    assert (settings.ambient_posts, settings.ambient_percent, settings.ambient) == (3, 40, "off")
    assert any("autoCheckContextWindow" in note for note in report.notes)


def test_a_model_of_the_same_name_here_is_used(sqlite_database: Database, original: Original) -> None:
    with sqlite_database.transaction() as connection:
        model = add_model(connection, add_backend(connection).id, "llama3:latest")
    _import(sqlite_database, original)
    with sqlite_database.read() as connection:
        assert read_settings(connection).default_model_id == model.id
    for request in _requests(sqlite_database, Status.HELD):
        assert (request.backend_id, request.model_id) == (model.backend_id, model.id)


def test_a_second_import_changes_nothing(database: Database, original: Original) -> None:
    first = _import(database, original)
    before = _everything(database)
    second = _import(database, original)
    assert _everything(database) == before
    assert second.is_empty
    assert second.known["post"] == first.added["post"]
    assert second.known["topic"] == 1


def test_what_came_since_the_last_import_is_added(database: Database, original: Original) -> None:
    _import(database, original)
    original.post(1, 5, "One more thing.", "2025-07-01 10:00:00")
    by_sceptic = {"is_llm_response": 1, "llm_model_id": "llama3", "llm_persona_id": "2"}
    original.post(1, 5, "At last.", "2025-07-01 09:00:00", **by_sceptic)
    original.execute("UPDATE llm_requests SET status = 'complete' WHERE request_id = 3")
    original.insert("topics", subforum_id=2, user_id=1, title="Dune", created_at="2025-07-02 10:00:00")
    original.post(2, None, "Worth it?", "2025-07-02 10:00:00")
    original.insert(
        "persona_versions",
        persona_id=2,
        name="Sceptic",
        prompt_instructions="Doubt less.",
        updated_at="2025-08-01 08:00:00",
        version=3,
    )
    original.execute("UPDATE personas SET prompt_instructions = 'Doubt less.' WHERE persona_id = 2")
    held_before = {request.id for request in _requests(database, Status.HELD)}
    report = _import(database, original)
    assert {kind: number for kind, number in report.added.items() if number} == {
        "persona_version": 1,
        "post": 3,
        "topic": 1,
    }
    with database.read() as connection:
        topics = topic_store.list_recent_topics(connection, limit=10)
        assert [topic.title for topic in topics] == ["Dune", "ZFS or Btrfs?"]
        posts = post_store.list_page(connection, topics[1].id, limit=100)
        sceptic = persona_store.find_persona_by_name_key(connection, "sceptic")
    assert [(post.depth, post.content) for post in posts[-3:]] == [
        (2, "Fair enough."),
        (3, "At last."),
        (3, "One more thing."),
    ]
    assert sceptic is not None
    assert sceptic.version.number == 3
    # the request that was held became the history of the reply that came meanwhile
    reply = posts[-2]
    assert reply.llm_request_id in held_before
    assert [one.status for one in _requests(database) if one.id == reply.llm_request_id] == [Status.SUCCEEDED]
    before = _everything(database)
    assert _import(database, original).is_empty
    assert _everything(database) == before


def test_what_a_person_changed_here_stays(sqlite_database: Database, original: Original) -> None:
    _import(sqlite_database, original)
    with sqlite_database.transaction() as connection:
        change_settings(connection, {"theme": "light"}, NOW)
        delete_topic(connection, _posts(sqlite_database)[0].topic_id, NOW)
    original.post(1, 1, "Into the trash.", "2025-07-01 10:00:00")
    report = _import(sqlite_database, original)
    with sqlite_database.read() as connection:
        assert read_settings(connection).theme == "light"
        assert topic_store.list_recent_topics(connection, limit=10) == []
    assert "topic" not in {kind for kind, number in report.added.items() if number}


def test_a_setting_made_here_before_the_import_stays(sqlite_database: Database, original: Original) -> None:
    with sqlite_database.transaction() as connection:
        change_settings(connection, {"default_context_tokens": 2048}, NOW)
    _import(sqlite_database, original)
    with sqlite_database.read() as connection:
        assert read_settings(connection).default_context_tokens == 2048


def test_the_file_is_never_written(sqlite_database: Database, original: Original) -> None:
    before = original.path.read_bytes()
    original.path.chmod(0o400)
    _import(sqlite_database, original)
    assert original.path.read_bytes() == before
    assert [path.name for path in original.path.parent.glob("original*")] == ["original.db"]


def test_a_copy_is_known_and_another_forum_is_not(
    sqlite_database: Database, original: Original, tmp_path: Path
) -> None:
    _import(sqlite_database, original)
    copy = Original(tmp_path / "copy.db")
    shutil.copy(original.path, copy.path)
    assert _import(sqlite_database, copy).is_empty
    other = make_original(tmp_path / "other.db")
    other.execute("UPDATE personas SET created_at = '2025-05-09 08:00:00' WHERE persona_id = 1")
    report = _import(sqlite_database, other)
    assert report.added["topic"] == 1
    assert any("is here already" in note for note in report.notes)


def test_an_interrupted_import_is_completed_by_the_next(
    sqlite_database: Database, original: Original, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("forllm_server.exchange.importing_threads._BATCH", 2)
        calls = []

        def fail_late(*args: Any, **kwargs: Any) -> Any:
            calls.append(args)
            if len(calls) == 4:
                raise KeyboardInterrupt
            return add_post(*args, **kwargs)

        add_post = importing_threads._add_post
        broken.setattr(importing_threads, "_add_post", fail_late)
        with pytest.raises(KeyboardInterrupt):
            _import(sqlite_database, original)
    assert len(_posts(sqlite_database)) == 3
    _import(sqlite_database, original)
    assert len(_posts(sqlite_database)) == 5
    assert len(_requests(sqlite_database, Status.SUCCEEDED)) == 2


def test_texts_that_the_rules_refuse_are_made_to_fit(sqlite_database: Database, original: Original) -> None:
    original.execute("UPDATE subforums SET name = '   ' WHERE subforum_id = 2")
    original.insert("topics", subforum_id=2, user_id=1, title="t" * 5000)
    original.post(2, None, "", "2025-07-01 10:00:00")
    original.post(2, 6, "line\n" * 80_000, "2025-07-01 10:00:00")
    original.post(2, 999, "An orphan.", "not a time")
    original.insert("topics", subforum_id=77, user_id=1, title="Nowhere")
    original.post(3, None, "x", "2025-07-01 10:00:00")
    original.insert("topics", subforum_id=2, user_id=1, title="Empty")
    original.insert("personas", name="\u202e", prompt_instructions="")
    report = _import(sqlite_database, original)
    with sqlite_database.read() as connection:
        names = [one.name for one in subforum_store.list_subforums(connection)]
        fitted = next(
            topic for topic in topic_store.list_recent_topics(connection, limit=10) if topic.title.startswith("ttt")
        )
        posts = post_store.list_page(connection, fitted.id, limit=10)
    assert names == ["Homelab", "Subforum 2"]
    assert len(fitted.title) == 200
    assert [post.depth for post in posts] == [0, 1, 2, 1]
    assert posts[0].content == "*(no text)*"
    assert (posts[1].content + posts[2].content).count("line") == 80_000
    assert posts[3].content == "An orphan."
    assert posts[3].created_at == NOW
    assert any("subforum is missing" in note for note in report.notes)
    assert any("no posts" in note for note in report.notes)


def test_a_ring_of_posts_is_unrolled(sqlite_database: Database, original: Original) -> None:
    original.execute("UPDATE posts SET parent_post_id = 5 WHERE post_id = 2")
    _import(sqlite_database, original)
    assert len(_posts(sqlite_database)) == 5


def test_an_early_version_without_personas_and_requests_is_read(sqlite_database: Database, original: Original) -> None:
    with original.writing() as connection:
        for table in ("personas", "persona_versions", "subforum_personas", "llm_requests", "attachments", "settings"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("ALTER TABLE schedule DROP COLUMN days_active")
    report = _import(sqlite_database, original)
    assert report.added["post"] == 5
    replies = [post for post in _posts(sqlite_database) if post.is_by_persona]
    assert {reply.persona_version_id for reply in replies} == {1}
    assert _import(sqlite_database, original).is_empty


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to look at" * 20, None, "other"])
def test_what_is_no_original_database_is_refused_in_words(
    sqlite_database: Database, tmp_path: Path, content: bytes | str | None
) -> None:
    path = tmp_path / "file.db"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "other":
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE topics (id INTEGER PRIMARY KEY)")
        connection.close()
    with pytest.raises(Invalid) as refused:
        import_original(sqlite_database, path, owner_id=1, now=NOW)
    assert refused.value.field == "source"
    assert str(path) in refused.value.message


def test_the_report_can_be_read_by_a_person(sqlite_database: Database, original: Original) -> None:
    lines = _import(sqlite_database, original).lines()
    assert "posts: 5 added" in lines
    assert "setting default persona id: 1 added" in lines
    assert "posts: 5 were here already" in _import(sqlite_database, original).lines()


def test_a_locked_database_stops_the_import_and_the_next_one_completes_it(
    sqlite_database: Database, original: Original
) -> None:
    impatient = Database(sqlite_database.url, busy_timeout_seconds=0.05)
    with sqlite_database.transaction(), pytest.raises(Unavailable):
        _import(impatient, original)
    assert _import(impatient, original).added["post"] == 5
    impatient.close()
