"""For how long a model's server has nothing to do between two requests, seen from the server: FORLLM's workers, one
request at a time, beside a bare client. The server is scripted; its own time is not counted.
"""

import statistics
import time
from contextlib import ExitStack
from pathlib import Path

from forllm_server import clock
from forllm_server.backends.engine import EngineAddress
from forllm_server.jobs import Connections, JobContext
from forllm_server.jobs.planning import NightPlan
from forllm_server.jobs.reply import ReplyKind
from forllm_server.queue.wakeup import Wakeup
from forllm_server.queue.worker import WorkerPool
from tests.benchmarks.bare import Wish, ask_in_order
from tests.benchmarks.measure import Row, Scale
from tests.benchmarks.places import installed
from tests.benchmarks.saturation import MODEL, ask_all, count_live
from tests.support.scripted_server import Script, ScriptedServer
from tests.support.scripted_wire import Wire

_TOKENS = 20
_DELAY_SECONDS = 0.005
_CONTEXT_TOKENS = 4096


class _Clocked(Wire):
    """Knows when it last began to send: afterwards the other side may be ahead of this one."""

    last_sent_at = 0.0

    def raw(self, data: bytes) -> None:
        self.last_sent_at = time.perf_counter()
        super().raw(data)

    def end(self) -> None:
        """What closes the stream is not waited for by a client that has heard that the answer is whole."""
        told_at = self.last_sent_at
        super().end()
        self.last_sent_at = told_at


class Timed(ScriptedServer):
    """Notes when each answer began and ended."""

    def __post_init__(self) -> None:
        self.began: list[float] = []
        self.ended: list[float] = []
        super().__post_init__()

    def _generate(self, wire: Wire) -> None:
        self.began.append(time.perf_counter())
        clocked = _Clocked(**vars(wire))
        super()._generate(clocked)
        self.ended.append(clocked.last_sent_at)

    def gaps(self) -> list[float]:
        """Milliseconds from each end to the next beginning."""
        return [1000 * (begun - ended) for ended, begun in zip(self.ended, self.began[1:], strict=False)]

    @property
    def counted(self) -> int:
        """How often it was asked how many tokens a text has."""
        return sum(received.path == "/tokenize" for received in self.requests)


def measure_gap(folder: Path, scale: Scale) -> list[Row]:
    """The idle time between two requests: threads of five posts, several personas on each."""
    size = scale.saturation
    number = size[0] * size[1]
    answer = Script(tokens=tuple(f" word{place}" for place in range(_TOKENS)), delay=_DELAY_SECONDS)
    with _server(answer) as server:
        wish = Wish(1, MODEL, [{"role": "user", "content": "Which file system?"}], _TOKENS)
        ask_in_order(EngineAddress(server.url, "key"), [wish] * number)
        bare = server.gaps()
    with _server(answer) as server, installed(folder / "gap") as installation, ExitStack() as stack:
        ask_all(installation, EngineAddress(server.url, "key"), size, 1)
        connections = Connections(installation.secret_key)
        stack.callback(connections.close)
        kinds = {"reply": ReplyKind(JobContext(installation.database, connections))}
        pool = WorkerPool(installation.database, kinds=kinds, plan=NightPlan(), threads=2, wakeup=Wakeup())
        pool.start()
        stack.callback(pool.stop)
        ends_at = clock.monotonic() + 600
        while count_live(installation):
            assert clock.monotonic() < ends_at, "it takes too long"
            time.sleep(0.5)
        found, counted = server.gaps(), server.counted
    told = f"{max(found):.0f} ms at most; {counted / number:.1f} texts counted by the server for each request"
    return [
        Row("the server idle between two requests, bare client", statistics.median(bare), "ms"),
        Row("… FORLLM: claim, prompt, connection", statistics.median(found), "ms", told),
    ]


def _server(answer: Script) -> Timed:
    return Timed("llama_cpp", models=(MODEL,), context_tokens=_CONTEXT_TOKENS, default=answer)
