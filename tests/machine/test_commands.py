import os
import shlex
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forllm_server.errors import Invalid
from forllm_server.machine.commands import (
    INHERITED,
    MOST_CHARACTERS,
    OUTPUT_BYTES,
    command_environment,
    parse_command,
    run_command,
    start_command,
)
from tests.machine.scripted import Programs, is_running, wait_until


def test_a_command_gets_its_words_and_the_facts(programs: Programs) -> None:
    programs.write("wake", 'echo "$# $1 $2 $FORLLM_EVENT $FORLLM_BACKEND $FORLLM_WAITING"; echo careful >&2; exit 0')
    outcome = run_command("wake 'the big box' --now", "window.opened", {"backend": "Ollama on attic", "waiting": 14})
    assert outcome.is_ok
    assert outcome.exit_code == 0
    assert outcome.output == "2 the big box --now window.opened Ollama on attic 14\ncareful\n"
    assert outcome.argv == ("wake", "the big box", "--now")
    assert not outcome.is_truncated
    assert not outcome.is_timed_out


def test_there_is_no_shell(programs: Programs) -> None:
    programs.write("say", 'echo "$@"')
    outcome = run_command("say $HOME *.py `id` $(id) a|b > nothing ; exit 3", "window.opened")
    assert outcome.output == "$HOME *.py `id` $(id) a|b > nothing ; exit 3\n"


def test_no_secret_goes_along(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORLLM_SECRET_KEY", "FORLLM_DATABASE_URL", "OPENAI_API_KEY", "SSH_AUTH_SOCK", "LD_PRELOAD"):
        monkeypatch.setenv(name, "hunter2")
    programs.write("show", "env")
    outcome = run_command("show", "window.closed", {"backend": "attic"})
    names = {line.partition("=")[0] for line in outcome.output.splitlines()}
    assert names - {"PWD", "SHLVL", "_"} <= {*INHERITED, "FORLLM_EVENT", "FORLLM_BACKEND"}
    assert "hunter2" not in outcome.output


def test_a_failure_tells_its_exit_code_and_what_was_said(programs: Programs) -> None:
    programs.write("shut", "echo no permission; exit 4")
    outcome = run_command("shut", "window.closed")
    assert (outcome.exit_code, outcome.output) == (4, "no permission\n")
    assert outcome.problem == "shut failed with exit code 4."
    programs.write("shut", "kill -9 $$")
    assert run_command("shut", "window.closed").problem == "shut was ended by signal 9."


@pytest.mark.parametrize("is_stubborn", [False, True])
def test_one_that_takes_too_long_is_ended_with_all_that_it_started(
    programs: Programs, tmp_path: Path, is_stubborn: bool
) -> None:
    trap = "trap '' TERM" if is_stubborn else ":"
    programs.write("hang", f"{trap}\nsleep 60 &\necho $! $$ > {tmp_path}/ids\necho begun\nwait")
    begun = time.monotonic()
    outcome = run_command("hang", "window.opened", timeout_seconds=0.3)
    assert time.monotonic() - begun < 2
    assert outcome.is_timed_out
    assert outcome.exit_code is None
    assert outcome.output == "begun\n"
    assert outcome.problem == "hang was ended: it took longer than 0.3 s."
    for process_id in map(int, (tmp_path / "ids").read_text().split()):
        wait_until(lambda process_id=process_id: not is_running(process_id), "its end")


def test_what_it_leaves_running_in_the_background_is_left_and_not_waited_for(
    programs: Programs, tmp_path: Path
) -> None:
    programs.write("leave", f"sleep 20 &\necho $! > {tmp_path}/id\necho done")
    begun = time.monotonic()
    outcome = run_command("leave", "window.closed")
    assert time.monotonic() - begun < 2
    assert outcome.is_ok
    assert outcome.output == "done\n"
    left = int((tmp_path / "id").read_text())
    assert is_running(left)
    os.kill(left, 9)


def test_the_end_of_a_flood_of_output_is_kept(programs: Programs) -> None:
    programs.write("flood", "i=0; while [ $i -lt 20000 ]; do echo line $i of many; i=$((i+1)); done; echo the end")
    outcome = run_command("flood", "window.opened")
    assert outcome.is_ok
    assert outcome.is_truncated
    assert len(outcome.output) == OUTPUT_BYTES
    assert outcome.output.endswith("of many\nthe end\n")


def test_output_that_is_no_text_is_shown_as_far_as_it_is(programs: Programs) -> None:
    programs.write("noise", r"printf 'a\377b'")
    assert run_command("noise", "window.opened").output == "a�b"


def test_a_program_that_is_not_there_is_an_outcome(programs: Programs) -> None:
    outcome = run_command("no-such-program --at all", "window.opened")
    assert outcome.exit_code is None
    assert outcome.problem == "no-such-program could not be started: There is no such program."
    (programs.folder / "broken").write_text("#!/nowhere/sh\n")
    (programs.folder / "broken").chmod(0o755)
    assert run_command("broken", "window.opened").problem.startswith("broken could not be started: No such file")


def test_starting_one_does_not_wait(programs: Programs, tmp_path: Path) -> None:
    programs.write("slow", f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; pwd")
    running = start_command("slow", "window.opened", folder=tmp_path)
    assert running.outcome() is None
    (tmp_path / "go").touch()
    outcome = running.outcome(10)
    assert outcome is not None
    assert outcome.output == f"{tmp_path}\n"


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")), min_size=1, max_size=6))
def test_quoted_words_come_back_as_they_were(words: list[str]) -> None:
    line = shlex.join(words)
    if words[0] and len(line) <= MOST_CHARACTERS:
        assert parse_command(line) == tuple(words)


def test_folders_of_windows_survive() -> None:
    line = r'"C:\Program Files\wake.exe" --box attic'
    assert parse_command(line, is_windows=True) == (r"C:\Program Files\wake.exe", "--box", "attic")


@pytest.mark.parametrize("command", ["", "   ", "''", 'wake "box', "a\0b", "x" * (MOST_CHARACTERS + 1)])
def test_a_command_that_cannot_be_read_is_refused(command: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_command(command, field="window_command")
    assert refused.value.field == "window_command"


def test_facts_are_plain() -> None:
    assert command_environment("a.b", {"model": "q\0wen"})["FORLLM_MODEL"] == "qwen"
    with pytest.raises(ValueError, match="is not a name"):
        command_environment("a.b", {"LD PRELOAD": "x"})


def test_a_word_with_a_nul_never_reaches_a_program() -> None:
    with pytest.raises(Invalid):
        start_command(f"{sys.executable} a\0b", "window.opened")
