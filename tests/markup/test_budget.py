"""Slow, huge and deep texts: all is shown within about two seconds, and the process that renders is expendable."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from forllm_server.markup.faults import Unrenderable
from forllm_server.markup.highlight import LANGUAGES, Budget, highlight
from forllm_server.markup.render import is_small, render
from forllm_server.markup.render_worker import WORKER, RenderWorker
from tests.markup.page_checks import shown_words

KIB = 1024
#: The process that renders is ended after 1.5 s; the rest is for a machine that has other work to do.
LIMIT_SECONDS = 8.0
HOSTILE = {
    "one definition used without end": "[a]: /" + "x" * 32 * KIB + "\n\n" + "[a] " * 8 * KIB,
    "short rows in many wide tables": ("|" + "a|" * 250 + "\n|" + "-|" * 250 + "\n" + "a\n" * 560 + "\n") * 30,
    "nested quotes": ">" * 60 * KIB + " word",
    "nested lists": "".join(" " * depth + "- word\n" for depth in range(300)),
    "colons": ":" * 200 * KIB,
    "mail addresses": "mailto:" * 30 * KIB,
    "brackets": "[" * 250 * KIB,
    "image openings": "![" * 60 * KIB,
    "footnotes in footnotes": "^[" * 60 * KIB,
    "emphasis": "**a *" * 40 * KIB,
    "dollars": "$a $a" * 40 * KIB,
    "bracketed formulas": "\\(" * 100 * KIB,
    "backticks": "".join("`" * count + " " for count in range(1, 700)),
    "pipes": "|" * 200 * KIB,
    "entities": "&" * 250 * KIB,
    "autolinks": "<http://" * 30 * KIB,
    "task items": "- [x] word\n" * 20 * KIB,
    "code without end": "```js\n" + "a([{" * 60 * KIB,
}
#: These run until the child is killed: one of them always, the others where there is time.
KILLED = {"colons", "mail addresses", "brackets", "image openings", "footnotes in footnotes", "autolinks", "entities"}
ALWAYS_KILLED = "brackets"
SLOW_CODE = [
    "a" * 8192,
    "(" * 8192,
    "<" * 8192,
    "\\" * 8192,
    "a(" * 4096,
    "'" * 8192,
    " \n" * 4096,
    "/*" * 4096,
    "a:" * 4096,
]


@pytest.fixture
def worker() -> Iterator[RenderWorker]:
    worker = RenderWorker(job_seconds=0.5)
    yield worker
    worker.stop()


@pytest.fixture(scope="module", autouse=True)
def _warm_child() -> None:
    render("word " * 2000, anchor_prefix="p")


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(
            source,
            id=name,
            marks=[pytest.mark.slow] * (name in KILLED) + [pytest.mark.thorough] * (name in KILLED - {ALWAYS_KILLED}),
        )
        for name, source in HOSTILE.items()
    ],
)
def test_a_hostile_text_is_shown_all_the_same(source: str) -> None:
    source = source[: 250 * KIB]
    render("word " * 2000, anchor_prefix="p")  # the child that was killed last is being replaced
    began = time.monotonic()
    rendered = render(source, anchor_prefix="p")
    assert time.monotonic() - began < LIMIT_SECONDS
    assert len(rendered.html) <= max(1_000_000, 8 * len(source))
    assert ("word" in source) <= ("word" in shown_words(rendered.html))
    assert rendered.is_source_shown == (rendered.reason is not None)


def test_a_long_ordinary_text_is_rendered_whole() -> None:
    paragraph = (
        "Some *plain* words, a [link](https://a.example) and `code`.\n\n- one\n- two\n\n```python\nx = [1]\n```\n\n"
    )
    rendered = render((paragraph * 4000)[: 16 * KIB], anchor_prefix="p")
    assert rendered.reason is None


def test_a_text_that_waits_for_the_processor_is_rendered_all_the_same(worker: RenderWorker) -> None:
    """The child stands still for longer than its budget; that is the machine's fault, not the text's."""
    worker.render("a", anchor_prefix="p")
    assert worker.process_id is not None
    child = psutil.Process(worker.process_id)
    child.suspend()
    threading.Timer(0.8, child.resume).start()
    assert worker.render("*b*", anchor_prefix="p") == "<p><em>b</em></p>\n"
    assert worker.process_id == child.pid


def test_a_child_that_never_gets_the_processor_is_given_up(worker: RenderWorker) -> None:
    worker.render("a", anchor_prefix="p")
    assert worker.process_id is not None
    psutil.Process(worker.process_id).suspend()
    with pytest.raises(Unrenderable, match="took too long"):
        worker.render("*b*", anchor_prefix="p")
    assert worker.render("*c*", anchor_prefix="p") == "<p><em>c</em></p>\n"


def test_a_larger_text_is_shown_as_source_at_once() -> None:
    rendered = render("word " * 60_000, anchor_prefix="p")
    assert rendered.is_source_shown
    assert rendered.reason == "This text is shown as it was written, because it is larger than 256 KiB."


@pytest.mark.slow
@pytest.mark.thorough
# The interruption may hit a callback of the garbage collector, which hypothesis sets; there it is only told.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("language", sorted(set(LANGUAGES.values())))
def test_no_lexer_takes_longer_than_its_budget(language: str) -> None:
    word = next(word for word, name in LANGUAGES.items() if name == language)
    for code in SLOW_CODE:
        began = time.process_time()
        highlight(code, word, Budget(0.5, 10**6))
        assert time.process_time() - began < 1.0


def test_blocks_are_plain_once_the_time_or_the_room_of_their_text_is_used_up() -> None:
    assert highlight("x = 1", "python", Budget(seconds=0.0, chars=10**6)) == "x = 1"
    assert highlight("x = 1", "python", Budget(seconds=1.0, chars=10)) == "x = 1"
    budget = Budget(seconds=1.0, chars=1000)
    assert "<span" in highlight("x = 1", "python", budget)
    assert budget.seconds < 1.0
    assert budget.chars < 1000


def test_small_texts_stay_in_the_process_and_suspicious_ones_do_not() -> None:
    assert is_small("A reply of *ordinary* length with a [link](/x).\n" * 30)
    assert not is_small("x" * 5000)
    assert not is_small("|" * 500)
    assert not is_small("[a]" * 500)
    assert not is_small("```js\n" + "a(" * 1000)


def test_the_child_is_killed_over_a_slow_text_and_the_next_one_works(worker: RenderWorker) -> None:
    assert worker.process_id is None
    assert worker.render("*a*", anchor_prefix="p") == "<p><em>a</em></p>\n"
    first = worker.process_id
    with pytest.raises(Unrenderable, match="took too long"):
        worker.render(":" * 250 * KIB, anchor_prefix="p")
    assert worker.process_id != first
    assert first is not None
    assert not psutil.pid_exists(first)
    assert worker.render("*b*", anchor_prefix="p") == "<p><em>b</em></p>\n"


def test_a_child_that_died_between_two_texts_is_replaced(worker: RenderWorker) -> None:
    worker.render("a", anchor_prefix="p")
    assert worker.process_id is not None
    child = psutil.Process(worker.process_id)
    child.kill()
    child.wait()
    assert worker.render("b", anchor_prefix="p") == "<p>b</p>\n"


def test_a_child_that_dies_over_a_text_costs_only_that_text(worker: RenderWorker) -> None:
    worker.render("a", anchor_prefix="p")
    assert worker.process_id is not None
    child = psutil.Process(worker.process_id)
    threading.Timer(0.1, child.kill).start()
    with pytest.raises(Unrenderable):
        worker.render(":" * 250 * KIB, anchor_prefix="p")
    assert worker.render("b", anchor_prefix="p") == "<p>b</p>\n"


def test_two_threads_at_once_get_their_own_pages() -> None:
    pages: dict[int, list[str]] = {0: [], 1: [], 2: []}

    def work(number: int) -> None:
        for turn in range(8):
            pages[number].append(render(f"thread{number} turn{turn} " * 400, anchor_prefix=f"post-{number}").html)

    threads = [threading.Thread(target=work, args=(number,)) for number in pages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, its_pages in pages.items():
        for turn, its_page in enumerate(its_pages):
            assert its_page == f"<p>{(f'thread{number} turn{turn} ' * 400).strip()}</p>\n"


def test_the_child_may_not_grow_without_end(worker: RenderWorker) -> None:
    worker.render("a", anchor_prefix="p")
    assert worker.process_id is not None
    child = psutil.Process(worker.process_id)
    if hasattr(child, "rlimit"):
        soft, _ = child.rlimit(psutil.RLIMIT_AS)
        assert 300 * KIB * KIB <= soft < 4096 * KIB * KIB


def test_the_child_does_not_outlive_its_parent() -> None:
    program = (
        "import os; from forllm_server.markup.render_worker import WORKER; WORKER.render('a', anchor_prefix='p');"
        "os.write(1, str(WORKER.process_id).encode()); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, timeout=30, check=False)
    child_id = int(done.stdout)
    deadline = time.monotonic() + 5
    while psutil.pid_exists(child_id) and psutil.Process(child_id).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_stopping_ends_the_child_and_a_later_text_starts_another() -> None:
    render("word " * 2000, anchor_prefix="p")
    first = WORKER.process_id
    WORKER.stop()
    assert first is not None
    assert not psutil.pid_exists(first)
    assert not render("word " * 2000, anchor_prefix="p").is_source_shown


def test_the_end_does_not_wait_for_a_child_that_does_not_answer() -> None:
    worker = RenderWorker(job_seconds=60)
    worker.render("a", anchor_prefix="p")
    assert worker.process_id is not None
    psutil.Process(worker.process_id).suspend()
    failures: list[str] = []

    def wait_for_it() -> None:
        try:
            worker.render("b", anchor_prefix="p")
        except Unrenderable as failure:
            failures.append(str(failure))

    waiting = threading.Thread(target=wait_for_it)
    waiting.start()
    time.sleep(0.05)
    worker.stop()
    waiting.join(30)
    assert failures
    worker.stop()
