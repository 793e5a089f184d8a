"""``forllm batch``: a file asked line by line; the same command on the same file goes on where it was."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from forllm_server import cli, clock
from forllm_server.batches.checks import Check, new_check
from forllm_server.cli import batch as commands
from forllm_server.cli.options import read_config
from forllm_server.cli.runtime import opened
from forllm_server.db import Database, metadata
from tests.support.world import make_world

TABLE = "town,land\nGraz,Austria\nUlm,Germany\n"
TEMPLATE = ("--template", "Is {{town}} in {{land}}?")


def batch(folder: Path, *arguments: object) -> Result:
    words = ["batch", *map(str, arguments), "--data", str(folder)]
    return CliRunner().invoke(cli.group, words, catch_exceptions=False)


def set_requests(folder: Path, **values: object) -> None:
    with opened(read_config({"data_dir": folder})) as installation, installation.database.transaction() as connection:
        connection.execute(metadata.tables["llm_requests"].update().values(**values))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with opened(read_config({"data_dir": tmp_path / "data"})) as installation:
        make_world(installation.database, clock.now())
    return tmp_path / "data"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "towns.csv"
    file.write_text(TABLE, encoding="utf-8")
    return file


def test_a_file_is_asked_and_the_same_again_goes_on_with_it(folder: Path, file: Path) -> None:
    run: Sequence[object] = ("run", file, *TEMPLATE, "--persona", "assistant", "--model", "qwen3:8b")
    first = batch(folder, *run)
    assert first.exit_code == 0
    assert "Batch 1: 2 lines, 2 answers to come.\n" in first.stderr
    set_requests(folder, status="failed")
    again = batch(folder, *run)
    assert "Batch 1 of this table is there already and goes on. 2 that failed are tried again." in again.stderr
    assert "Batch 2" in batch(folder, *run, "--new").stderr
    listed = batch(folder, "list")
    assert "1  0 of 2 answered  towns.csv" in listed.stdout
    shown = batch(folder, "show", 1)
    assert "2 lines, 0 of 2 answered" in shown.stdout
    assert "Assistant v1 on" in shown.stdout
    assert "Still to come: how long it takes is known when each model has answered once." in shown.stdout
    judged = batch(folder, *run, "--judge", "assistant", "--rubric", "Names the town.")
    assert "Batch 3" in judged.stderr
    assert "Judged by Assistant v1" in batch(folder, "show", 3).stdout


def test_it_is_exported_to_the_screen_and_to_a_file(folder: Path, file: Path, tmp_path: Path) -> None:
    batch(folder, "run", file, *TEMPLATE)
    assert "1,Graz,Austria,,queued" in batch(folder, "export", 1).stdout
    out = tmp_path / "out.jsonl"
    assert batch(folder, "export", 1, "--format", "jsonl", "--output", out).exit_code == 0
    assert len(out.read_text(encoding="utf-8").splitlines()) == 2


def test_waiting_ends_when_the_batch_is_paused_and_says_what_is_missing(folder: Path, file: Path) -> None:
    batch(folder, "run", file, *TEMPLATE)
    with opened(read_config({"data_dir": folder})) as installation, installation.database.transaction() as connection:
        connection.execute(metadata.tables["batches"].update().values(finished_at=clock.now()))
    found = batch(folder, "run", file, *TEMPLATE, "--wait")
    assert found.exit_code == 3
    assert "0 of 2 answered" in found.stderr
    assert "No worker is running" in found.stderr


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (b"town\n\xfcber\n", (), "Line 2 of the file is no UTF-8 text"),
        (b'town,land\n"Graz,Austria\n', TEMPLATE, "Row 2 has a quote that is never closed"),
        (b"town,land\nGraz,Austria\n", (), "The template names no column"),
        (b"town\nGraz\n", ("--check", "matches:("), "is no regular expression"),
        (b"town\nGraz\n", ("--check", "nonsense"), "A check is one of"),
        (b"town\nGraz\n", ("--check", "schema:@/no/such/file.json"), "cannot be read: No such file"),
        (b"town\nGraz\n", ("--check", "schema:{"), "This is no JSON, and so no JSON Schema"),
        (b"town\nGraz\n", ("--persona", "Nobody"), "There is no persona"),
        (b"town\nGraz\n", ("--judge", "Nobody", "--rubric", "Is short."), "There is no persona"),
        (b"town\nGraz\n", ("--judge", "Assistant"), "Write down what an answer must do"),
    ],
)
def test_what_cannot_be_taken_is_told_and_nothing_is_made(
    folder: Path, file: Path, content: bytes, options: tuple[str, ...], words: str
) -> None:
    file.write_bytes(content)
    found = batch(folder, "run", file, *options)
    assert found.exit_code == 1
    assert words in found.output
    assert batch(folder, "list").exit_code == 1


def test_a_file_that_is_too_large_is_refused_before_it_is_read(folder: Path, tmp_path: Path) -> None:
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as sparse:
        sparse.truncate(2 * 2**30)
    found = batch(folder, "run", huge)
    assert found.exit_code == 1
    assert "huge.csv has 2,048 MB, and a table may have 64" in found.output
    assert commands.LARGEST_FILE_BYTES == 64 * 2**20


def test_the_forum_is_not_held_while_checks_are_read_and_tried(
    folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def beside_another_writer(kind: str, value: str) -> Check:
        database = Database.at(folder / "forllm_data.db", busy_timeout_seconds=0.05)
        with database.transaction():
            pass
        database.close()
        return new_check(kind, value)

    monkeypatch.setattr(commands, "new_check", beside_another_writer)
    done = batch(folder, "run", file, *TEMPLATE, "--check", "contains:yes")
    assert done.exit_code == 0, done.stderr
