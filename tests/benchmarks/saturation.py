"""Whether the real llama.cpp ever waits for FORLLM: the same requests through FORLLM's workers, through a bare client
in the best order, and through one that takes them first in, first out. One slot; the engine is started anew each time.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import Connection, text

from forllm_server import clock
from forllm_server.accounts.local import LOCAL_USER_ID
from forllm_server.backends.embedded import shipped_model
from forllm_server.backends.engine import Engine, EngineAddress, EngineSettings
from forllm_server.catalog.editing import add_backend
from forllm_server.cli.runtime import Installation
from forllm_server.jobs import Connections, JobContext
from forllm_server.jobs.asking import Ask, ask
from forllm_server.jobs.planning import NightPlan
from forllm_server.jobs.reply import ReplyKind
from forllm_server.personas.editing import create_persona
from forllm_server.queue.prompt_store import find_prompt
from forllm_server.queue.wakeup import Wakeup
from forllm_server.queue.worker import WorkerPool
from tests.benchmarks.measure import Row, Scale, at_least
from tests.benchmarks.places import installed, write_chains
from tests.support.world import insert_model

_MODEL = "smollm2"
_CONTEXT_TOKENS = 4096
#: Posts of each thread; the question is the last one, so that every prompt holds them all.
_THREAD_POSTS = 5
#: Short and long answers, by persona in turn.
_ANSWER_TOKENS = (8, 48)
_STANCES = ("Doubt everything.", "Answer in one sentence.", "Think of the costs.", "Explain it to a child.")
#: With and without the cache beside the slot, in MiB.
_CACHES = {"prompt cache on": 256, "no prompt cache in RAM": 0}
_PATIENCE_SECONDS = 1800.0


@dataclass(frozen=True)
class _Wish:
    """One request as it is sent, and the thread that it is about."""

    topic_id: int
    messages: Sequence[Mapping[str, Any]]
    max_tokens: int


@dataclass(frozen=True)
class Passage:
    """All requests, once: seconds, and tokens as the server counted them."""

    seconds: float
    output_tokens: int
    prompt_tokens: int
    cached_tokens: int

    @property
    def tokens_per_second(self) -> float:
        return self.output_tokens / self.seconds

    @property
    def note(self) -> str:
        share = self.cached_tokens / self.prompt_tokens if self.prompt_tokens else 0.0
        return (
            f"{self.tokens_per_second:.1f} tokens/s written, {self.output_tokens:,} in all; "
            f"{self.cached_tokens:,} of {self.prompt_tokens:,} prompt tokens cached ({share:.0%})"
        )


def measure_saturation(folder: Path, scale: Scale) -> list[Row]:
    """Each way once for each cache, and the shares."""
    rows: list[Row] = []
    for name, cache_mib in _CACHES.items():
        place = folder / str(cache_mib)
        place.mkdir(parents=True)
        rows += _rows(name, _measure_ways(place, scale.saturation, cache_mib), scale.saturation)
    return rows


def _measure_ways(folder: Path, size: tuple[int, int], cache_mib: int) -> dict[str, Passage]:
    """Each way once, one after the other: together they take minutes already."""
    with _engine(cache_mib) as address, installed(folder / "data") as installation:
        forllm, wishes = _through_forllm(installation, address, size)
    with _engine(cache_mib) as address:
        best = _through_bare_client(address, sorted(wishes, key=lambda wish: wish.topic_id))
    with _engine(cache_mib) as address:
        fifo = _through_bare_client(address, wishes)
    return {"forllm": forllm, "best": best, "fifo": fifo}


def _rows(name: str, found: Mapping[str, Passage], size: tuple[int, int]) -> list[Row]:
    number = size[0] * size[1]
    forllm, best, fifo = found["forllm"], found["best"], found["fifo"]
    return [
        Row(f"{number} requests, {name}: bare client, first in first out", fifo.seconds, "s", fifo.note),
        Row(f"{number} requests, {name}: bare client, best order", best.seconds, "s", best.note),
        Row(f"{number} requests, {name}: FORLLM", forllm.seconds, "s", forllm.note),
        at_least(
            f"… {name}: tokens/s as a share of the best", forllm.tokens_per_second / best.tokens_per_second, "", 0.97
        ),
        at_least(f"… {name}: times as fast as first in first out", fifo.seconds / forllm.seconds, "", 1),
    ]


@contextmanager
def _engine(cache_mib: int) -> Iterator[EngineAddress]:
    """FORLLM's embedded engine, warm but with nothing cached."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    settings = EngineSettings(
        gguf_path=shipped_model(),
        name=_MODEL,
        context_tokens=_CONTEXT_TOKENS,
        threads=max(1, cores - 1),
        batch_threads=cores,
        cache_mib=cache_mib,
    )
    engine = Engine(settings, idle_seconds=_PATIENCE_SECONDS)
    try:
        address = engine.address()
        _through_bare_client(address, [_Wish(0, [{"role": "user", "content": "Hello"}], 4)])
        yield address
    finally:
        engine.stop()


def _through_bare_client(address: EngineAddress, wishes: Sequence[_Wish]) -> Passage:
    """One request after the other, without a pause."""
    usages: list[Mapping[str, Any]] = []
    started = time.perf_counter()
    with requests.Session() as session:
        # The server ends idle connections whenever it likes, so each request has its own, as FORLLM's have.
        session.headers.update({"Authorization": f"Bearer {address.api_key}", "Connection": "close"})
        usages.extend(_ask_barely(session, address.url, wish) for wish in wishes)
    seconds = time.perf_counter() - started
    cached = sum((usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0) for usage in usages)
    written = sum(usage["completion_tokens"] for usage in usages)
    return Passage(seconds, written, sum(usage["prompt_tokens"] for usage in usages), cached)


def _ask_barely(session: requests.Session, url: str, wish: _Wish) -> Mapping[str, Any]:
    body = {"model": _MODEL, "messages": wish.messages, "max_tokens": wish.max_tokens, "temperature": 0.0}
    body |= {"stream": True, "stream_options": {"include_usage": True}, "cache_prompt": True}
    usage: Mapping[str, Any] = {}
    with session.post(f"{url}/v1/chat/completions", json=body, stream=True, timeout=_PATIENCE_SECONDS) as response:
        response.raise_for_status()
        for line in response.iter_lines(chunk_size=1):
            if line.startswith(b"data: {"):
                usage = json.loads(line.removeprefix(b"data: ")).get("usage") or usage
    return usage


def _through_forllm(
    installation: Installation, address: EngineAddress, size: tuple[int, int]
) -> tuple[Passage, list[_Wish]]:
    """Ask everything, then let the real workers work; also the requests as they were sent, in the order asked."""
    database = installation.database
    ids = _ask_all(installation, address, size)
    with ExitStack() as stack:
        connections = Connections(installation.secret_key)
        stack.callback(connections.close)
        kinds = {"reply": ReplyKind(JobContext(database, connections))}
        pool = WorkerPool(database, kinds=kinds, plan=NightPlan(), threads=2, wakeup=Wakeup())
        started = time.perf_counter()
        pool.start()
        stack.callback(pool.stop)
        while _count_live(installation):
            assert time.perf_counter() - started < _PATIENCE_SECONDS, "it takes too long"
            time.sleep(0.02)
        seconds = time.perf_counter() - started
    with database.read() as connection:
        statuses = set(connection.execute(text("SELECT status FROM llm_requests")).scalars())
        assert statuses == {"succeeded"}, statuses
        written, prompt, cached = connection.execute(text(_USAGE)).one()
        wishes = [_wish(connection, llm_request_id) for llm_request_id in ids]
    return Passage(seconds, written, prompt, cached), wishes


_USAGE = """
    SELECT sum(json_extract(usage, '$.completion_tokens')), sum(json_extract(usage, '$.prompt_tokens')),
        sum(coalesce(json_extract(usage, '$.cached_tokens'), 0)) FROM llm_requests
"""


def _ask_all(installation: Installation, address: EngineAddress, size: tuple[int, int]) -> list[int]:
    """Each persona asks every thread in turn: the order in which people ask, and the worst for a cache."""
    topics, personas = size
    questions = write_chains(installation.database, topics, _THREAD_POSTS)
    now = clock.now()
    with installation.database.transaction() as connection:
        record = add_backend(
            connection,
            owner_id=LOCAL_USER_ID,
            name="Engine",
            kind="llama_cpp",
            base_url=address.url,
            api_key=address.api_key,
            secret_key=installation.secret_key,
            now=now,
        )
        model_id = insert_model(connection, record.id, now, name=_MODEL)
        persona_ids = [
            create_persona(
                connection,
                owner_id=LOCAL_USER_ID,
                name=f"Persona {number + 1}",
                instructions=_STANCES[number % len(_STANCES)],
                parameters={"temperature": 0.0, "max_tokens": _ANSWER_TOKENS[number % len(_ANSWER_TOKENS)]},
                now=now,
            ).id
            for number in range(personas)
        ]
        return [
            ask(connection, Ask(LOCAL_USER_ID, post_id, persona_id=persona_id, model_id=model_id), now).request.id
            for persona_id in persona_ids
            for post_id in questions
        ]


def _count_live(installation: Installation) -> int:
    with installation.database.read() as connection:
        live = "SELECT count(*) FROM llm_requests WHERE status IN ('queued', 'running', 'waiting')"
        return int(connection.execute(text(live)).scalar_one())


def _wish(connection: Connection, llm_request_id: int) -> _Wish:
    row = connection.execute(
        text("SELECT topic_id, json_extract(parameters, '$.max_tokens') FROM llm_requests WHERE id = :id"),
        {"id": llm_request_id},
    ).one()
    prompt = find_prompt(connection, llm_request_id)
    assert prompt is not None
    return _Wish(row[0], prompt.messages, row[1])
