"""``forllm queue``: what it shows, what it changes, and its exit codes."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from forllm_server import cli, clock
from forllm_server.cli.options import read_config
from forllm_server.cli.runtime import opened
from forllm_server.db import Database, metadata
from forllm_server.queue.llm_request_store import get_llm_request, update_status
from forllm_server.queue.model import Lane, LlmRequest, Pause, Status
from forllm_server.queue.pause_store import list_pauses
from forllm_server.queue.rate_store import replace_rates
from tests.support.world import insert_backend, insert_model, make_world, queue_request


class Forum:
    """A data folder with three questions in the queue, of which the third failed; and the command line on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with opened(read_config({"data_dir": folder})) as installation:
            database = installation.database
            self.world = make_world(database, clock.now())
            self.ids = [queue_request(database, self.world, clock.now()).id for _ in range(3)]
            with database.transaction() as connection:
                other = insert_backend(connection, clock.now(), name="Cellar")
                self.other_model_id = insert_model(connection, other, clock.now(), name="gemma3")
        failure = {"status": "failed", "cause": "error", "cause_detail": "Out of memory."}
        self.change(self.ids[2], from_status=Status.QUEUED, **failure)

    def change(self, llm_request_id: int, *, from_status: Status, **values: Any) -> None:
        config = read_config({"data_dir": self.folder})
        with opened(config) as installation, installation.database.transaction() as connection:
            assert update_status(connection, llm_request_id, from_statuses=[from_status], values=values)

    def run(self, *arguments: object) -> Result:
        words = ["queue", *map(str, arguments), "--data", str(self.folder)]
        return CliRunner().invoke(cli.group, words, catch_exceptions=False)

    def read(self, *arguments: object) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)

    def get(self, llm_request_id: int) -> LlmRequest:
        database = Database.at(self.folder / "forllm_data.db")
        with database.read() as connection:
            found = get_llm_request(connection, llm_request_id)
        database.close()
        return found

    def pauses(self) -> dict[int, Pause]:
        database = Database.at(self.folder / "forllm_data.db")
        with database.read() as connection:
            found = list_pauses(connection)
        database.close()
        return found


@pytest.fixture
def forum(tmp_path: Path) -> Forum:
    return Forum(tmp_path / "data")


def test_the_list_is_a_table_with_words_or_json(forum: Forum) -> None:
    shown = forum.run("list")
    assert shown.exit_code == 0
    heading, *lines = shown.stdout.splitlines()
    assert heading.split()[:4] == ["ID", "STATE", "PERSONA", "MODEL"]
    assert [int(line.split()[0]) for line in lines] == forum.ids[::-1]
    assert "Out of memory." in lines[0]
    assert "Which file system for two disks?" in lines[1]
    columns = {line.index("qwen3:8b") for line in lines}
    assert columns == {heading.index("MODEL")}
    first = forum.read("list", "--limit", 1)[0]
    assert (first["status"], first["sentence"], first["model"]) == ("failed", "Out of memory.", "qwen3:8b")


def test_the_list_is_filtered_and_ends_with_1_when_it_is_empty(forum: Forum) -> None:
    assert [row["id"] for row in forum.read("list", "--status", "queued")] == forum.ids[1::-1]
    nothing = forum.run("list", "--status", "held", "--status", "running")
    assert (nothing.exit_code, nothing.stdout) == (1, "")
    assert forum.read("list", "--status", "held") == []


def test_held_requests_are_released_and_run(forum: Forum) -> None:
    done = forum.run("hold", *forum.ids[:2])
    assert (done.exit_code, done.stdout.count("held")) == (0, 2)
    assert forum.get(forum.ids[0]).status is Status.HELD
    assert forum.run("release", "--status", "held").exit_code == 0
    assert forum.get(forum.ids[1]).status is Status.QUEUED
    assert forum.run("run", forum.ids[1]).exit_code == 0
    assert forum.get(forum.ids[1]).lane is Lane.LIVE


def test_what_cannot_be_changed_is_told_and_the_rest_is_changed(forum: Forum) -> None:
    done = forum.run("hold", forum.ids[0], forum.ids[2], 999)
    assert done.exit_code == 1
    assert str(forum.ids[0]) in done.stdout
    assert "it has failed" in done.stderr
    assert "999" in done.stderr
    assert forum.get(forum.ids[0]).status is Status.HELD
    told = forum.read("cancel", forum.ids[0], 999)
    assert [row["status"] for row in told["changed"]] == ["cancelled"]
    assert [refused["id"] for refused in told["refused"]] == [999]


def test_failed_requests_are_retried_also_on_another_model(forum: Forum) -> None:
    assert forum.run("retry", "--status", "failed").exit_code == 0
    assert forum.get(forum.ids[2]).status is Status.QUEUED
    nothing = forum.run("retry", "--status", "failed")
    assert (nothing.exit_code, nothing.stderr) == (1, "Nothing matched.\n")
    assert forum.run("retry", forum.ids[2], "--model", "Gemma3").exit_code == 0
    assert forum.get(forum.ids[2]).model_id == forum.other_model_id
    refused = forum.run("retry", forum.ids[2], "--model", "gpt-9")
    assert refused.exit_code == 1
    assert "gemma3, qwen3:8b" in refused.output


def test_a_model_that_two_backends_have_is_named_by_its_number(forum: Forum) -> None:
    config = read_config({"data_dir": forum.folder})
    with opened(config) as installation, installation.database.transaction() as connection:
        backend_id = insert_backend(connection, clock.now(), name="Attic")
        model_id = insert_model(connection, backend_id, clock.now(), name="qwen3:8b")
    refused = forum.run("retry", forum.ids[2], "--model", "qwen3:8b")
    assert refused.exit_code == 1
    assert f"{model_id} on Attic" in refused.output
    assert forum.run("retry", forum.ids[2], "--model", model_id).exit_code == 0
    assert forum.get(forum.ids[2]).backend_id == backend_id


def test_the_plan_is_in_the_order_of_work(forum: Forum) -> None:
    forum.run("run", forum.ids[1])
    assert [row["id"] for row in forum.read("plan")] == [forum.ids[1], forum.ids[0]]
    shown = forum.run("plan")
    assert shown.exit_code == 0
    whole, _, heading, columns, *lines = shown.stdout.splitlines()
    # Nothing is foretold of a model before its first answer.
    assert whole == "2 to be answered; when the whole is done cannot be foretold yet"
    assert heading == "qwen3:8b on Desk"
    assert columns.split() == ["ID", "STATE", "PERSONA", "QUESTION", "WHEN"]
    assert [int(line.split()[0]) for line in lines] == [forum.ids[1], forum.ids[0]]
    forum.run("cancel", *forum.ids[:2])
    nothing = forum.run("plan")
    assert (nothing.exit_code, nothing.stdout) == (1, "")


def test_the_plan_foretells_when_it_knows_how_fast_the_model_is(forum: Forum) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 100, "prompt_seconds": 10.0, "generation_seconds": 50.0}
    forum.change(forum.ids[2], from_status=Status.FAILED, status="succeeded", usage=usage, output_tokens=100)
    config = read_config({"data_dir": forum.folder})
    with opened(config) as installation, installation.database.transaction() as connection:
        replace_rates(connection, forum.world.model_id, usage, clock.now())
    first, second = forum.read("plan")
    assert clock.now() < datetime.fromisoformat(first["done_by"]) < datetime.fromisoformat(second["done_by"])
    assert forum.run("plan").stdout.count("done by") == 3


def test_requests_are_moved_by_hand(forum: Forum) -> None:
    assert forum.run("move", forum.ids[1]).exit_code == 0
    assert [row["id"] for row in forum.read("plan")] == [forum.ids[1], forum.ids[0]]
    assert forum.run("move", forum.ids[0], "--before", forum.ids[1]).exit_code == 0
    assert [row["id"] for row in forum.read("plan")] == forum.ids[:2]
    assert forum.run("move", forum.ids[2]).exit_code == 1


def test_the_queue_and_a_backend_are_paused_and_go_on(forum: Forum) -> None:
    done = forum.run("pause", "--minutes", 60, "--reason", "a game")
    assert done.exit_code == 0, done.output
    (pause,) = forum.pauses().values()
    assert (pause.scope, pause.reason) == (0, "a game")
    assert pause.until is not None
    assert timedelta(minutes=59) < pause.until - clock.now() <= timedelta(hours=1)
    assert "a game" in forum.run("list", "--status", "queued").stdout
    assert forum.run("pause", "--backend", "desk").exit_code == 0
    assert set(forum.pauses()) == {0, forum.world.backend_id}
    for options in ((), ("--backend", "Desk")):
        assert forum.run("resume", *options).exit_code == 0
        assert forum.run("resume", *options).exit_code == 1
    assert forum.pauses() == {}
    assert "There is Cellar, Desk" in forum.run("pause", "--backend", "Roof").output


def test_a_pause_until_a_time_that_is_over_today_lasts_until_tomorrow(forum: Forum) -> None:
    for text in ("00:00", "23:59"):
        assert forum.run("pause", "--until", text).exit_code == 0
        until = forum.pauses()[0].until
        assert until is not None
        assert timedelta(0) < until - clock.now() <= timedelta(hours=25)
    day = f"{datetime.now().year + 1}-01-01T08:00+01:00"
    assert forum.run("pause", "--until", day).exit_code == 0
    assert forum.pauses()[0].until == datetime.fromisoformat(day)
    assert forum.run("pause", "--until", "2020-01-01T08:00").exit_code == 1


@pytest.mark.parametrize(
    "words",
    [
        ("hold",),
        ("hold", "1", "--status", "queued"),
        ("hold", "one"),
        ("hold", "0"),
        ("list", "--status", "sleeping"),
        ("list", "--limit", "0"),
        ("pause", "--until", "22:30", "--minutes", "5"),
        ("move",),
        ("dance",),
    ],
)
def test_a_line_that_makes_no_sense_ends_with_2(forum: Forum, words: tuple[str, ...]) -> None:
    done = forum.run(*words)
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    assert all(forum.get(each).status is not Status.HELD for each in forum.ids)


def test_what_was_to_run_now_waits_for_the_night(forum: Forum) -> None:
    forum.run("run", *forum.ids[:2])
    done = forum.run("tonight", *forum.ids)
    assert done.exit_code == 1
    assert done.stdout.count("to be run tonight") == 2
    assert forum.get(forum.ids[0]).lane is Lane.NIGHT
    assert forum.run("tonight", "--status", "queued").exit_code == 0


def test_places_given_by_hand_are_taken_back(forum: Forum) -> None:
    forum.run("move", forum.ids[1])
    done = forum.run("move", "--back", forum.ids[1])
    assert (done.exit_code, done.stdout.startswith(f"{forum.ids[1]}  moved back: ")) == (0, True)
    assert [row["id"] for row in forum.read("plan")] == forum.ids[:2]
    assert forum.run("move", "--back", forum.ids[1], "--before", forum.ids[0]).exit_code == 2
    assert forum.run("move", "--back", 999).exit_code == 1


def test_the_history_is_filtered_and_goes_on(forum: Forum) -> None:
    assert [row["id"] for row in forum.read("history")] == forum.ids[::-1]
    assert [row["id"] for row in forum.read("history", "--status", "failed")] == [forum.ids[2]]
    assert len(forum.read("history", "--text", "FILE system", "--subforum", "homelab", "--persona", "assistant")) == 3
    nothing = forum.run("history", "--text", "roses")
    assert (nothing.exit_code, nothing.stdout, nothing.stderr) == (1, "", "Nothing that fits was asked.\n")
    first = forum.run("history", "--limit", 2)
    assert f"--before {forum.ids[1]}" in first.stderr
    assert [row["id"] for row in forum.read("history", "--before", forum.ids[1])] == [forum.ids[0]]
    assert [row["model"] for row in forum.read("history", "--model", "qwen3:8b")] == ["qwen3:8b"] * 3
    assert forum.run("history", "--model", "gemma3").exit_code == 1
    assert "There is no model “llama”. There is" in forum.run("history", "--model", "llama").output
    with opened(read_config({"data_dir": forum.folder})) as installation, installation.database.transaction() as link:
        link.execute(metadata.tables["backends"].update().values(deleted_at=clock.now()))
    assert len(forum.read("history", "--model", "qwen3:8b")) == 3
    refused = forum.run("history", "--subforum", "Garden")
    assert refused.exit_code == 1
    assert "There is Homelab" in refused.output


def test_a_plan_that_is_cut_says_how_much_is_left(forum: Forum) -> None:
    assert "1 more are not shown" in forum.run("plan", "--limit", 1).stdout
    assert "not shown" not in forum.run("plan").stdout


@pytest.mark.parametrize("command", ["hold", "release", "run", "tonight", "cancel", "retry"])
def test_each_outcome_is_a_line_and_the_exit_code_tells_whether_all_was_done(forum: Forum, command: str) -> None:
    """Done on the standard output, refused on the standard error; 0 all, 1 not all or nothing, 2 no sense."""
    if command == "release":
        forum.run("hold", forum.ids[0])
    if command == "retry":
        forum.run("cancel", forum.ids[0])
    done = forum.run(command, forum.ids[0])
    assert (done.exit_code, len(done.stdout.splitlines()), done.stderr) == (0, 1, "")
    assert done.stdout.startswith(f"{forum.ids[0]}  ")
    mixed = forum.run(command, forum.ids[1], 998, 999)
    assert mixed.exit_code == 1
    assert len(mixed.stderr.splitlines()) == 3 - len(mixed.stdout.splitlines())
    assert forum.run(command, "--status", "running").exit_code == 1
    assert forum.run(command).exit_code == 2
    assert forum.run(command, "--json", 999).exit_code == 1
