"""Hooks with real processes: the three examples of docs/hooks.md as they stand there, and a kill within a call."""

import json
import re
import signal
import subprocess
import sys
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from forllm_server.config import CHECKOUT
from tests.support.outside import Hook
from tests.support.processes import ForllmProcess, wait_for

pytestmark = pytest.mark.slow

#: one grey point
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
#: Stands for a program that speaks: a second of silence for each word that it reads.
SPEAKER = """\
import sys, wave
with wave.open(sys.argv[1], "wb") as sound:
    sound.setnchannels(1), sound.setsampwidth(2), sound.setframerate(8000)
    sound.writeframes(bytes(16000 * len(sys.stdin.read().split())))
"""
OPTIONS = ("--port", "0", "--allow-commands")


def extract(folder: Path) -> None:
    """The examples, as files."""
    text = (CHECKOUT / "docs" / "hooks.md").read_text(encoding="utf-8")
    found = re.findall(r"```python title=(\w+\.py)\n(.*?)\n```\n", text, flags=re.DOTALL)
    assert [name for name, _ in found] == ["draw.py", "speak.py", "keep.py"]
    for name, code in found:
        (folder / name).write_text(code + "\n", encoding="utf-8")


class Painter(BaseHTTPRequestHandler):
    """The API of AUTOMATIC1111, as far as a picture needs it."""

    asked: list[Any] = []  # noqa: RUF012

    def do_POST(self) -> None:
        wish = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.path, wish["prompt"]))
        body = json.dumps({"images": [PNG]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: Any) -> None:
        """Quiet."""


@contextmanager
def painter() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Painter)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def add(serve: ForllmProcess, name: str, command: list[str], events: list[str]) -> None:
    words = " ".join(f'"{word}"' for word in command)
    serve.api("POST", "hooks", {"kind": "command", "name": name, "command": words, "events": events})


def settled(serve: ForllmProcess) -> list[Any]:
    """All calls, once none is to be made."""
    wait_for(lambda: not serve.api("GET", "hook-calls?status=waiting")["items"], "all calls", serve.words)
    calls: list[Any] = serve.api("GET", "hook-calls?limit=200")["items"]
    return calls[::-1]


def history(folder: Path) -> list[str]:
    told = subprocess.run(["git", "log", "--format=%s"], cwd=folder, check=True, capture_output=True, text=True)
    return told.stdout.splitlines()[::-1]


@pytest.mark.thorough
def test_the_three_examples_draw_speak_and_keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    extract(tmp_path)
    (tmp_path / "speaker.py").write_text(SPEAKER)
    python, kept, spoken = sys.executable, tmp_path / "kept", tmp_path / "spoken"
    options = {"log": tmp_path / "serve.log"}
    with painter() as drawing, ForllmProcess("serve", tmp_path / "data", *OPTIONS, **options) as serve:
        serve.wait_until_open()
        add(serve, "Draw", [python, f"{tmp_path}/draw.py", drawing], ["topic.opened", "reply.posted"])
        speaker = [python, f"{tmp_path}/speaker.py", "FILE"]
        add(serve, "Speak", [python, f"{tmp_path}/speak.py", str(spoken), *speaker], ["reply.posted"])
        every = ["topic.opened", "reply.posted", "post.edited", "post.deleted"]
        add(serve, "Keep", [python, f"{tmp_path}/keep.py", str(kept)], every)
        subforum_id = serve.api("POST", "subforums", {"name": "Garden", "description": ""})["id"]
        topic = serve.api("POST", f"subforums/{subforum_id}/topics", {"title": "Cats", "content": "Look:\ndraw: a cat"})
        calls = settled(serve)
        assert Painter.asked == [("/sdapi/v1/txt2img", "a cat")]
        posts = serve.api("GET", f"topics/{topic['id']}/posts")["items"]
        assert len(posts) == 2
        is_attached = "/api/v1/posts/{post_id}/attachments" in serve.api("GET", "openapi.json")["paths"]
        assert ("![a cat](/attachments/" in posts[1]["content"]) is is_attached
        # Its own reply does not call the first one again, and the others hear of it.
        assert [(call["event"], call["hook_id"], call["status"]) for call in calls] == [
            ("topic.opened", 1, "done"), ("topic.opened", 3, "done"),
            ("reply.posted", 1, "stopped"), ("reply.posted", 2, "done"), ("reply.posted", 3, "done"),
        ]  # fmt: skip
        assert not list(spoken.glob("*"))
        serve.api("PATCH", f"posts/{posts[0]['id']}", {"content": "No more cats.", "expected_version": 1})
        asked = serve.api("POST", f"posts/{posts[0]['id']}/llm-requests", {"run_now": True})
        path = f"llm-requests/{asked['id']}"
        wait_for(lambda: serve.api("GET", path)["status"] == "succeeded", "an answer", serve.words)
        assert {call["status"] for call in settled(serve)} == {"done", "stopped"}
        (sound,) = spoken.glob("*.wav")
        with wave.open(str(sound)) as played:
            assert played.getnframes() > 0
        text = (kept / f"{topic['id']}.md").read_text(encoding="utf-8")
        assert text.startswith("# Cats\n")
        assert "No more cats." in text
        assert "draw:" not in text
        events = [subject.partition(" ")[0] for subject in history(kept)]
        # An event whose change is in the repository already makes no commit.
        assert (events[0], events[-2:]) == ("topic.opened", ["post.edited", "reply.posted"])
        serve.api("DELETE", f"posts/{sound.stem}")
        settled(serve)
        assert history(kept)[-1] == f"post.deleted {sound.stem}"
        assert serve.end(signal.SIGTERM) == 0


def test_a_kill_within_a_call_loses_nothing_and_it_comes_again_with_its_id(tmp_path: Path) -> None:
    data = tmp_path / "data"
    new = {"kind": "webhook", "name": "Far", "events": ["topic.opened"], "may_be_local": True, "secret": "a key"}
    with Hook() as receiver:
        receiver.answers.append((0, ""))
        with ForllmProcess("serve", data, *OPTIONS, log=tmp_path / "first.log") as serve:
            serve.wait_until_open()
            serve.api("POST", "hooks", new | {"url": receiver.url})
            subforum_id = serve.api("POST", "subforums", {"name": "Garden", "description": ""})["id"]
            serve.api("POST", f"subforums/{subforum_id}/topics", {"title": "Roses", "content": "When?"})
            wait_for(lambda: receiver.posted, "the call", serve.words)
            serve.end(signal.SIGKILL)
        with ForllmProcess("serve", data, *OPTIONS, log=tmp_path / "second.log") as serve:
            serve.wait_until_open()
            (call,) = settled(serve)
            assert (call["status"], call["attempts"]) == ("done", 2)
    first, second = receiver.posted
    assert first.body == second.body
    assert first.headers["x-forllm-event-id"] == second.headers["x-forllm-event-id"] == call["event_id"]
    assert second.headers["x-forllm-signature"].startswith("t=")
    assert "a key" not in (tmp_path / "second.log").read_text()
