"""``forllm ask``: the question is asked, and its answer printed by those who wait for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from forllm_server import cli, clock
from forllm_server.cli.options import read_config
from forllm_server.cli.runtime import opened
from forllm_server.forum import post_store, topic_store
from forllm_server.jobs import Connections, JobContext, build_kinds
from forllm_server.jobs.planning import NightPlan
from forllm_server.personas.editing import create_persona
from forllm_server.queue.llm_request_store import list_llm_requests
from forllm_server.queue.model import Lane, LlmRequest, Status
from forllm_server.queue.wakeup import Wakeup
from forllm_server.queue.worker import WorkerPool
from tests.support.scripted_server import Script, ScriptedServer
from tests.support.scripted_wire import Wire
from tests.support.world import LOCAL_USER, make_world


def ask(folder: Path, *arguments: object, stdin: str | None = None) -> Result:
    words = ["ask", *map(str, arguments), "--data", str(folder)]
    return CliRunner().invoke(cli.group, words, input=stdin, catch_exceptions=False)


def asked(folder: Path) -> list[LlmRequest]:
    with opened(read_config({"data_dir": folder})) as installation, installation.database.read() as connection:
        return list_llm_requests(connection, limit=10)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer("llama_cpp", models=("qwen3:8b",)) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, server: ScriptedServer) -> Path:
    """A forum with the subforum Homelab, the persona Critic and the model qwen3:8b on the scripted server."""
    with opened(read_config({"data_dir": tmp_path})) as installation:
        make_world(installation.database, clock.now(), base_url=server.url)
        with installation.database.transaction() as connection:
            create_persona(
                connection, owner_id=LOCAL_USER, name="Critic", instructions="Find what is wrong.", now=clock.now()
            )
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


def test_a_question_opens_a_topic_and_is_queued(folder: Path) -> None:
    done = ask(folder, "Why is *this* slow?", "--subforum", "homelab", "--persona", "critic", "--model", "qwen3:8b")
    assert done.exit_code == 0, done.output
    (request,) = asked(folder)
    assert done.stdout == f"Asked: LLM request {request.id}, topic {request.topic_id}.\n"
    assert (request.status, request.lane, request.model_name) == (Status.QUEUED, Lane.NIGHT, "qwen3:8b")
    with opened(read_config({"data_dir": folder})) as installation, installation.database.read() as connection:
        topic = topic_store.get_topic(connection, request.topic_id or 0)
        assert (topic.title, topic.subforum_name) == ("Why is this slow?", "Homelab")
        assert post_store.get_root(connection, topic.id).content == "Why is *this* slow?"


def test_the_text_may_come_from_another_program(folder: Path) -> None:
    done = ask(folder, "-", "--title", "The log", "--now", stdin="line 1\nline 2\n")
    assert done.exit_code == 0, done.output
    (request,) = asked(folder)
    assert request.lane is Lane.LIVE
    with opened(read_config({"data_dir": folder})) as installation, installation.database.read() as connection:
        assert topic_store.get_topic(connection, request.topic_id or 0).title == "The log"
        assert "line 1\nline 2" in post_store.get_root(connection, request.topic_id or 0).content


def test_an_empty_forum_gets_its_first_subforum(tmp_path: Path) -> None:
    assert ask(tmp_path, "Hello?").exit_code == 0
    with opened(read_config({"data_dir": tmp_path})) as installation, installation.database.read() as connection:
        (request,) = list_llm_requests(connection, limit=10)
        assert topic_store.get_topic(connection, request.topic_id or 0).subforum_name == "Questions"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--subforum", "Kitchen"), "There is Homelab."),
        (("--persona", "Nobody"), "There is Assistant, Critic."),
        (("--model", "gpt-9"), "There is qwen3:8b."),
        (("--title", "x" * 300), "title"),
    ],
)
def test_what_is_not_there_asks_nothing(folder: Path, options: tuple[str, ...], message: str) -> None:
    done = ask(folder, "Why?", *options)
    assert (done.exit_code, done.stdout) == (1, "")
    assert message in done.stderr
    assert asked(folder) == []
    assert ask(folder, " \n").exit_code == 1


def test_who_waits_gets_the_answer_and_nothing_else(folder: Path, server: ScriptedServer) -> None:
    server.script(Script(tokens=("Because ", "it ", "is.")))
    with working(folder):
        done = ask(folder, "Why?", "--wait")
    assert (done.exit_code, done.stdout) == (0, "Because it is.\n")
    assert "Asked: LLM request" in done.stderr


def test_who_waits_for_an_answer_that_fails_hears_why(folder: Path, server: ScriptedServer) -> None:
    def refuse(wire: Wire) -> None:
        wire.json({"error": {"message": "the picture is missing", "code": 400}}, 400)

    server.script(Script(write=refuse))
    with working(folder):
        done = ask(folder, "Why?", "--wait")
    assert (done.exit_code, done.stdout) == (3, "")
    assert "the picture is missing" in done.stderr
