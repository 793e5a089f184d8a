"""A night in fast motion: two hundred questions for three models, the clock driven by what the models take.

The real queue, plan, windows and reply job on a real database; the model's server is scripted, and moves the clock by
as much as loading, reading and writing would take.
"""

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Connection, text

from forllm_server import clock
from forllm_server.db import Database
from forllm_server.jobs import Connections, JobContext, build_kinds
from forllm_server.jobs.asking import Ask, ask
from forllm_server.jobs.forecast import Forecast, estimate_waiting, forecast
from forllm_server.jobs.planning import NightPlan
from forllm_server.personas.editing import create_persona
from forllm_server.queue.estimate_store import Score, read_score
from forllm_server.queue.wakeup import Wakeup
from forllm_server.queue.worker import WorkerPool
from forllm_server.schedule.planning import add_window, new_window
from forllm_server.schedule.windows import DAYS
from forllm_server.settings.values import change_settings
from tests.support.scripted_server import Script, ScriptedServer, count_tokens
from tests.support.scripted_wire import Wire
from tests.support.world import LOCAL_USER, insert, insert_model, insert_post, make_world

pytestmark = pytest.mark.slow

EVENING = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
MODELS = ("small:1b", "middle:8b", "large:30b")
#: (tokens read a second, tokens written a second, seconds to load) of each model
PACE = {"small:1b": (900.0, 40.0, 4.0), "middle:8b": (300.0, 12.0, 12.0), "large:30b": (120.0, 5.0, 30.0)}
PERSONAS = 5
#: Personas that want more context than the others: for them the server loads the model anew.
FAR_SIGHTED = {3, 4}
WIDE_CONTEXT = 16_384
QUESTIONS = 200
TOPICS = 40
#: hours in which the models may work: (from, until) in minutes of the day, UTC
HOURS = ((22 * 60, 22 * 60 + 30), (2 * 60, 7 * 60))
_VOICE = re.compile(r"voice (\d)")
_SECRET_KEY = b"tests have a secret key of 32 b!"


@dataclass
class Machine:
    """The clock, and a model server whose work moves it."""

    moment: datetime = EVENING
    loaded: tuple[str, int] = ("", 0)
    loads: int = 0
    dice: random.Random = field(default_factory=lambda: random.Random(7))

    def now(self) -> datetime:
        return self.moment

    def answer(self, body: dict[str, Any]) -> Script:
        return Script(write=lambda wire: self._work(wire, body))

    def _work(self, wire: Wire, body: dict[str, Any]) -> None:
        model = str(body["model"])
        prompt_tokens = sum(count_tokens(str(turn["content"])) for turn in body["messages"])
        voice = _VOICE.findall(" ".join(str(turn["content"]) for turn in body["messages"]))[0]
        usual = 60 + 40 * int(voice)
        tokens = round(usual * self.dice.uniform(0.7, 1.3))
        reading, writing, loading = PACE[model]
        wanted = (model, int(body["options"]["num_ctx"]))
        load_seconds = loading if wanted != self.loaded else 0.0
        self.loads += wanted != self.loaded
        self.loaded = wanted
        took = (load_seconds, prompt_tokens / reading, tokens / writing)
        self.moment += timedelta(seconds=sum(took))
        nanoseconds = [round(seconds * 1e9) for seconds in took]
        wire.head()
        wire.token("Two disks in a mirror.")
        told = {"load_duration": nanoseconds[0], "prompt_eval_count": prompt_tokens}
        told |= {"prompt_eval_duration": nanoseconds[1], "eval_count": tokens, "eval_duration": nanoseconds[2]}
        wire.write(wire.event(wire.done("stop") | told))
        wire.end()


class Night:
    """A forum with three models and five personas, asked in the evening and worked through until it is done."""

    def __init__(self, database: Database, machine: Machine, server: ScriptedServer) -> None:
        self.database = database
        self.machine = machine
        world = make_world(database, EVENING, base_url=server.url, kind="ollama")
        with database.transaction() as connection:
            change_settings(connection, {"timezone": "UTC"}, EVENING)
            self.model_ids = [insert_model(connection, world.backend_id, EVENING, name=name) for name in MODELS]
            self.persona_ids = [
                create_persona(
                    connection,
                    owner_id=LOCAL_USER,
                    name=f"Persona {number}",
                    instructions=f"Speak with voice {number}.",
                    parameters={"context_tokens": WIDE_CONTEXT} if number in FAR_SIGHTED else {},
                    now=EVENING,
                ).id
                for number in range(PERSONAS)
            ]
            self.post_ids = [_insert_topic(connection, world.subforum_id, number) for number in range(TOPICS)]
        self.connections = Connections(_SECRET_KEY)
        self.pool = self._start()

    def _start(self) -> WorkerPool:
        kinds = build_kinds(JobContext(self.database, self.connections))
        return WorkerPool(self.database, kinds=kinds, plan=NightPlan(), threads=0, wakeup=Wakeup())

    def ask(self, post_id: int, persona_id: int, model_id: int, *, is_run_now: bool = False) -> int:
        wish = Ask(LOCAL_USER, post_id, persona_id, model_id, is_run_now=is_run_now, is_another=True)
        with self.database.transaction() as connection:
            return ask(connection, wish, clock.now()).request.id

    def get_to_know(self) -> None:
        """Each persona answers once on each model, so that something can be foretold; then FORLLM starts anew."""
        for model_id in self.model_ids:
            for persona_id in self.persona_ids:
                self.ask(self.post_ids[0], persona_id, model_id, is_run_now=True)
                assert self.pool.run_next()
        self.pool = self._start()

    def set_hours(self) -> None:
        with self.database.transaction() as connection:
            for start, end in HOURS:
                window = new_window(days=DAYS, start_minute=start, end_minute=end, timezone="UTC")
                add_window(connection, window, owner_id=LOCAL_USER, now=clock.now())
        self.pool.forget_plan()

    def ask_evening(self) -> list[int]:
        dice = random.Random(11)
        return [
            self.ask(dice.choice(self.post_ids), dice.choice(self.persona_ids), dice.choice(self.model_ids))
            for _ in range(QUESTIONS)
        ]

    def pass_by(self) -> None:
        """Work; when nothing may be begun a minute goes by."""
        while self._count_queued():
            self.pool.forget_plan()
            if not self.pool.run_next():
                self.machine.moment += timedelta(minutes=1)
                assert self.machine.moment < EVENING + timedelta(days=3), "it takes too long"

    def forecast(self) -> Forecast:
        with self.database.read() as connection:
            return forecast(connection, clock.now())

    def score(self) -> Score:
        with self.database.read() as connection:
            return read_score(connection, last=QUESTIONS)

    def rows(self, ids: list[int]) -> list[Any]:
        """The requests as they were served: id, model, persona, start, end, state."""
        query = "SELECT id, model_id, persona_id, started_at, status FROM llm_requests ORDER BY started_at, id"
        with self.database.read() as connection:
            return [row for row in connection.execute(text(query)) if row.id in set(ids)]

    def _count_queued(self) -> int:
        with self.database.read() as connection:
            return int(
                connection.execute(text("SELECT count(*) FROM llm_requests WHERE status = 'queued'")).scalar_one()
            )


def _insert_topic(connection: Connection, subforum_id: int, number: int) -> int:
    """A topic with one post; the post's id."""
    topic_id = insert(
        connection,
        "topics",
        subforum_id=subforum_id,
        owner_id=LOCAL_USER,
        kind="discussion",
        title=f"Topic {number}",
        created_at=EVENING,
        last_post_at=EVENING,
        post_count=1,
        version=1,
    )
    return insert_post(connection, topic_id, EVENING)


@pytest.fixture
def night(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    with _night(sqlite_database, monkeypatch) as night:
        yield night


@contextmanager
def _night(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    machine = Machine()
    monkeypatch.setattr(clock, "now", machine.now)
    with ScriptedServer("ollama", models=MODELS, answer=machine.answer) as server:
        night = Night(database, machine, server)
        yield night
        night.connections.close()


def test_a_night_is_used_as_it_was_planned(night: Night) -> None:
    night.get_to_know()
    night.set_hours()
    ids = night.ask_evening()
    estimate_waiting(night.database, clock.now())
    foretold = night.forecast()
    loads_before = night.machine.loads
    night.pass_by()
    served = night.rows(ids)

    assert {row.status for row in served} == {"succeeded"}
    assert [row.id for row in served] == [placed.id for placed in foretold.plan]
    starts = [datetime.fromisoformat(row.started_at) for row in served]
    assert all(_is_open(start) for start in starts)
    assert all(earlier < later for earlier, later in pairwise(starts))
    assert {start.hour for start in starts} == {22, 2}
    # Three models with two sizes of context need six loads; the order in which they were asked for would have taken
    # well over a hundred, and one by models alone dozens.
    loads = night.machine.loads - loads_before
    asked = [(row.model_id, night.persona_ids.index(row.persona_id) in FAR_SIGHTED) for row in sorted(served)]
    in_order_asked = sum(one != other for one, other in pairwise(asked))
    assert loads <= 2 * len(MODELS) < 100 < in_order_asked, (loads, in_order_asked)
    assert foretold.all_done_by is not None
    assert foretold.all_done_by.low_at <= night.machine.moment <= foretold.all_done_by.high_at
    score = night.score()
    assert score.counted == QUESTIONS
    assert score.hits >= 0.6 * QUESTIONS, (score, loads, in_order_asked, night.machine.moment, foretold.all_done_by)


def _is_open(moment: datetime) -> bool:
    minute = moment.hour * 60 + moment.minute
    return any(start <= minute < end for start, end in HOURS)
