"""Whether the real llama.cpp ever waits for FORLLM: the same requests through FORLLM's workers, through bare clients
in the best orders, and through one that takes them first in, first out. On one slot and on four, with and without the
prompt cache beside them; the engine is started anew for each passage, and the ways take turns.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

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
from tests.benchmarks.bare import PATIENCE_SECONDS, Passage, Wish, ask_in_lanes, ask_in_order
from tests.benchmarks.measure import Row, Scale, at_least
from tests.benchmarks.places import installed, write_chains
from tests.support.world import insert_model

MODEL = "smollm2"
_CONTEXT_TOKENS = 4096
#: Posts of each thread, about 150 tokens each; the question is the last one, so that every prompt holds them all.
_THREAD_POSTS = 8
#: Short and long answers, by persona in turn.
_ANSWER_TOKENS = (8, 48)
_STANCES = ("Doubt everything.", "Answer in one sentence.", "Think of the costs.", "Explain it to a child.")
_FIFO = "bare client, first in first out"


@dataclass(frozen=True)
class _Server:
    """A way to start llama.cpp."""

    slots: int
    #: of the cache that it keeps in memory beside the slots
    cache_mib: int

    @property
    def least_gain(self) -> float:
        """How many times as fast as first in first out FORLLM has to be there."""
        return 3.0 if self.slots == 1 and not self.cache_mib else 1.0

    @property
    def name(self) -> str:
        slots = "one slot" if self.slots == 1 else f"{self.slots} slots"
        return f"{slots}, prompt cache {'on' if self.cache_mib else 'off'}"


Way = Callable[[EngineAddress], Passage]


def measure_saturation(folder: Path, scale: Scale) -> list[Row]:
    """Each way so many times on each server, in turns; the shares."""
    rows: list[Row] = []
    for server in (_Server(slots, cache_mib) for slots in scale.slots for cache_mib in scale.caches_mib):
        stand = _Stand(folder / f"{server.slots}-{server.cache_mib}", server, scale.saturation)
        rows += _rows(server, stand.measure(scale.passages), scale.saturation)
    return rows


class _Stand:
    """One kind of server, and the ways to have it answer the same questions."""

    def __init__(self, folder: Path, server: _Server, size: tuple[int, int]) -> None:
        self._folder = folder
        self._server = server
        self._size = size
        #: as FORLLM has sent them the first time, in the order in which they were asked
        self._wishes: list[Wish] = []
        self._number = 0

    def measure(self, passages: int) -> dict[str, Passage]:
        """Of each way the passage that took the median time."""
        ways: dict[str, Way] = {_forllm(at_once): partial(self._ask_forllm, at_once) for at_once in self._widths()}
        ways |= {_bare(lanes): partial(self._ask_lanes, lanes) for lanes in self._widths()}
        ways[_FIFO] = lambda address: ask_in_order(address, self._wishes)
        taken: dict[str, list[Passage]] = {name: [] for name in ways}
        for _ in range(passages):
            for name, way in ways.items():
                with _engine(self._server) as address:
                    taken[name].append(way(address))
        middle = (passages - 1) // 2
        return {name: sorted(found, key=lambda each: each.seconds)[middle] for name, found in taken.items()}

    def _widths(self) -> list[int]:
        return sorted({1, self._server.slots})

    def _ask_lanes(self, lanes: int, address: EngineAddress) -> Passage:
        return ask_in_lanes(address, self._wishes, lanes)

    def _ask_forllm(self, at_once: int, address: EngineAddress) -> Passage:
        """Ask everything, then let the real workers work."""
        self._number += 1
        with installed(self._folder / str(self._number)) as installation:
            ids = ask_all(installation, address, self._size, at_once)
            seconds = _work(installation, at_once)
            with installation.database.read() as connection:
                statuses = set(connection.execute(text("SELECT status FROM llm_requests")).scalars())
                assert statuses == {"succeeded"}, statuses
                found = connection.execute(text(_USAGE)).one()
                self._wishes = self._wishes or [_wish(connection, llm_request_id) for llm_request_id in ids]
        return Passage(seconds, *found)


def _rows(server: _Server, found: Mapping[str, Passage], size: tuple[int, int]) -> list[Row]:
    """The passages, then FORLLM's best way beside the best bare one."""
    number = size[0] * size[1]
    rows = [
        Row(f"{number} requests, {server.name}: {name}", passage.seconds, "s", _note(server, passage))
        for name, passage in found.items()
    ]
    forllm, bare = (
        max((each for name, each in found.items() if name.startswith(who)), key=lambda each: each.tokens_per_second)
        for who in ("FORLLM", "bare client")
    )
    share, gain = forllm.tokens_per_second / bare.tokens_per_second, found[_FIFO].seconds / forllm.seconds
    return [
        *rows,
        at_least(f"… {server.name}: tokens/s as a share of the best bare client's", share, "", 0.97),
        at_least(f"… {server.name}: times as fast as first in first out", gain, "", server.least_gain),
    ]


def _note(server: _Server, passage: Passage) -> str:
    if server.slots > 1:
        return passage.note
    return f"{passage.note}; the server idle {passage.idle_milliseconds:.0f} ms for each"


def _forllm(at_once: int) -> str:
    return f"FORLLM, {at_once} at once"


def _bare(lanes: int) -> str:
    return f"bare client, thread by thread, {lanes} at once"


@contextmanager
def _engine(server: _Server) -> Iterator[EngineAddress]:
    """FORLLM's embedded engine, warm but with nothing cached."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    settings = EngineSettings(
        gguf_path=shipped_model(),
        name=MODEL,
        context_tokens=_CONTEXT_TOKENS,
        threads=max(1, cores - 1),
        batch_threads=cores,
        cache_mib=server.cache_mib,
        slots=server.slots,
    )
    engine = Engine(settings, idle_seconds=PATIENCE_SECONDS)
    try:
        address = engine.address()
        ask_in_order(address, [Wish(0, MODEL, [{"role": "user", "content": "Hello"}], 4)])
        yield address
    finally:
        engine.stop()


def _work(installation: Installation, at_once: int) -> float:
    """Run the workers until everything is answered; the seconds until the last reply was there."""
    database = installation.database
    with ExitStack() as stack:
        connections = Connections(installation.secret_key)
        stack.callback(connections.close)
        kinds = {"reply": ReplyKind(JobContext(database, connections))}
        pool = WorkerPool(database, kinds=kinds, plan=NightPlan(), threads=at_once + 1, wakeup=Wakeup())
        started_at = clock.now()
        ends_at = time.monotonic() + PATIENCE_SECONDS
        pool.start()
        stack.callback(pool.stop)
        while count_live(installation):
            assert time.monotonic() < ends_at, "it takes too long"
            # Rarely: looking costs the server processor time, and the end is read from the database.
            time.sleep(0.5)
    with database.read() as connection:
        finished_at = connection.execute(text("SELECT max(finished_at) FROM llm_requests")).scalar_one()
    return (datetime.fromisoformat(finished_at).replace(tzinfo=started_at.tzinfo) - started_at).total_seconds()


#: The numbers of a Passage behind its seconds.
_USAGE = """
    SELECT count(*), sum(json_extract(usage, '$.completion_tokens')), sum(json_extract(usage, '$.prompt_tokens')),
        sum(coalesce(json_extract(usage, '$.cached_tokens'), 0)),
        sum(json_extract(usage, '$.prompt_seconds') + json_extract(usage, '$.generation_seconds')) FROM llm_requests
"""


def ask_all(installation: Installation, address: EngineAddress, size: tuple[int, int], at_once: int) -> list[int]:
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
            concurrency=at_once,
            secret_key=installation.secret_key,
            now=now,
        )
        model_id = insert_model(connection, record.id, now, name=MODEL)
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


def count_live(installation: Installation) -> int:
    """How many requests are not over yet."""
    with installation.database.read() as connection:
        live = "SELECT count(*) FROM llm_requests WHERE status IN ('queued', 'running', 'waiting')"
        return int(connection.execute(text(live)).scalar_one())


def _wish(connection: Connection, llm_request_id: int) -> Wish:
    row = connection.execute(
        text("SELECT topic_id, json_extract(parameters, '$.max_tokens') FROM llm_requests WHERE id = :id"),
        {"id": llm_request_id},
    ).one()
    prompt = find_prompt(connection, llm_request_id)
    assert prompt is not None
    return Wish(row[0], MODEL, prompt.messages, row[1])
