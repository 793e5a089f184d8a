"""``forllm debate`` and ``forllm council``: begun, waited for, shown, stopped."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from forllm_server import cli, clock
from forllm_server.cli import discussing
from forllm_server.cli.options import read_config
from forllm_server.cli.runtime import opened
from forllm_server.db import Database
from forllm_server.forum import topic_store
from forllm_server.jobs import Connections, JobContext, build_kinds
from forllm_server.jobs.planning import NightPlan
from forllm_server.personas.editing import create_persona
from forllm_server.queue.llm_request_store import list_llm_requests
from forllm_server.queue.model import Lane
from forllm_server.queue.wakeup import Wakeup
from forllm_server.queue.worker import WorkerPool
from tests.support.scripted_server import Script, ScriptedServer
from tests.support.scripted_wire import Wire
from tests.support.world import LOCAL_USER, make_world

MEMBERS = ("--member", "skeptic", "--member", "Teacher@qwen3:8b", "--member", "Poet", "--chair", "Assistant")
VOICES = ("--voice", "Skeptic=for", "--voice", "Teacher=against@qwen3:8b")


def call(folder: Path, *arguments: object, stdin: str | io.BytesIO | None = None) -> Result:
    words = [*map(str, arguments), "--data", str(folder)]
    return CliRunner().invoke(cli.group, words, input=stdin, catch_exceptions=False)


def say(body: dict[str, Any]) -> Script:
    prompt = str(body["messages"][-1]["content"])
    if "Rank them" in prompt:
        return Script(tokens=(" > ".join(re.findall(r"^<answer-([a-z])>$", prompt, re.MULTILINE)).upper(),))
    turn = re.search(r"This is turn (\d+)", prompt)
    return Script(tokens=(f"Turn {turn[1]}." if turn else "So it is.",))


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer("llama_cpp", models=("qwen3:8b",)) as server:
        server.answer = say
        yield server


@pytest.fixture
def folder(tmp_path: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(discussing, "LOOK_EVERY_SECONDS", 0.02)
    with opened(read_config({"data_dir": tmp_path})) as installation:
        make_world(installation.database, clock.now(), base_url=server.url)
        with installation.database.transaction() as connection:
            for name in ("Skeptic", "Teacher", "Poet"):
                instructions = f"You are {name}."
                create_persona(connection, owner_id=LOCAL_USER, name=name, instructions=instructions, now=clock.now())
    return tmp_path


@contextmanager
def working(folder: Path) -> Iterator[None]:
    """A worker on the data, as ``forllm work`` has it."""
    with opened(read_config({"data_dir": folder})) as installation:
        connections = Connections(installation.secret_key)
        kinds = build_kinds(JobContext(installation.database, connections))
        pool = WorkerPool(installation.database, kinds=kinds, plan=NightPlan(), threads=1, wakeup=Wakeup())
        pool.start()
        try:
            yield
        finally:
            pool.stop(10)
            connections.close()


def test_a_council_is_convened_waited_for_and_its_answer_printed(folder: Path) -> None:
    with working(folder):
        done = call(folder, "council", "run", "Is it?", *MEMBERS, "--now", "--wait")
    assert (done.exit_code, done.stdout) == (0, "So it is.\n"), done.stderr
    assert "Council 1 about post" in done.stderr
    assert len(re.findall(r"^\d\. (?:Skeptic|Teacher|Poet), \d+ of 100 points$", done.stderr, re.MULTILINE)) == 3
    assert "Ended: the chair has answered." in done.stderr
    shown = call(folder, "council", "show", 1).stdout
    assert "3 of 3 opinions, 3 of 3 rankings, answered" in shown
    assert shown.count("succeeded") == 7
    again = call(folder, "council", "wait", 1)
    assert (again.exit_code, again.stdout) == (0, "So it is.\n")


def test_a_debate_is_queued_shown_listed_and_stopped(folder: Path) -> None:
    begun = call(folder, "debate", "run", "-", *VOICES, "--closer", "Poet", "--title", "Ours", stdin="Is it so?\n")
    assert begun.exit_code == 0, begun.output
    assert begun.stdout.startswith("Debate 1 about post 2. Asks for up to 7 answers of models")
    with opened(read_config({"data_dir": folder})) as installation, installation.database.read() as connection:
        (request,) = list_llm_requests(connection, limit=10)
        assert topic_store.get_topic(connection, request.topic_id or 0).title == "Ours"
    assert (request.lane, request.model_name) == (Lane.NIGHT, "qwen3:8b")
    shown = call(folder, "debate", "show", 1).stdout
    assert "Debate: Skeptic (for), Teacher (against)" in shown
    assert "0 of 6 turns, 0 of 6,000 tokens, 0 of 60 min of work" in shown
    assert "turn 1: Skeptic (for)" in call(folder, "debate", "list").stdout
    assert call(folder, "council", "list").exit_code == 1
    wrong = call(folder, "council", "show", 1)
    assert (wrong.exit_code, "1 is a debate" in wrong.stderr) == (1, True)
    assert call(folder, "debate", "stop", 1).stdout == "Debate 1: ended after 0 turns: stopped by you\n"
    assert call(folder, "debate", "stop", 1).exit_code == 1
    assert call(folder, "debate", "wait", 1).exit_code == 3


def test_a_debate_about_a_post_prints_its_turns_in_order(folder: Path) -> None:
    with working(folder):
        done = call(folder, "debate", "run", "--post", 1, *VOICES, "--turns", 2, "--now", "--wait")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "Turn 1: Skeptic (for)\n\nTurn 1.\n\nTurn 2: Teacher (against)\n\nTurn 2.\n\n"
    assert "Ended after 2 turns: cap on turns." in done.stderr


def test_who_waits_for_a_turn_that_fails_hears_it(folder: Path, server: ScriptedServer) -> None:
    def refuse(wire: Wire) -> None:
        wire.json({"error": {"message": "the picture is missing", "code": 400}}, 400)

    server.answer = lambda _body: Script(write=refuse)
    with working(folder):
        done = call(folder, "debate", "run", "Is it?", *VOICES, "--now", "--wait")
    assert (done.exit_code, done.stdout) == (3, "")
    assert "Turn 1: Skeptic (for) failed: try it again, and it goes on." in done.stderr


CANNOT_BE_BEGUN: tuple[tuple[tuple[object, ...], str], ...] = (
    (("council", "run", *MEMBERS), "Say what it is about"),
    (("council", "run", "Why?", "--post", 1, *MEMBERS), "Say what it is about"),
    (("council", "run", "Why?", "--member", "Nobody", "--chair", "Poet"), "There is no persona “Nobody”"),
    (("council", "run", "Why?", *MEMBERS[2:]), "A council has 3 to 8 members, and this one has 2"),
    (("council", "run", "Why?", *MEMBERS, "--member", "Poet@gpt"), "There is no model “gpt”"),
    (("council", "run", "--post", 99, *MEMBERS), "There is no such post"),
    (("debate", "run", "Why?", *VOICES, "--turns", 1), "At most 1 turns is not possible"),
    (("debate", "run", "Why?", "--voice", "Poet", "--voice", "Poet"), "only debate with itself in different roles"),
    (("debate", "run", "Why?", *VOICES[:2]), "A debate is held by 2 to 4"),
)


def test_what_cannot_be_begun_leaves_nothing(folder: Path) -> None:
    for words, message in CANNOT_BE_BEGUN:
        done = call(folder, *words)
        assert (done.exit_code, done.stdout) == (1, ""), words
        assert message in done.stderr
    with opened(read_config({"data_dir": folder})) as installation, installation.database.read() as connection:
        assert list_llm_requests(connection, limit=10) == []
        assert topic_store.find_topic(connection, 2) is None


class SlowInput(io.BytesIO):
    """What a slow program says; while it is waited for, somebody else writes into the forum."""

    def __init__(self, folder: Path) -> None:
        super().__init__(b"Is it so?\n")
        self._file = folder / "forllm_data.db"

    def read(self, size: int | None = -1) -> bytes:
        if size:
            database = Database.at(self._file, busy_timeout_seconds=0.05)
            with database.transaction():
                pass
            database.close()
        return super().read(size)


def test_the_forum_is_not_held_while_a_text_is_waited_for(folder: Path) -> None:
    done = call(folder, "council", "run", "-", *MEMBERS, stdin=SlowInput(folder))
    assert (done.exit_code, "Council 1 about post 2" in done.stdout) == (0, True), done.stderr
