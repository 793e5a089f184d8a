"""When a batch will be done: what of it is in the queue, what will be asked yet and what is to be judged.

Walked through the hours that are open, as every forecast is (see :mod:`forllm_server.jobs.forecast`). What is not in
the queue yet stands behind everything that is there now.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from forllm_server.batches import cell_store, verdict_store
from forllm_server.batches.making import BatchDraft, Prepared
from forllm_server.batches.model import Batch, BatchAsk, Judge, Progress, State, Verdict
from forllm_server.catalog.choosing import choose_model
from forllm_server.catalog.model import ChosenModel
from forllm_server.errors import Invalid
from forllm_server.jobs.batches import find_judge, list_asks
from forllm_server.jobs.forecast import done_by_words
from forllm_server.jobs.lines import Line, Surroundings, Walked, length_of, read_lines, walk_line
from forllm_server.jobs.verdict import choose_judging_model
from forllm_server.personas import version_store
from forllm_server.queue.estimate import DoneBy, duration, last_of
from forllm_server.queue.model import Lane, Status
from forllm_server.queue.plan_store import Crowd
from forllm_server.schedule.words import duration_words
from forllm_server.settings.values import read_settings

#: In the queue, and served without a person's doing: what is on hold is not foretold.
_SERVED = (Status.QUEUED, Status.WAITING, Status.RUNNING)


@dataclass(frozen=True)
class BatchForecast:
    """``machine_seconds`` None: no reply of one of its models has finished yet. ``done_by`` None: nobody knows."""

    machine_seconds: float | None
    done_by: DoneBy | None
    at: datetime
    zone: ZoneInfo

    @property
    def words(self) -> str:
        """``about 3 h 20 of work, done by Thu 04:50 (Thu 03:55-Thu 05:40)``."""
        if self.machine_seconds is None:
            return "how long it takes is known when each model has answered once"
        work = f"about {duration_words(timedelta(seconds=self.machine_seconds))} of work"
        if self.done_by is None:
            return f"{work}; when it will be done is not known now"
        return f"{work}, {done_by_words(self.done_by, self.at, self.zone)}"


def foretell_batch(connection: Connection, batch: Batch, progress: Progress, now: datetime) -> BatchForecast | None:
    """When the rest of a batch will be done; None when nothing of it is to come, or it does not go on by itself."""
    unjudged = progress.unjudged if batch.judge else 0
    if batch.state is not State.OPEN or not (progress.remaining or unjudged):
        return None
    ids = cell_store.list_llm_request_ids(connection, batch.id, _SERVED)
    if batch.judge:
        ids += verdict_store.list_verdict_request_ids(connection, batch.id, _SERVED)
    to_judge = progress.remaining + unjudged - progress.by_verdict.get(Verdict.AWAITED, 0)
    lines = batch.line_count - batch.asked_count
    crowds = _crowds(connection, batch.asks, lines, batch.judge, to_judge, is_run_now=batch.is_run_now)
    return _foretell(connection, set(ids), crowds, now)


def foretell_draft(connection: Connection, draft: BatchDraft, prepared: Prepared, now: datetime) -> BatchForecast:
    """When a batch would be done if it were made now. Raises Invalid (personas or models that are gone)."""
    asks, judge = list_asks(connection, draft), find_judge(connection, draft)
    lines = len(prepared.lines)
    crowds = _crowds(connection, asks, lines, judge, prepared.cell_count, is_run_now=draft.is_run_now)
    return _foretell(connection, set(), crowds, now)


def _crowds(
    connection: Connection,
    asks: Sequence[BatchAsk],
    lines: int,
    judge: Judge | None,
    to_judge: int,
    *,
    is_run_now: bool,
) -> list[Crowd] | None:
    """What is not in the queue yet, by model and persona; None while a model for it is missing."""
    alike = Counter((each.persona_id, each.persona_version_id, each.model_id) for each in asks)
    wanted: list[tuple[int, ChosenModel | None, int]] = []
    for (persona_id, version_id, model_id), repeats in alike.items() if lines else ():
        wanted.append((persona_id, _choose(connection, version_id, model_id), repeats * lines))
    if judge is not None and to_judge:
        wanted.append((judge.persona_id, choose_judging_model(connection, judge), to_judge))
    numbers: Counter[tuple[int, int, int]] = Counter()
    for persona_id, chosen, number in wanted:
        if chosen is None:
            return None
        numbers[chosen.backend.id, chosen.model.id, persona_id] += number
    lane = Lane.LIVE if is_run_now else Lane.NIGHT
    return [Crowd(*key, number, lane) for key, number in numbers.items()]


def _choose(connection: Connection, version_id: int, model_id: int | None) -> ChosenModel | None:
    """As it will be chosen when it is asked; None also when a model asked for is gone: then it will not be."""
    try:
        return choose_model(
            connection,
            asked_model_id=model_id,
            persona_model_id=version_store.get_version(connection, version_id).model_id,
            default_model_id=read_settings(connection).default_model_id,
        )
    except Invalid:
        return None


def _foretell(
    connection: Connection, ids: Collection[int], crowds: Sequence[Crowd] | None, now: datetime
) -> BatchForecast:
    lines, around = read_lines(connection, now, crowds=crowds or ())
    parts = [_part(line, around, ids, crowds or ()) for line in lines]
    seconds = [part.seconds for part in parts if part is not None]
    ends = [part.done_by for part in parts if part is not None]
    # What stands behind the longest plan is not among the lines: of it the end of the counted ones is known.
    found = sum(part.number for part in parts if part is not None)
    if found < len(ids):
        ends += [done_by for line in lines if line.rest for done_by in walk_line(line, around).rest_done_by]
    is_known = crowds is not None and bool(ends) and None not in ends
    return BatchForecast(
        machine_seconds=sum(each or 0.0 for each in seconds) if crowds is not None and None not in seconds else None,
        done_by=last_of(end for end in ends if end is not None) if is_known else None,
        at=now,
        zone=around.gate.plan.default_zone,
    )


@dataclass(frozen=True)
class _Part:
    """What of a batch stands in one backend's line."""

    number: int
    seconds: float | None
    done_by: DoneBy | None


def _part(line: Line, around: Surroundings, ids: Collection[int], crowds: Sequence[Crowd]) -> _Part | None:
    """None when nothing of it stands there."""
    own = [each for each in (*line.running, *line.queued, *line.waiting) if each.id in ids]
    counted = [crowd for crowd in crowds if crowd.backend_id == line.record.id]
    if not own and not counted:
        return None
    walked = walk_line(line, around)
    lengths = [length_of(each, around, is_loaded=True) for each in own]
    one_each = [
        duration(
            around.rates.get(crowd.model_id), around.habits.get((crowd.model_id, crowd.persona_id)), is_loaded=True
        )
        for crowd in counted
    ]
    if None in lengths or None in one_each:
        return _Part(len(own), None, None)
    seconds = sum(length.p50 for length in lengths if length)
    seconds += sum(one.p50 * crowd.number for one, crowd in zip(one_each, counted, strict=True) if one)
    return _Part(len(own), seconds, _end(walked, {each.id for each in own}, len(counted)))


def _end(walked: Walked, ids: Collection[int], counted: int) -> DoneBy | None:
    """When all of these are done, and the last ``counted`` crowds; None while one of them is not foretold."""
    ends = [walked.foretold[each].done_by if each in walked.foretold else None for each in ids]
    ends += walked.rest_done_by[len(walked.rest_done_by) - counted :]
    return None if None in ends else last_of(end for end in ends if end is not None)
