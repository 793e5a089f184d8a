"""A persona judges the answers of a batch by a rubric: strictly read, shown, tried again, held and called off."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from forllm_server import clock
from forllm_server.batches import batch_store, cell_store
from forllm_server.batches.exporting import ExportFormat
from forllm_server.batches.making import BatchDraft, prepare
from forllm_server.batches.model import Batch, Cell, Progress, Verdict
from forllm_server.batches.reading import Table
from forllm_server.db import metadata
from forllm_server.errors import Invalid
from forllm_server.jobs import batches as rules
from forllm_server.jobs.batch_forecast import BatchForecast, foretell_batch, foretell_draft
from forllm_server.jobs.batch_lines import list_shown_lines, pieces_of
from forllm_server.jobs.staging import tend_batches
from forllm_server.queue.prompt_store import find_prompt
from forllm_server.schedule.planning import add_window, new_window
from forllm_server.schedule.windows import DAYS
from forllm_server.settings.values import change_settings
from tests.jobs.conftest import Evening
from tests.support.scripted_server import Script
from tests.support.world import LOCAL_USER

RUBRIC = "Says a number and nothing else."


class Court:
    """A batch of numbers with a judge, which says what it is told to say."""

    def __init__(self, evening: Evening) -> None:
        self.evening = evening
        self.database = evening.database
        self.says = "pass"
        evening.server.answer = self._answer

    def _answer(self, body: dict[str, Any]) -> Script:
        asked = body["messages"][-1]["content"]
        return Script(tokens=(self.says if RUBRIC in asked else "42",))

    def draft(self, lines: int = 2, **more: Any) -> BatchDraft:
        table = Table(("n",), tuple((str(each),) for each in range(1, lines + 1)))
        values: dict[str, Any] = {"title": "Numbers", "template": "Question {{n}}", "table": table}
        judged = {"judge_persona_id": 1, "rubric": RUBRIC}
        place = {"subforum_id": self.evening.world.subforum_id, "persona_ids": (1,)}
        return BatchDraft(**(values | judged | place | more))

    def create(self, **more: Any) -> Batch:
        with self.database.transaction() as connection:
            return rules.create_batch(connection, self.draft(**more), owner_id=LOCAL_USER, now=clock.now())

    def tend(self) -> int:
        return tend_batches(self.database, clock.now())

    def run(self) -> None:
        """Until nothing is left to do."""
        while self.evening.run() or self.tend():
            pass
        self.tend()

    def cells(self, batch: Batch) -> Sequence[Cell]:
        with self.database.read() as connection:
            return cell_store.list_cells(connection, batch.id, range(1, batch.line_count + 1))

    def verdicts(self, batch: Batch) -> list[Verdict | None]:
        return [cell.verdict for cell in self.cells(batch)]

    def progress(self, batch: Batch) -> Progress:
        with self.database.read() as connection:
            return cell_store.read_progress(connection, batch)

    def get(self, batch: Batch) -> Batch:
        with self.database.read() as connection:
            return batch_store.get_batch(connection, batch.id)

    def shown(self, batch: Batch, name: str) -> list[int]:
        with self.database.read() as connection:
            found = list_shown_lines(connection, batch, shown=name, after=0, limit=10)
        return [each.line.number for each in found]

    def forecast(self, batch: Batch) -> BatchForecast | None:
        with self.database.read() as connection:
            found = batch_store.get_batch(connection, batch.id)
            return foretell_batch(connection, found, cell_store.read_progress(connection, found), clock.now())

    def set_requests(self, kind: str, **values: object) -> None:
        requests = metadata.tables["llm_requests"]
        with self.database.transaction() as connection:
            connection.execute(requests.update().where(requests.c.kind == kind).values(**values))


@pytest.fixture
def court(evening: Evening) -> Court:
    return Court(evening)


def test_every_answer_is_judged_once_by_the_rubric(court: Court) -> None:
    batch = court.create()
    assert court.verdicts(batch) == [None, None]
    court.run()
    assert court.verdicts(batch) == [Verdict.PASS, Verdict.PASS]
    assert court.get(batch).finished_at is not None
    asked = [body["messages"][-1]["content"] for body in court.evening.server.chats]
    assert len(asked) == 4
    judged = [text for text in asked if "<answer>\n42\n</answer>" in text]
    assert len(judged) == 2
    assert "<question>\nQuestion 1\n</question>" in judged[0]
    with court.database.read() as connection:
        prompt = find_prompt(connection, court.cells(batch)[0].verdict_llm_request_id or 0)
    assert prompt is not None


def test_prose_is_unreadable_and_never_a_pass_and_the_judge_can_be_asked_again(court: Court) -> None:
    batch = court.create()
    court.says = "I think it should pass."
    court.run()
    assert court.verdicts(batch) == [Verdict.UNREADABLE] * 2
    assert court.cells(batch)[0].verdict_words == "unreadable: “I think it should pass.”"
    progress = court.progress(batch)
    assert (progress.judged_pass, progress.judged_fail, progress.undecided, progress.unjudged) == (0, 0, 2, 0)
    assert (court.shown(batch, "undecided"), court.shown(batch, "rejected")) == ([1, 2], [])
    assert court.get(batch).finished_at is not None
    court.says = "Fail."
    with court.database.transaction() as connection:
        assert rules.retry_failed(connection, batch.id, clock.now()) == 2
    assert court.get(batch).finished_at is None
    court.run()
    assert court.verdicts(batch) == [Verdict.FAIL] * 2
    assert (court.shown(batch, "undecided"), court.shown(batch, "rejected")) == ([], [1, 2])


def test_a_judge_that_could_not_be_asked_leaves_no_verdict_until_it_is_tried_again(court: Court) -> None:
    batch = court.create(lines=1)
    assert court.evening.run()
    assert court.tend() == 1
    assert court.verdicts(batch) == [Verdict.AWAITED]
    court.set_requests("verdict", status="failed")
    court.tend()
    assert court.verdicts(batch) == [Verdict.MISSING]
    assert court.get(batch).finished_at is not None
    with court.database.transaction() as connection:
        assert rules.retry_failed(connection, batch.id, clock.now()) == 1
    assert court.verdicts(batch) == [Verdict.AWAITED]
    court.run()
    assert court.verdicts(batch) == [Verdict.PASS]


def test_pausing_and_cancelling_reach_the_judge_too(court: Court) -> None:
    batch = court.create(lines=1)
    assert court.evening.run()
    court.tend()
    with court.database.transaction() as connection:
        rules.pause_batch(connection, batch.id, clock.now())
    assert not court.evening.run()
    with court.database.transaction() as connection:
        rules.resume_batch(connection, batch.id, clock.now())
        rules.cancel_batch(connection, batch.id, clock.now())
    assert not court.evening.run()
    assert court.verdicts(batch) == [Verdict.MISSING]


def test_an_answer_in_the_trash_is_not_judged(court: Court) -> None:
    batch = court.create(lines=1)
    assert court.evening.run()
    court.tend()
    court.evening.change("posts", court.cells(batch)[0].reply_post_id or 0, deleted_at=clock.now())
    court.run()
    assert court.verdicts(batch) == [Verdict.MISSING]


def test_verdicts_stand_in_the_downloads(court: Court) -> None:
    batch = court.create(lines=1)
    court.says = "Hmm."
    court.run()
    read = court.database.read
    csv = "".join(pieces_of(read, batch, ExportFormat.CSV)).splitlines()
    assert csv[0].endswith("state,Assistant v1 on its own model: verdict")
    assert csv[1] == "1,1,42,succeeded,unreadable: “Hmm.”"
    (answer,) = json.loads("".join(pieces_of(read, batch, ExportFormat.JSONL)))["answers"]
    assert (answer["verdict"], answer["verdict_said"]) == ("unreadable", "“Hmm.”")


def test_a_judge_that_is_gone_is_told_before_anything_is_made(court: Court) -> None:
    with pytest.raises(Invalid) as caught:
        court.create(judge_persona_id=99)
    assert caught.value.field == "judge_persona_id"


def test_the_end_is_foretold_within_the_hours_that_are_open_and_with_the_judges_part(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = court.create(lines=1)
    unknown = court.forecast(first)
    assert unknown is not None
    assert unknown.words == "how long it takes is known when each model has answered once"
    court.run()
    assert court.forecast(first) is None
    # From here on an answer takes a minute: 60 tokens at one a second.
    with court.database.transaction() as connection:
        rates = {"generation_tokens_per_second": 1.0, "prompt_tokens_per_second": None, "load_seconds": None}
        connection.execute(metadata.tables["model_rates"].update().values(**rates))
    court.set_requests("reply", output_tokens=60)
    court.set_requests("verdict", output_tokens=60)
    with court.database.transaction() as connection:
        change_settings(connection, {"timezone": "UTC"}, clock.now())
        minute = (clock.now().hour * 60 + 60) % 1440
        window = new_window(days=list(DAYS), start_minute=minute, end_minute=(minute + 60) % 1440, timezone="UTC")
        add_window(connection, window, owner_id=LOCAL_USER, now=clock.now())
    monkeypatch.setattr("forllm_server.jobs.staging.IN_QUEUE", 10)
    # 90 answers and as many verdicts are three hours: two whole windows, and the third's end tomorrow but one.
    second = court.create(lines=90)
    foretold = court.forecast(second)
    assert foretold is not None
    assert foretold.machine_seconds == 180 * 60
    assert foretold.done_by is not None
    opens_at = clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    assert foretold.done_by.middle_at == opens_at + timedelta(days=2, hours=1)
    with court.database.read() as connection:
        draft = court.draft(lines=30)
        alone = foretell_draft(connection, draft, prepare(draft), clock.now())
    assert alone.machine_seconds == 60 * 60
    assert alone.words.startswith("about 1 h 00 of work, done by ")
