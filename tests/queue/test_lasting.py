"""A thread of the queue outlives errors that nobody foresaw, and ends when it is told to."""

import threading

import pytest

from forllm_server.queue.lasting import LastingThread


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_work_that_broke_off_begins_anew_and_ends_when_it_is_told_to() -> None:
    stopping, tries, is_third = threading.Event(), list[int](), threading.Event()

    def work() -> None:
        tries.append(len(tries))
        if len(tries) < 3:
            raise ZeroDivisionError("nobody foresaw this")
        is_third.set()
        stopping.wait(30)

    thread = LastingThread(work, name="lasting", stopping=stopping, rest_seconds=0.01)
    thread.start()
    assert is_third.wait(30)
    assert thread.is_alive()
    stopping.set()
    thread.join(30)
    assert not thread.is_alive()
    assert tries == [0, 1, 2]


def test_work_that_ends_as_it_should_is_over() -> None:
    stopping = threading.Event()
    thread = LastingThread(lambda: bool(stopping.wait(30)) or None, name="lasting", stopping=stopping)
    thread.start()
    stopping.set()
    thread.join(30)
    assert not thread.is_alive()
