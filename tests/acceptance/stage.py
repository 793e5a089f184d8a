"""A forum in real processes with a scripted model server, asked and watched through its API and pages alone."""

import itertools
import re
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.processes import ForllmProcess, wait_for
from tests.support.scripted_server import Script, ScriptedServer

MODEL = "scripted"
FINAL = ("succeeded", "failed", "cancelled")
#: What stands last in a prompt; in a chain that is the answer of the one before.
_QUESTION = re.compile(r"(?:Question|Answer) (\d+)")
_LINKS = ("Skeptic", "Teacher", "Poet")


@dataclass(frozen=True)
class Asked:
    """A question that was put, and the LLM request it became."""

    number: int
    topic_id: int
    post_id: int
    llm_request_id: int


def answer_to(number: int, tokens: int) -> tuple[str, ...]:
    """The tokens of the one right answer to question ``number``."""
    return (f"Answer {number}:", *(f" word{place}" for place in range(1, tokens)), ".")


class Stage:
    """One data folder, one model server, and every process started on them. Ends them all."""

    def __init__(self, folder: Path, *, environ: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.environ = environ or {}
        self.tokens = 10
        self.delay_seconds = 0.0
        self.models = ScriptedServer("ollama", models=(MODEL,), answer=self.script_for)
        self.processes: list[ForllmProcess] = []
        self.backend_id = 0
        self.model_id = 0
        self.subforum_id = 0
        self.has_personas = False
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            process.__exit__(None, None, None)
        self.models.close()

    def script_for(self, body: dict[str, Any]) -> Script:
        """What the model says: the answer to the question that stands last in the prompt."""
        asked = [turn["content"] for turn in body["messages"] if turn["role"] == "user"]
        found = _QUESTION.findall(str(asked[-1]))
        assert found, f"a prompt without a question: {body}"
        return Script(tokens=answer_to(int(found[-1]), self.tokens), delay=self.delay_seconds)

    def text_of(self, asked: Asked) -> str:
        """The exact text that the reply must have."""
        return "".join(answer_to(asked.number, self.tokens))

    # -- processes

    def start(self, command: str, *options: str, wrapper: Iterable[str] = ()) -> ForllmProcess:
        """Start a process on the data; it may still be starting."""
        log = self.folder / f"{command}-{len(self.processes) + 1}.log"
        process = ForllmProcess(command, self.data_dir, *options, environ=self.environ, log=log, wrapper=tuple(wrapper))
        self.processes.append(process)
        return process

    def serve(self, *options: str, wrapper: Iterable[str] = ()) -> ForllmProcess:
        """Start a server on a free port and wait until it answers; the first one is given the backend."""
        process = self.start("serve", "--port", "0", *options, wrapper=wrapper)
        process.wait_until_open()
        if not self.backend_id:
            self._furnish(process)
        return process

    def _furnish(self, serve: ForllmProcess) -> None:
        new = {"name": "Workshop", "kind": "ollama", "base_url": self.models.url, "concurrency": 1}
        self.backend_id = serve.api("POST", "backends", new)["id"]
        found = serve.api("POST", f"backends/{self.backend_id}/probe")
        assert found["is_reachable"], found
        models = serve.api("GET", "models")["items"]
        self.model_id = next(item["id"] for item in models if item["backend_id"] == self.backend_id)
        self.subforum_id = serve.api("POST", "subforums", {"name": "Homelab", "description": ""})["id"]

    # -- asking

    def ask(self, serve: ForllmProcess, **wishes: Any) -> Asked:
        """Open a topic with a question and ask the scripted model about it."""
        number = next(self._numbers)
        new = {"title": f"Topic {number}", "content": f"Question {number}", "ask": []}
        topic = serve.api("POST", f"subforums/{self.subforum_id}/topics", new)
        post_id = topic["first_post"]["id"]
        wish = {"model_id": self.model_id} | wishes
        llm_request = serve.api("POST", f"posts/{post_id}/llm-requests", wish)
        return Asked(number, topic["id"], post_id, llm_request["id"])

    def ask_chain(self, serve: ForllmProcess) -> list[Asked]:
        """Open a topic whose text calls three personas, each for an answer to the one before it."""
        if not self.has_personas:
            for name in _LINKS:
                new = {"name": name, "instructions": "Answer.", "model_id": self.model_id}
                serve.api("POST", "personas", new)
            self.has_personas = True
        number = next(self._numbers)
        new = {"title": f"Topic {number}", "content": f"@skeptic>@teacher>@poet Question {number}", "ask": []}
        topic = serve.api("POST", f"subforums/{self.subforum_id}/topics", new)
        ids = [each["id"] for each in topic["llm_requests"]]
        return [Asked(number, topic["id"], topic["first_post"]["id"], each) for each in ids]

    def look(self, serve: ForllmProcess, asked: Asked) -> Any:
        """The LLM request as the API shows it."""
        return serve.api("GET", f"llm-requests/{asked.llm_request_id}")

    def wait_for_status(self, serve: ForllmProcess, asked: Asked, *statuses: str, seconds: float = 45.0) -> Any:
        """Wait until the request is in one of these states; it, then."""

        def seen() -> Any:
            found = self.look(serve, asked)
            return found if found["status"] in statuses else None

        return wait_for(seen, f"{' or '.join(statuses)}", lambda: str(self.look(serve, asked)), seconds=seconds)

    def wait_for_partial(self, serve: ForllmProcess, asked: Asked) -> str:
        """Wait until some of the answer can be read while it is being written."""
        return str(wait_for(lambda: self.look(serve, asked)["partial_text"], "partial text", serve.words))

    def replies(self, serve: ForllmProcess, asked: Asked) -> list[str]:
        """The texts of all posts that answered this question."""
        posts = serve.api("GET", f"topics/{asked.topic_id}/posts")["items"]
        return [post["content"] for post in posts if post["author_kind"] == "persona"]

    def assert_answered_once(self, serve: ForllmProcess, asked: Asked) -> None:
        """Exactly one reply, with exactly the text that the model gave."""
        found = self.wait_for_status(serve, asked, *FINAL)
        assert found["status"] == "succeeded", found
        assert self.replies(serve, asked) == [self.text_of(asked)]

    # -- hours

    def close_window(self, serve: ForllmProcess) -> int:
        """Let models work only in an hour that is half a day away; the window's id."""
        minutes = serve.api("GET", "schedule/status")["now"][11:16]
        start = (int(minutes[:2]) * 60 + int(minutes[3:]) + 720) % 1440
        days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        window = {"days": days, "start_minute": start, "end_minute": (start + 60) % 1440, "timezone": "UTC"}
        window_id = int(serve.api("POST", "schedule/windows", window)["id"])
        assert serve.api("GET", "schedule/status")["is_open"] is False
        # What a worker knows of the hours is at most a second old.
        wait_until_known()
        return window_id


def wait_until_known() -> None:
    """Give the workers the second within which they notice that the hours have changed."""
    time.sleep(1.2)


def end_in_order(process: ForllmProcess) -> None:
    assert process.end(signal.SIGTERM) == 0, process.words()
