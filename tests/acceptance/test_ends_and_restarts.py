"""Whatever ends a process in the middle of an answer, the question is answered exactly once."""

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.stage import Stage, end_in_order
from tests.conftest import postgres_database

pytestmark = pytest.mark.slow


def test_serve_on_an_empty_folder_tells_its_address_and_answers(stage: Stage) -> None:
    serve = stage.serve()
    assert serve.api("GET", "/health")["status"] == "healthy"
    assert f"{serve.url}/" in serve.words()
    assert "Homelab" in serve.page("/")
    assert (stage.data_dir / "forllm_data.db").is_file()
    refused = refused_by_the_web_server(int(serve.url.rsplit(":", 1)[1]))
    assert refused.startswith("HTTP/1.0 400")
    assert "default-src 'none'" in refused
    end_in_order(serve)


def refused_by_the_web_server(port: int) -> str:
    """What is answered to something that is no HTTP, before the application hears of it."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b"\x00 nonsense\r\n\r\n")
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    return answer.decode()


def test_a_second_server_on_the_same_port_is_refused_and_told_why(stage: Stage) -> None:
    first = stage.serve()
    port = first.url.rsplit(":", 1)[1]
    second = stage.start("serve", "--port", port)
    assert second.wait() == 1
    assert f"cannot listen on 127.0.0.1:{port}" in second.words()
    assert f"taken by process {first.pid}" in second.words()
    assert "--port" in second.words()
    assert "Traceback" not in second.words()
    assert first.api("GET", "/health")["status"] == "healthy"


def test_sigterm_keeps_the_partial_text_spends_no_attempt_and_answers_after_the_restart(stage: Stage) -> None:
    stage.tokens, stage.delay_seconds = 150, 0.03
    serve = stage.serve()
    asked = stage.ask(serve)
    stage.wait_for_partial(serve, asked)
    started = time.monotonic()
    assert serve.end(signal.SIGTERM) == 0, serve.words()
    assert time.monotonic() - started < 5

    onlooker = stage.serve("--workers", "0")
    found = stage.look(onlooker, asked)
    assert (found["status"], found["attempts"]) == ("queued", 0)
    assert found["partial_text"]
    assert stage.text_of(asked).startswith(found["partial_text"])
    assert stage.replies(onlooker, asked) == []
    end_in_order(onlooker)

    stage.delay_seconds = 0
    again = stage.serve()
    stage.assert_answered_once(again, asked)
    end_in_order(again)
    assert "Traceback" not in serve.words() + onlooker.words() + again.words()


def test_ctrl_c_ends_a_server_that_waits_for_a_silent_model(stage: Stage) -> None:
    stage.models.gate.clear()
    serve = stage.serve()
    stage.ask(serve)
    assert stage.models.asked.wait(20)
    started = time.monotonic()
    assert serve.end(signal.SIGINT) == 0, serve.words()
    assert time.monotonic() - started < 5
    assert stage.models.hung_up.wait(5)


def test_kill_9_in_the_middle_of_an_answer_gives_one_reply_after_the_restart(stage: Stage) -> None:
    _kill_and_restart(stage)


@pytest.fixture
def postgres_stage(tmp_path: Path, postgres_server: str) -> Iterator[Stage]:
    database = postgres_database(postgres_server)
    database.close()
    with Stage(tmp_path, environ={"FORLLM_DATABASE_URL": database.url}) as stage:
        yield stage


def test_kill_9_on_postgresql_gives_one_reply_after_the_restart(postgres_stage: Stage) -> None:
    _kill_and_restart(postgres_stage)
    assert not (postgres_stage.data_dir / "forllm_data.db").exists()


def _kill_and_restart(stage: Stage) -> None:
    stage.tokens, stage.delay_seconds = 150, 0.03
    serve = stage.serve()
    asked = stage.ask(serve)
    partial = stage.wait_for_partial(serve, asked)
    assert serve.end(signal.SIGKILL) == -signal.SIGKILL

    stage.delay_seconds = 0
    again = stage.serve()
    stage.assert_answered_once(again, asked)
    assert stage.text_of(asked).startswith(partial)
    end_in_order(again)
    assert len(stage.models.chats) == 2


def test_two_workers_beside_a_server_share_the_work_without_doubling_any(stage: Stage) -> None:
    stage.tokens, stage.delay_seconds = 20, 0.01
    serve = stage.serve("--workers", "0")
    serve.api("PATCH", f"backends/{stage.backend_id}", {"concurrency": 2})
    workers = [stage.start("work", "--workers", "1") for _ in range(2)]
    for worker in workers:
        worker.wait_for_words("FORLLM works on")
    asked = [stage.ask(serve) for _ in range(12)]
    for each in asked:
        stage.assert_answered_once(serve, each)
    assert len(stage.models.chats) == len(asked)
    assert stage.models.most_running <= 2
    shares = [worker.words().count("llm_request.succeeded") for worker in workers]
    assert sum(shares) == len(asked)
    assert all(shares), shares
    for process in (*workers, serve):
        end_in_order(process)
