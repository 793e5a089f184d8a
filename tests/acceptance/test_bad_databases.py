"""A database that cannot be used: a sentence that says what and what to do, and nothing lost."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.acceptance.stage import Stage, end_in_order
from tests.support.processes import Refused, wait_for

pytestmark = pytest.mark.slow

#: Starts a program without root's power to write what is marked read-only; changes nothing for other users.
_BOUND_BY_PERMISSIONS = (
    "import ctypes, os, sys; prctl = ctypes.CDLL(None).prctl; PR_CAPBSET_DROP = 24; "
    "[prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) for capability in (1, 2)]; os.execv(sys.argv[1], sys.argv[1:])"
)


def _refusal(stage: Stage) -> str:
    """What a start says that cannot succeed."""
    process = stage.start("serve", "--port", "0")
    assert process.wait() == 1, process.words()
    assert "Traceback" not in process.words()
    return process.words()


def _database(stage: Stage) -> Path:
    return stage.data_dir / "forllm_data.db"


def _furnished(stage: Stage) -> Path:
    """The database of a forum with one answered question."""
    serve = stage.serve()
    asked = stage.ask(serve)
    stage.assert_answered_once(serve, asked)
    end_in_order(serve)
    return _database(stage)


def test_a_database_newer_than_the_code_is_left_alone(stage: Stage) -> None:
    file = _furnished(stage)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    words = _refusal(stage)
    assert "9999" in words
    assert "newer" in words
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)
        assert connection.execute("SELECT count(*) FROM posts").fetchone() == (2,)


def test_a_file_that_is_no_database_is_left_as_it_is(stage: Stage) -> None:
    stage.data_dir.mkdir()
    text = b"Dear diary, this is not a database at all. " * 50
    _database(stage).write_bytes(text)
    words = _refusal(stage)
    assert "is not a database" in words
    assert "--data" in words
    assert _database(stage).read_bytes() == text


def test_another_programs_database_is_left_as_it_is(stage: Stage) -> None:
    stage.data_dir.mkdir()
    with closing(sqlite3.connect(_database(stage))) as connection, connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    assert "another program" in _refusal(stage)
    with closing(sqlite3.connect(_database(stage))) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


@pytest.mark.thorough
def test_a_read_only_database_is_called_that_and_loses_nothing(stage: Stage) -> None:
    file = _furnished(stage)
    file.chmod(0o444)
    words = _words_about_saving(stage)
    assert "read-only" in words
    assert "permissions" in words

    file.chmod(0o600)
    again = stage.serve()
    assert [item["name"] for item in again.api("GET", "subforums")["items"]] == ["Homelab"]
    again.api("POST", "subforums", {"name": "Kitchen"})


def _words_about_saving(stage: Stage) -> str:
    """What a start, or else the first thing that is to be saved, says about a file that cannot be written."""
    serve = stage.start("serve", "--port", "0", wrapper=(sys.executable, "-c", _BOUND_BY_PERMISSIONS))
    wait_for(lambda: not serve.is_running or "FORLLM is open at" in serve.words(), "an end or an address", serve.words)
    assert "Traceback" not in serve.words()
    if not serve.is_running:
        assert serve.wait() == 1
        return serve.words()
    serve.wait_until_open()
    assert "Topic 1" in serve.page(f"/subforums/{stage.subforum_id}")
    with pytest.raises(Refused) as refusal:
        serve.api("POST", "subforums", {"name": "Kitchen"})
    assert refusal.value.status == 503
    end_in_order(serve)
    return str(refusal.value.problem["detail"])


def test_a_database_that_is_locked_for_a_while_loses_nothing(stage: Stage) -> None:
    stage.tokens, stage.delay_seconds = 150, 0.03
    serve = stage.serve()
    asked = stage.ask(serve)
    stage.wait_for_partial(serve, asked)
    with _locked(_database(stage)):
        # Reading goes on; a writer waits, then says so.
        assert stage.look(serve, asked)["status"] == "running"
        with pytest.raises(Refused) as refusal:
            serve.api("POST", f"posts/{asked.post_id}/replies", {"content": "Meanwhile"})
    assert refusal.value.status == 503
    assert "try again" in refusal.value.problem["detail"].lower()
    serve.api("POST", f"posts/{asked.post_id}/replies", {"content": "Meanwhile"})
    found = stage.wait_for_status(serve, asked, "succeeded", "waiting", "failed")
    if found["status"] != "succeeded":
        assert found["attempts"] == 0, found
        serve.api("POST", f"llm-requests/{asked.llm_request_id}/retry")
    stage.assert_answered_once(serve, asked)
    posts = serve.api("GET", f"topics/{asked.topic_id}/posts")["items"]
    assert [post["content"] for post in posts].count("Meanwhile") == 1


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold SQLite's write lock, as another program may."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
