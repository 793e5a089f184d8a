"""Bare clients of a llama.cpp server: the same requests without any queue, in an order and a number at once of one's
own; and what every way of asking is judged by."""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from queue import Empty, SimpleQueue
from typing import Any

import requests

from forllm_server.backends.engine import EngineAddress

PATIENCE_SECONDS = 1800.0


@dataclass(frozen=True)
class Wish:
    """One request as it is sent, and the thread that it is about."""

    topic_id: int
    model: str
    messages: Sequence[Mapping[str, Any]]
    max_tokens: int


@dataclass(frozen=True)
class Passage:
    """All requests, once: seconds by the clock, and tokens and seconds of work as the server told them."""

    seconds: float
    number: int
    output_tokens: int
    prompt_tokens: int
    cached_tokens: int
    work_seconds: float

    @property
    def tokens_per_second(self) -> float:
        return self.output_tokens / self.seconds

    @property
    def idle_milliseconds(self) -> float:
        """For how long a server with one slot had nothing to do, on average for each request."""
        return 1000 * max(0.0, self.seconds - self.work_seconds) / self.number

    @property
    def note(self) -> str:
        share = self.cached_tokens / self.prompt_tokens if self.prompt_tokens else 0.0
        return (
            f"{self.tokens_per_second:.1f} tokens/s written, {self.output_tokens:,} in all; "
            f"{self.cached_tokens:,} of {self.prompt_tokens:,} prompt tokens cached ({share:.0%})"
        )


def ask_in_order(address: EngineAddress, wishes: Sequence[Wish]) -> Passage:
    """One request after the other, without a pause."""
    started = time.perf_counter()
    with _session(address) as session:
        answers = [_ask(session, address, wish) for wish in wishes]
    return _passage(time.perf_counter() - started, answers)


def ask_in_lanes(address: EngineAddress, wishes: Sequence[Wish], lanes: int) -> Passage:
    """So many at once; each lane takes one thread after the other, and keeps to a slot of its own."""
    threads: SimpleQueue[list[Wish]] = SimpleQueue()
    for _, group in groupby(sorted(wishes, key=lambda wish: wish.topic_id), key=lambda wish: wish.topic_id):
        threads.put(list(group))

    def work(lane: int) -> list[Mapping[str, Any]]:
        answers: list[Mapping[str, Any]] = []
        with _session(address) as session:
            while True:
                try:
                    thread = threads.get_nowait()
                except Empty:
                    return answers
                answers += [_ask(session, address, wish, id_slot=lane) for wish in thread]

    started = time.perf_counter()
    with ThreadPoolExecutor(lanes) as pool:
        answers = [answer for each in pool.map(work, range(lanes)) for answer in each]
    return _passage(time.perf_counter() - started, answers)


def _session(address: EngineAddress) -> requests.Session:
    session = requests.Session()
    # The server ends idle connections whenever it likes, so each request has its own, as FORLLM's have.
    session.headers.update({"Authorization": f"Bearer {address.api_key}", "Connection": "close"})
    return session


def _ask(session: requests.Session, address: EngineAddress, wish: Wish, **more: int) -> Mapping[str, Any]:
    """The last words of the server: usage and timings."""
    body = {"model": wish.model, "messages": wish.messages, "max_tokens": wish.max_tokens, "temperature": 0.0}
    body |= {"stream": True, "stream_options": {"include_usage": True}, "cache_prompt": True, **more}
    told: dict[str, Any] = {}
    url = f"{address.url}/v1/chat/completions"
    with session.post(url, json=body, stream=True, timeout=PATIENCE_SECONDS) as response:
        response.raise_for_status()
        for line in response.iter_lines(chunk_size=1):
            if line.startswith(b"data: {"):
                event = json.loads(line.removeprefix(b"data: "))
                told |= {name: event[name] for name in ("usage", "timings") if event.get(name)}
    return told


def _passage(seconds: float, answers: Sequence[Mapping[str, Any]]) -> Passage:
    usages = [answer["usage"] for answer in answers]
    timings = [answer["timings"] for answer in answers]
    return Passage(
        seconds=seconds,
        number=len(answers),
        output_tokens=sum(usage["completion_tokens"] for usage in usages),
        prompt_tokens=sum(usage["prompt_tokens"] for usage in usages),
        cached_tokens=sum((usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0) for usage in usages),
        work_seconds=sum(timing["prompt_ms"] + timing["predicted_ms"] for timing in timings) / 1000,
    )
