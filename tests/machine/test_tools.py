import time

from forllm_server.machine.model import NotAvailable
from forllm_server.machine.tools import Rests, ask_tool, find_tool
from tests.machine.scripted import Programs


def test_a_program_answers_on_stdout(programs: Programs) -> None:
    programs.write("tell", 'echo "$1"; echo nothing of interest >&2')
    assert ask_tool(["tell", "12"]) == "12\n"
    assert isinstance(find_tool("tell"), str)


def test_every_failure_is_a_reason(programs: Programs) -> None:
    assert ask_tool(["no-such-tool"]) == NotAvailable("no-such-tool is not installed")
    programs.write("tell", "exit 2")
    assert ask_tool(["tell"]) == NotAvailable("tell failed (2): it said nothing")
    (programs.folder / "tell").write_text("#!/nowhere/sh\n")
    assert str(ask_tool(["tell"])).startswith("not available: tell cannot be started: No such file")


def test_one_that_hangs_with_a_child_on_its_pipe_is_left_in_time(programs: Programs) -> None:
    programs.write("tell", "sleep 30 & sleep 30")
    begun = time.monotonic()
    assert ask_tool(["tell"], timeout_seconds=0.3) == NotAvailable("tell did not answer within 0.3 s")
    assert time.monotonic() - begun < 1.3


def test_what_fails_is_left_alone_for_longer_each_time() -> None:
    asked: list[float] = []
    rests = Rests[float]()

    def answers(at_seconds: float, answer: float | NotAvailable) -> float | NotAvailable:
        def read() -> float | NotAvailable:
            asked.append(at_seconds)
            return answer

        return rests.ask(at_seconds, read)

    for second in range(3600):
        assert answers(second, NotAvailable("hung")) == NotAvailable("hung")
    assert asked == [0, 5, 15, 35, 75, 155, 315, 635, 1235, 1835, 2435, 3035]
    assert answers(4000, 1.0) == 1.0
    assert answers(4001, NotAvailable("again")) == NotAvailable("again")
    assert answers(4006, 2.0) == 2.0
