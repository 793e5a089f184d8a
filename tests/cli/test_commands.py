"""The commands on a data folder: what they say, what they change, what they refuse."""

import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from forllm_server import cli
from forllm_server.cli import running
from forllm_server.cli.options import read_config
from forllm_server.cli.runtime import MIGRATION_WAIT_SECONDS, opened
from forllm_server.db import Database, upgrade


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.group, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a forum that has something in it."""
    folder = tmp_path / "data"
    done = run("demo", "--data", folder)
    assert done.exit_code == 0, done.output
    return folder


def count(file: Path, table: str) -> int:
    with closing(sqlite3.connect(file)) as connection:
        number: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return number


def test_help_names_every_command() -> None:
    output = run("--help").output
    assert all(name in output for name in cli.COMMANDS)


def test_an_unknown_command_is_refused_with_its_name() -> None:
    done = run("sevre")
    assert done.exit_code == 2
    assert "sevre" in done.output


def test_errors_are_a_message_and_not_a_traceback(tmp_path: Path) -> None:
    done = run("check", "--data", tmp_path, "--host", "0.0.0.0", "--port", "99999")
    assert done.exit_code == 1
    assert "no accounts yet" in done.output
    assert "--port" in done.output
    assert "Traceback" not in done.output


def test_check_changes_nothing(tmp_path: Path) -> None:
    done = run("check", "--data", tmp_path / "nowhere")
    assert (done.exit_code, "All is well." in done.output) == (0, True)
    assert not (tmp_path / "nowhere").exists()


def test_check_names_a_database_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "forllm_data.db").write_bytes(b"no database at all" * 100)
    done = run("check", "--data", tmp_path)
    assert done.exit_code == 1
    assert "is not a database" in done.output


def test_demo_fills_an_empty_forum_and_only_that(data: Path) -> None:
    assert count(data / "forllm_data.db", "subforums") == 4
    assert count(data / "forllm_data.db", "llm_requests") == 22
    done = run("demo", "--data", data)
    assert done.exit_code == 1
    assert "has subforums already" in done.output


def test_the_example_is_one_file_in_which_nothing_is_missing(tmp_path: Path) -> None:
    example = tmp_path / "forllm_data.db.example"
    assert run("demo", "--example", example, "--data", tmp_path / "data").exit_code == 0
    assert not (tmp_path / "data").exists()
    assert sorted(file.name for file in tmp_path.iterdir()) == [example.name]
    assert count(example, "posts") == 30


def test_migrate_says_when_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert f"to version {upgrade.newest_version()}" in run("migrate", "--data", tmp_path).output
    assert "Nothing to do" in run("migrate", "--data", tmp_path).output


def test_a_backup_can_be_restored_and_what_it_replaces_is_kept(data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    assert run("backup", copy, "--data", data).exit_code == 0
    database = data / "forllm_data.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM llm_requests")
    done = run("restore", copy, "--data", data)
    assert done.exit_code == 0, done.output
    assert count(database, "llm_requests") == 22
    (kept,) = (data / "backups").glob("*-replaced.db")
    assert count(kept, "llm_requests") == 0
    assert run("doctor", "--data", data).output.count("!!") == 0


def test_a_backup_does_not_overwrite(data: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.db").touch()
    done = run("backup", tmp_path / "copy.db", "--data", data)
    assert done.exit_code == 1
    assert "exists already" in done.output


def test_a_backup_of_nothing_is_refused(tmp_path: Path) -> None:
    done = run("backup", "--data", tmp_path)
    assert done.exit_code == 1
    assert "There is no database" in done.output


@pytest.mark.parametrize(("content", "message"), [(b"a letter to somebody " * 60, "is not a database"), (b"", "empty")])
def test_what_is_no_backup_is_not_restored(data: Path, tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "letter").write_bytes(content)
    done = run("restore", tmp_path / "letter", "--data", data)
    assert done.exit_code == 1
    assert message in done.output
    assert count(data / "forllm_data.db", "subforums") == 4
    assert not list(data.glob("*.incoming"))


def test_a_damaged_database_is_replaced_and_kept_as_it_is(data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    run("backup", copy, "--data", data)
    (data / "forllm_data.db").write_bytes(b"scrambled" * 1000)
    assert run("restore", copy, "--data", data).exit_code == 0
    (kept,) = (data / "backups").glob("*-replaced.db")
    assert kept.read_bytes() == b"scrambled" * 1000
    assert count(data / "forllm_data.db", "subforums") == 4


def test_restore_and_migrate_are_refused_while_the_data_is_in_use(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forllm_server.cli.runtime.MIGRATION_WAIT_SECONDS", 0.1)
    run("backup", tmp_path / "copy.db", "--data", data)
    config = read_config({"data_dir": data})
    with running.using_data(config):
        done = run("restore", tmp_path / "copy.db", "--data", data)
        assert (done.exit_code, "FORLLM is running" in done.output) == (1, True)
        monkeypatch.setattr(upgrade, "newest_version", lambda: "9999")
        done = run("migrate", "--data", data)
        assert (done.exit_code, "FORLLM is running" in done.output) == (1, True)
        monkeypatch.undo()
        # Others may use it meanwhile.
        assert run("schedule", "explain", "--data", data).exit_code == 0


def test_starts_at_once_on_new_data_all_come_to_use_it(tmp_path: Path) -> None:
    config = read_config({"data_dir": tmp_path / "new"})
    all_in_use = threading.Barrier(4, timeout=MIGRATION_WAIT_SECONDS / 2)

    def start() -> str:
        with opened(config) as installation:
            # Whoever comes last is let in while the others hold the data, and nobody waits a migration's time for it.
            all_in_use.wait()
            return upgrade.schema_version(installation.database) or ""

    with ThreadPoolExecutor(4) as starts:
        found = [started.result() for started in [starts.submit(start) for _ in range(4)]]
    assert found == [upgrade.newest_version()] * 4


def test_a_taken_port_is_told_with_its_owner(tmp_path: Path) -> None:
    with running.listen("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        done = run("serve", "--data", tmp_path / "data", "--port", port)
    assert done.exit_code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.output
    assert str(os.getpid()) in done.output or "in use" in done.output
    assert not (tmp_path / "data").exists()


def test_doctor_says_what_to_do(data: Path) -> None:
    database = Database.at(data / "forllm_data.db")
    with closing(sqlite3.connect(data / "forllm_data.db")) as connection, connection:
        connection.execute("UPDATE posts SET topic_id = topic_id + 90")
        connection.execute("UPDATE llm_requests SET backend_id = NULL WHERE status = 'queued'")
        connection.execute(
            "UPDATE llm_requests SET status = 'running', lease_token = 't', worker = ?,"
            " lease_until = '2020-01-01 00:00:00.000000' WHERE id = 1",
            ("nowhere/1/1/1",),
        )
    database.close()
    (data / "secret.key").chmod(0o644)
    done = run("doctor", "--data", data)
    assert done.exit_code == 1
    for part in ("chmod 600", "lead nowhere, in posts", "1 of 1 have no living worker", "wait for a model"):
        assert part in done.output


def test_doctor_stops_at_a_database_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "forllm_data.db").write_bytes(b"no database at all" * 100)
    done = run("doctor", "--data", tmp_path)
    assert done.exit_code == 1
    assert "restore a backup" in done.output
    assert "queue" not in done.output


def test_schedule_explain_answers_for_any_moment_and_zone(data: Path) -> None:
    done = run("schedule", "explain", "--data", data, "--at", "2026-12-24T22:30", "--tz", "Europe/Berlin")
    assert "Thu 2026-12-24 22:30 CET (Europe/Berlin)" in done.output
    assert "Open until 06:00, 7 h 30 left" in done.output
    for arguments, message in ((("--tz", "Mars/North"), "not a time zone"), (("--at", "noonish"), "22:30")):
        done = run("schedule", "explain", "--data", data, *arguments)
        assert done.exit_code == 1
        assert message in done.output


def test_work_without_workers_is_refused(tmp_path: Path) -> None:
    done = run("work", "--workers", "0", "--data", tmp_path)
    assert done.exit_code == 1
    assert "--workers 1" in done.output


def test_import_original_refuses_what_is_none(data: Path, tmp_path: Path) -> None:
    (tmp_path / "old.db").write_bytes(b"nothing of the kind " * 60)
    done = run("import-original", tmp_path / "old.db", "--data", data)
    assert done.exit_code == 1
    assert "Traceback" not in done.output


def test_a_command_that_needs_no_server_does_not_load_one() -> None:
    script = "import sys; from forllm_server import cli; cli.main(['check', '--help']); print('flask' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "False", done.stderr
