"""Where is measured: real installations on disk, empty or with a forum of a given size written in bulk."""

import hashlib
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, text

from forllm_server import migrations
from forllm_server.accounts.local import LOCAL_USER_ID
from forllm_server.cli.runtime import Installation, opened
from forllm_server.config import Config
from forllm_server.db import Database, metadata
from forllm_server.forum import threading
from forllm_server.forum.threading import reply_path, root_path
from tests.support.world import insert_backend, insert_model

SHAPES = ("flat", "chain", "tree")
ORDINARY_TOPIC_POSTS = 20
SUBFORUMS = 20
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
#: About what is written in a forum: a few paragraphs with some emphasis, now and then code, a list or a link.
_PARAGRAPHS = (
    (
        "A mirror of two disks keeps **both** copies in step, and a scrub each month finds what has silently rotted. "
        "On a small machine it takes a night, and nobody is kept waiting for it: reading and writing go on meanwhile."
    ),
    (
        "I would rather have the *second* disk in another house: what helps against a dead disk does not help against "
        "a fire, a thief, or my own `rm -r` in the wrong folder. How often do you try to restore what you have saved?"
    ),
    "- the old disk spins all day and takes six watts\n- the new one sleeps most of the time\n- neither can be heard",
    "```sh\nzpool status -v tank\nzpool scrub tank\n```",
    "The manual says more about that: <https://example.org/scrub>.",
)
#: How often each of them comes.
_WEIGHTS = (10, 10, 3, 2, 2)
_HISTORY = """
    INSERT INTO llm_requests (owner_id, kind, status, lane, priority, topic_id, post_id, persona_id,
        persona_version_id, backend_id, model_id, model_name, parameters, answer_number, input, created_at, queued_at,
        started_at, first_token_at, finished_at, attempts, max_attempts, run, is_cancel_requested, output_tokens,
        usage, finish_reason)
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :finished)
    SELECT :owner, 'reply', 'succeeded', 'night', 0, p.topic_id, p.id, 1, 1, :backend, :model, 'qwen3:8b',
        '{"temperature": null, "max_tokens": 1024}', 1000000 + n, '{"persona_reason": "built-in"}', :at, :at, :at, :at,
        :at, 1, 3, 1, 0, 240, '{"prompt_tokens": 900, "completion_tokens": 240}', 'stop'
    FROM numbers JOIN posts p ON p.id = 1 + (n - 1) % :posts
"""


@dataclass(frozen=True)
class Place:
    """A forum that was written: the topics to look at by (shape, size), and the model that is there."""

    topic_ids: dict[tuple[str, int], int]
    backend_id: int
    model_id: int
    posts: int


@contextmanager
def installed(data_dir: Path) -> Iterator[Installation]:
    """A FORLLM's data in ``data_dir``, as `serve` opens it."""
    with opened(Config(data_dir=data_dir)) as installation:
        yield installation


def forum_folder(posts: int, topic_sizes: tuple[int, ...], *, finished: int) -> Path:
    """A data folder with a forum of that size, written once for each version of this code and then kept.

    It is for copying: nobody works in it.
    """
    # Everything that decides what is written: this module, the schema and the order of threads.
    steps = sorted((migrations.FOLDER / "versions").glob("*.py"))
    decisive = [Path(__file__), Path(threading.__file__), *steps]
    digest = hashlib.blake2b(b"".join(file.read_bytes() for file in decisive), digest_size=6).hexdigest()
    sizes = "-".join(str(size) for size in topic_sizes)
    folder = Path(tempfile.gettempdir()) / "forllm-benchmarks" / f"{digest}-{posts}-{sizes}-{finished}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=folder.parent))
        with installed(unfinished) as installation:
            place = write_forum(installation.database, posts, topic_sizes)
            write_history(installation.database, place, finished)
        unfinished.rename(folder)
    return folder


@contextmanager
def forum_copy(folder: Path, target: Path) -> Iterator[Installation]:
    """A copy of a forum folder to work in."""
    shutil.copytree(folder, target)
    with installed(target) as installation:
        yield installation


def find_place(database: Database, topic_sizes: tuple[int, ...]) -> Place:
    """What :func:`write_forum` wrote."""
    with database.read() as connection:
        rows = connection.execute(text("SELECT title, id FROM topics WHERE title LIKE 'A % topic of %'"))
        titles = {str(title): int(topic_id) for title, topic_id in rows}
        backend_id, model_id = connection.execute(
            text("SELECT backend_id, id FROM models ORDER BY id DESC LIMIT 1")
        ).one()
        posts = connection.execute(text("SELECT count(*) FROM posts")).scalar_one()
    topic_ids = {(shape, size): titles[_title(shape, size)] for shape in SHAPES for size in topic_sizes}
    return Place(topic_ids, backend_id, model_id, posts)


def write_forum(database: Database, posts: int, topic_sizes: tuple[int, ...]) -> Place:
    """Topics of every shape and size, then ordinary ones until there are ``posts`` posts; a backend with a model."""
    dice = random.Random(1)
    wanted = [(shape, size) for size in topic_sizes for shape in SHAPES]
    rest = max(0, posts - sum(size for _, size in wanted))
    ordinary = [("tree", ORDINARY_TOPIC_POSTS)] * (rest // ORDINARY_TOPIC_POSTS)
    topic_ids: dict[tuple[str, int], int] = {}
    post_id = 1
    with database.transaction() as connection:
        subforum_ids = _write_subforums(connection)
        for topic_id, (shape, size) in enumerate([*wanted, *ordinary], start=1):
            subforum_id = subforum_ids[topic_id % len(subforum_ids)]
            title = _title(shape, size) if topic_id <= len(wanted) else f"Ordinary topic {topic_id}"
            rows = _thread(shape, size, topic_id, post_id, dice)
            post_id += size
            _write_topic(connection, topic_id, subforum_id, title, rows)
            topic_ids.setdefault((shape, size), topic_id)
        backend_id = insert_backend(connection, _BEGINNING)
        model_id = insert_model(connection, backend_id, _BEGINNING)
    return Place(topic_ids, backend_id, model_id, post_id - 1)


def write_chains(database: Database, topics: int, posts: int) -> list[int]:
    """Topics in which each post answers the one before; the last post of each."""
    dice = random.Random(2)
    with database.transaction() as connection:
        subforum_ids = _write_subforums(connection)
        for number in range(topics):
            rows = _thread("chain", posts, number + 1, 1 + number * posts, dice)
            _write_topic(connection, number + 1, subforum_ids[0], f"Chain {number + 1}", rows)
    return [posts * (number + 1) for number in range(topics)]


def write_history(database: Database, place: Place, finished: int) -> None:
    """Requests that were answered long ago."""
    if not finished:
        return
    named = {"finished": finished, "posts": place.posts, "owner": LOCAL_USER_ID, "at": "2026-01-02 03:04:05.000000"}
    with database.transaction() as connection:
        connection.execute(text(_HISTORY), named | {"backend": place.backend_id, "model": place.model_id})
        connection.execute(text("ANALYZE"))


def _write_subforums(connection: Connection) -> list[int]:
    rows = [
        {"id": number, "owner_id": LOCAL_USER_ID, "name": f"Subforum {number}", "name_key": f"subforum {number}"}
        | {"description": "What is talked about here.", "position": number, "created_at": _BEGINNING}
        for number in range(1, SUBFORUMS + 1)
    ]
    connection.execute(insert(metadata.tables["subforums"]), rows)
    return list(range(1, SUBFORUMS + 1))


def _write_topic(
    connection: Connection, topic_id: int, subforum_id: int, title: str, rows: list[dict[str, Any]]
) -> None:
    values = {
        "id": topic_id,
        "subforum_id": subforum_id,
        "owner_id": LOCAL_USER_ID,
        "kind": "discussion",
        "title": title,
        "created_at": rows[0]["created_at"],
        "last_post_at": rows[-1]["created_at"],
        "post_count": len(rows),
        "version": len(rows),
    }
    connection.execute(insert(metadata.tables["topics"]), [values])
    connection.execute(insert(metadata.tables["posts"]), rows)


def _thread(shape: str, size: int, topic_id: int, first_id: int, dice: random.Random) -> list[dict[str, Any]]:
    """The posts of a topic: all answer the first, each answers the one before, or each answers any before."""
    rows: list[dict[str, Any]] = []
    for number in range(size):
        row: dict[str, Any] = {
            "id": first_id + number,
            "topic_id": topic_id,
            "parent_id": None,
            "owner_id": LOCAL_USER_ID,
            "author_kind": "person",
            "content": f"Post {number} of topic {topic_id}.\n\n" + _text(dice),
            "path": root_path(),
            "depth": 0,
            "child_count": 0,
            "created_at": _BEGINNING + timedelta(seconds=first_id + number),
        }
        if number:
            parent = rows[{"flat": 0, "chain": number - 1}.get(shape, dice.randrange(number))]
            parent["child_count"] += 1
            row["parent_id"] = parent["id"]
            row["depth"] = parent["depth"] + 1
            row["path"] = reply_path(parent["path"], parent_id=parent["id"], sibling=parent["child_count"])
        rows.append(row)
    return rows


def _text(dice: random.Random) -> str:
    return "\n\n".join(dice.choices(_PARAGRAPHS, _WEIGHTS, k=dice.randint(1, 5)))


def _title(shape: str, size: int) -> str:
    return f"A {shape} topic of {size} posts"
