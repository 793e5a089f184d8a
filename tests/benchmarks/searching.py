"""Search: a forum of made-up words that come as often as words do (Zipf), and a mix of what people look for in it."""

import itertools
import random
import sqlite3
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import text

from forllm_server.accounts.local import LOCAL_USER_ID
from forllm_server.db import Database
from forllm_server.search.finding import find
from forllm_server.search.index_store import delete_and_fill
from forllm_server.search.model import Order, Results
from tests.benchmarks.measure import Row, Scale, at_most, timed
from tests.benchmarks.places import installed

POSTS_PER_TOPIC = 20
SUBFORUMS = 20
WORDS = 60_000
QUERIES = 300
#: How many posts are added one by one, with the index and without.
ADDED = 2_000
_BEGINNING = datetime(2024, 1, 1, tzinfo=UTC)
_SYLLABLES = ("ba", "cor", "den", "fi", "gra", "hul", "jin", "ka", "lor", "mi", "nex", "o", "pra", "qui", "ros", "tu")
_MODELS = ("qwen3:32b", "llama3.1:8b", "gemma3:12b")
_PERSONAS = ("Skeptic", "Teacher")
_INSERT = """
    INSERT INTO posts (id, topic_id, parent_id, owner_id, author_kind, content, path, depth, created_at,
        persona_version_id, persona_name, model_name, is_partial)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


class Writer:
    """Texts in which the n-th most frequent word comes about 1/n as often as the first."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        parts = itertools.chain.from_iterable(itertools.product(_SYLLABLES, repeat=length) for length in (2, 3, 4))
        self.words = ["".join(syllables) for syllables in itertools.islice(parts, WORDS)]
        random.Random(0).shuffle(self.words)
        self._shares = list(itertools.accumulate(1 / (rank + 2) for rank in range(len(self.words))))

    def text(self, words: int) -> str:
        """So many words."""
        return " ".join(self.dice.choices(self.words, cum_weights=self._shares, k=words))

    def word(self, first: int, last: int) -> str:
        """A word whose rank lies between these; each order of magnitude is as likely as the next."""
        spread = len(self.words) - 1
        rank = int(first * (last / first) ** self.dice.random())
        return self.words[min(rank, spread)]


@dataclass
class _Measured:
    milliseconds: float
    #: what the same search would take on a machine that nobody else works on, everything being in memory
    cpu_milliseconds: float
    is_common: bool


def measure_search(folder: Path, scale: Scale) -> list[Row]:
    """The mix of searches over the largest history's number of posts, and what the index costs."""
    posts = max(scale.histories)
    with installed(folder / "search") as installation:
        database = installation.database
        triggers = _without_triggers(database)
        write_posts(database, posts)
        with database.transaction() as connection:
            build_seconds = timed(lambda: delete_and_fill(connection))
        plain = _added_microseconds(database, posts + 1)
        with database.transaction() as connection:
            for _, statement in triggers:
                connection.exec_driver_sql(statement)
        indexed = _added_microseconds(database, posts + 1 + ADDED)
        measured = _measure_mix(database)
        size = _index_megabytes(database)
    rows = [
        Row(f"search: index of {posts:,} posts made", build_seconds, "s", f"{size:,.0f} MB"),
        Row("search: a post added to the index", max(indexed - plain, 0.01), "µs", f"{plain:.0f} µs without"),
    ]
    return rows + _rows(measured, posts)


def _rows(measured: list[_Measured], posts: int) -> list[Row]:
    times = sorted(one.milliseconds for one in measured)
    cpu = sorted(one.cpu_milliseconds for one in measured)
    place = int(len(times) * 0.95)
    common = [one.milliseconds for one in measured if one.is_common]
    what = f"search: {len(times)} mixed, {posts:,} posts, median"
    rows = [
        at_most(what, statistics.median(times), "ms", 10, f"{statistics.median(cpu):.1f} ms of CPU"),
        at_most(
            "search: 95 of 100 within", times[place], "ms", 200, f"{cpu[place]:.0f} ms of CPU; slowest {cpu[-1]:.0f}"
        ),
    ]
    if common:
        note = f"{len(common)} of {len(times)}; newest first"
        rows.append(Row("search: very common words, median", statistics.median(common), "ms", note))
    return rows


def write_posts(database: Database, posts: int) -> None:
    """``posts`` posts in topics of twenty, half of them by two personas with three models."""
    writer = Writer(1)
    path = database.path
    assert path is not None
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        _write_furniture(connection)
        topics = range(1, posts // POSTS_PER_TOPIC + 1)
        connection.executemany(
            "INSERT INTO topics (id, subforum_id, owner_id, title, created_at, last_post_at, post_count)"
            f" VALUES (?, ?, {LOCAL_USER_ID}, ?, ?, ?, {POSTS_PER_TOPIC})",
            ((number, number % SUBFORUMS + 1, writer.text(6), _moment(number), _moment(number)) for number in topics),
        )
        connection.executemany(_INSERT, _posts(writer, 1, posts))
        connection.execute("COMMIT")


def queries(count: int) -> list[tuple[str, Order]]:
    """What people look for: mostly a few words of middling frequency, sometimes a filter, seldom very common words."""
    writer = Writer(2)
    dice = writer.dice
    found: list[tuple[str, Order]] = []
    for number in range(count):
        rare, middling = writer.word(500, 50_000), writer.word(60, 5_000)
        shape = number % 20
        text_ = {
            0: writer.word(1, 30),
            1: f"{writer.word(1, 60)} {writer.word(1, 60)}",
            2: f'"{middling} {writer.word(60, 5_000)}"',
            3: f"{middling} -{rare}",
            4: f"{rare} OR {middling}",
            5: f"{rare[:-2]}*",
            6: f"{middling} persona:{dice.choice(_PERSONAS)}",
            7: f"{middling} model:qwen before:2025-06",
            8: f'{middling} in:"Subforum {dice.randint(1, SUBFORUMS)}"',
            9: f"persona:{dice.choice(_PERSONAS)} model:gemma",
            10: "is:partial",
            11: f"{middling} by:me is:unanswered",
            12: f"{rare} {writer.word(1, 60)}",
        }.get(shape, f"{middling} {rare}" if shape % 2 else rare)
        found.append((text_, Order.NEWEST if number % 7 == 0 else Order.RELEVANCE))
    return found


def _measure_mix(database: Database) -> list[_Measured]:
    measured = []
    mix = queries(QUERIES)
    for text_, order in [*mix[:20], *mix]:
        measured.append(measure_one(database, text_, order))
    # The first twenty only warm what is kept in memory.
    return measured[20:]


def measure_one(database: Database, text_: str, order: Order) -> _Measured:
    """The time that one search takes, from its text to everything that is shown."""
    with database.read() as connection:
        found: list[Results] = []
        started = time.thread_time()
        seconds = timed(
            lambda: found.append(
                find(connection, text_, reader_id=LOCAL_USER_ID, zone=ZoneInfo("UTC"), now=_BEGINNING, order=order)
            )
        )
        cpu_seconds = time.thread_time() - started
    return _Measured(seconds * 1000, cpu_seconds * 1000, found[0].is_common)


def _without_triggers(database: Database) -> list[tuple[str, str]]:
    """Take the index's triggers away, so that posts can be written in bulk; their names and statements."""
    statement = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'search_%'"
    with database.transaction() as connection:
        triggers = [(str(row.name), str(row.sql)) for row in connection.execute(text(statement))]
        for name, _ in triggers:
            connection.execute(text(f"DROP TRIGGER {name}"))
    return triggers


def _added_microseconds(database: Database, first_id: int) -> float:
    writer = Writer(first_id)
    rows = list(_posts(writer, first_id, ADDED, topic_id=1))
    with database.transaction() as connection:
        return 1_000_000 * timed(lambda: [connection.exec_driver_sql(_INSERT, row) for row in rows]) / ADDED


def _index_megabytes(database: Database) -> float:
    with database.read() as connection:
        pages = connection.execute(text("SELECT sum(length(block)) FROM search_index_data")).scalar_one()
    return float(pages) / 1_000_000


def _posts(writer: Writer, first_id: int, count: int, *, topic_id: int = 0) -> Iterator[tuple[object, ...]]:
    dice = writer.dice
    for post_id in range(first_id, first_id + count):
        place = (post_id - 1) % POSTS_PER_TOPIC
        topic = topic_id or min((post_id - 1) // POSTS_PER_TOPIC + 1, max(count // POSTS_PER_TOPIC, 1))
        is_root = place == 0 and not topic_id
        persona = dice.randrange(len(_PERSONAS)) if post_id % 2 == 0 and not is_root else None
        yield (
            *(post_id, topic, None if is_root else max(1, post_id - max(place, 1)), LOCAL_USER_ID),
            "person" if persona is None else "persona",
            writer.text(dice.randint(20, 140)),
            *(post_id.to_bytes(4, "big"), 0 if is_root else 1, _moment(post_id)),
            *((None, None, None) if persona is None else (persona + 2, _PERSONAS[persona], dice.choice(_MODELS))),
            int(persona is not None and post_id % 5_000 == 0),
        )


def _write_furniture(connection: sqlite3.Connection) -> None:
    at = _moment(0)
    connection.executemany(
        f"INSERT INTO subforums (id, owner_id, name, name_key, created_at) VALUES (?, {LOCAL_USER_ID}, ?, ?, ?)",
        [(number, f"Subforum {number}", f"subforum {number}", at) for number in range(1, SUBFORUMS + 1)],
    )
    for number, name in enumerate(_PERSONAS, start=2):
        connection.execute(
            f"INSERT INTO personas (id, owner_id, name, name_key, created_at) VALUES (?, {LOCAL_USER_ID}, ?, ?, ?)",
            (number, name, name.lower(), at),
        )
        connection.execute(
            "INSERT INTO persona_versions (id, persona_id, number, name, instructions, parameters, created_at,"
            f" created_by) VALUES (?, ?, 1, ?, 'Doubt.', '{{}}', ?, {LOCAL_USER_ID})",
            (number, number, name, at),
        )


def _moment(number: int) -> str:
    return (_BEGINNING + timedelta(minutes=number)).strftime("%Y-%m-%d %H:%M:%S.%f")
