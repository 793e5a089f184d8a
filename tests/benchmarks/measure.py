"""Measuring and telling: rows of the table, medians of interleaved repeats, and what the disk itself can do."""

import os
import platform
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Row:
    """One line of the table. ``target`` is what is promised; ``is_met`` is None where nothing was."""

    what: str
    value: float
    unit: str
    note: str = ""
    target: str = ""
    is_met: bool | None = None


@dataclass(frozen=True)
class Scale:
    """How much is measured: the whole, a minute's worth, or as little as shows that it works."""

    posts: int
    finished: int
    topic_sizes: tuple[int, ...]
    repeats: int
    #: runs of a page or poll in each repeat
    runs: int
    #: LLM requests drained or queued one by one in each repeat
    llm_requests: int
    bulk: int
    #: tokens of each of the three replies of the slow server
    slow_tokens: int
    #: how many answered and how many waiting requests the cost of growth is measured at
    histories: tuple[int, ...]
    waiting: tuple[int, ...]
    #: threads, and personas that answer in each, of the saturation
    saturation: tuple[int, int]
    #: how often each way of asking is taken on each server of the saturation
    passages: int
    #: slots of the servers, and MiB of the prompt cache beside them
    slots: tuple[int, ...] = (1, 4)
    caches_mib: tuple[int, ...] = (256, 0)


FULL = Scale(
    200_000,
    200_000,
    (10, 1_000, 10_000),
    repeats=5,
    runs=40,
    llm_requests=500,
    bulk=20_000,
    slow_tokens=300,
    histories=(0, 100_000, 1_000_000),
    waiting=(10, 1_000, 100_000),
    saturation=(6, 8),
    passages=3,
)
QUICK = Scale(
    200_000,
    200_000,
    (10, 1_000, 10_000),
    repeats=3,
    runs=20,
    llm_requests=200,
    bulk=10_000,
    slow_tokens=100,
    histories=(0, 100_000),
    waiting=(10, 1_000),
    saturation=(3, 3),
    passages=1,
)
TINY = Scale(
    400,
    50,
    (10, 60),
    repeats=2,
    runs=2,
    llm_requests=5,
    bulk=20,
    slow_tokens=10,
    histories=(0, 60),
    waiting=(2, 8),
    saturation=(1, 2),
    passages=1,
    slots=(4,),
    caches_mib=(0,),
)


def at_most(what: str, value: float, unit: str, limit: float, note: str = "") -> Row:
    return Row(what, value, unit, note, f"≤ {_number(limit)} {unit}", value <= limit)


def at_least(what: str, value: float, unit: str, limit: float, note: str = "") -> Row:
    return Row(what, value, unit, note, f"≥ {_number(limit)} {unit}".strip(), value >= limit)


def timed(work: Callable[[], object]) -> float:
    """The seconds that ``work`` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def medians(tasks: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, float]:
    """The median of each task's own measurements, taken in turns so that a busy moment hits all of them alike."""
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            taken[name].append(task())
    return {name: statistics.median(values) for name, values in taken.items()}


def as_table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    lines = ["| what | measured | target | | note |", "|---|---:|---:|---|---|"]
    for row in rows:
        verdict = {None: "", True: "held", False: "**missed**"}[row.is_met]
        lines.append(f"| {row.what} | {_number(row.value)} {row.unit} | {row.target} | {verdict} | {row.note} |")
    return "\n".join(lines)


def machine() -> str:
    """What it was measured on, in a sentence without names."""
    memory_gigabytes = psutil.virtual_memory().total / 2**30
    return (
        f"{psutil.cpu_count()} cores, {memory_gigabytes:.0f} GB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def fsync_seconds(folder: Path, times: int = 100) -> float:
    """The median time in which the disk makes 4 KB durable."""
    file = folder / "fsync"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
    try:

        def write() -> None:
            os.pwrite(descriptor, b"x" * 4096, 0)
            os.fsync(descriptor)

        return statistics.median(timed(write) for _ in range(times))
    finally:
        os.close(descriptor)
        file.unlink()


class Yardstick:
    """A plain SQLite table in WAL at ``synchronous=FULL``, through the driver alone: what the disk allows."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(folder / "yardstick.db", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode=WAL",
            "PRAGMA synchronous=FULL",
            "CREATE TABLE items (id INTEGER PRIMARY KEY, status TEXT NOT NULL, text TEXT NOT NULL)",
            "CREATE INDEX items_queued ON items (id) WHERE status = 'queued'",
            "CREATE TABLE posts (id INTEGER PRIMARY KEY, item_id INTEGER UNIQUE, text TEXT NOT NULL)",
        ):
            self._connection.execute(statement)

    def close(self) -> None:
        self._connection.close()

    def commits_per_second(self, number: int) -> float:
        """One insert a transaction."""

        def insert() -> None:
            for _ in range(number):
                with self._transaction():
                    self._connection.execute("INSERT INTO items (status, text) VALUES ('done', ?)", ("x" * 400,))

        return number / timed(insert)

    def two_commits_per_second(self, number: int) -> float:
        """Take an item, then post and finish it: the two transactions that every queue needs for that."""
        with self._transaction():
            rows = [("x" * 400,)] * number
            self._connection.executemany("INSERT INTO items (status, text) VALUES ('queued', ?)", rows)

        def drain() -> None:
            for _ in range(number):
                with self._transaction():
                    statement = "SELECT id FROM items WHERE status = 'queued' ORDER BY id LIMIT 1"
                    found = self._connection.execute(statement).fetchone()
                    self._connection.execute("UPDATE items SET status = 'running' WHERE id = ?", found)
                with self._transaction():
                    self._connection.execute("UPDATE items SET status = 'done' WHERE id = ?", found)
                    self._connection.execute("INSERT INTO posts (item_id, text) VALUES (?, ?)", (*found, "x" * 400))

        return number / timed(drain)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        yield
        self._connection.execute("COMMIT")


@contextmanager
def yardstick(folder: Path) -> Iterator[Yardstick]:
    """A fresh yardstick on the disk of ``folder``."""
    with closing(Yardstick(folder)) as made:
        yield made


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
