"""One line per outcome, whatever is in it, and nothing secret."""

import json
import logging
from collections.abc import Iterator

import pytest

from forllm_server import log


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_an_event_is_a_line_of_text(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up()
    log.event("llm_request.claimed", llm_request=12, worker="a/1", detail="two words", cause=None)
    (line,) = lines(capsys)
    assert line.split("Z ", 1)[1] == (
        'INFO llm_request.claimed llm_request=12 worker=a/1 detail="two words" cause=null'
    )


def test_an_event_is_a_json_object_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up(format="json")
    log.event("server.started", port=4773, name="Zoë\n")
    (line,) = lines(capsys)
    assert {"event": "server.started", "level": "info", "port": 4773, "name": "Zoë\n"}.items() <= json.loads(
        line
    ).items()


@pytest.mark.parametrize("format", ["text", "json"])
@pytest.mark.parametrize("hostile", ["a\nINFO forged=1", "\r\n", "\x1b[2J", "\u2028", "\ud800", 'quote" =', ""])
def test_a_value_cannot_forge_a_line(capsys: pytest.CaptureFixture[str], format: str, hostile: str) -> None:
    log.set_up(format=format)
    log.event("model.found", name=hostile)
    logging.getLogger("somebody").warning(hostile)
    output = capsys.readouterr().err
    assert output.count("\n") == 2
    assert all(character.isprintable() or character == "\n" for character in output)


def test_what_people_wrote_and_what_opens_doors_is_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up()
    log.event("x.done", prompt="SECRET", api_key="SECRET", content="SECRET", token="SECRET", thinking="SECRET")
    (line,) = lines(capsys)
    assert "SECRET" not in line
    assert line.count("[hidden]") == 5


def test_an_error_in_an_except_block_tells_where(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up()
    try:
        raise ValueError("broken")
    except ValueError:
        log.event("page.stumbled", level=log.ERROR)
    (line,) = lines(capsys)
    assert "traceback=" in line
    assert "test_log.py" in line


def test_less_than_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up(level="warning")
    log.event("quiet.passed")
    log.event("loud.passed", level=log.WARNING)
    assert len(lines(capsys)) == 1
