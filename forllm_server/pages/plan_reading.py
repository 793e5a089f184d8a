"""Reading what the queue page shows: the rows with all that surrounds them, in a fixed number of queries."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from forllm_server.catalog.backend_store import get_backend, list_backends
from forllm_server.catalog.model import BackendRecord, ListedModel
from forllm_server.catalog.model_store import list_models
from forllm_server.forum import post_store, topic_store
from forllm_server.forum.model import Post
from forllm_server.jobs.forecast import Forecast, forecast
from forllm_server.jobs.standing import list_standings, pause_words
from forllm_server.pages.hours import hours_words
from forllm_server.pages.naming import model_names_by_id
from forllm_server.pages.needs import Need, needs_of
from forllm_server.pages.nightbar import Names, NightBar, night_bar
from forllm_server.pages.plan import (
    PlanLine,
    PlanRest,
    PlanRow,
    Times,
    asked_post_id,
    group_plan,
    hues_of,
    set_aside,
    with_times,
)
from forllm_server.pages.plan_lines import Share, lines_of, shared_out
from forllm_server.pages.tonight import Tonight, tonight
from forllm_server.personas.version_store import list_versions_by_ids
from forllm_server.queue.chunk_store import list_partials
from forllm_server.queue.line_store import list_llm_requests_by_ids
from forllm_server.queue.llm_request_store import list_llm_requests, list_without_backend
from forllm_server.queue.model import LlmRequest, Pause, Status
from forllm_server.queue.pause_store import WHOLE_QUEUE, list_pauses
from forllm_server.queue.plan import LONGEST_PLAN
from forllm_server.queue.plan_store import list_crowds
from forllm_server.queue.worker_store import list_workers
from forllm_server.schedule.gate import read_gate
from forllm_server.schedule.words import moment_words
from forllm_server.settings.values import read_settings

#: So many rows of the plan are shown at once, and so many each of what runs, is set aside, or failed.
ROWS = 100
FEW = 100
_TAIL_CHARS = 240


@dataclass(frozen=True)
class Paused:
    """A pause that holds now, in words. ``backend_id`` None is the whole queue."""

    backend_id: int | None
    where: str
    words: str


@dataclass(frozen=True)
class RunningRow:
    """A request that is being answered: ``tail`` is the end of the text so far."""

    row: PlanRow
    tail: str
    is_thinking: bool


@dataclass(frozen=True)
class Evening:
    """Everything on the queue page."""

    tonight: Tonight
    gate_words: str
    zone_name: str
    bar: NightBar | None
    machine_seconds: float
    model_count: int
    running: tuple[RunningRow, ...]
    needs: tuple[Need, ...]
    lines: tuple[PlanLine, ...]
    counts: Mapping[Status, int]
    has_worker: bool
    pauses: tuple[Paused, ...]
    backends: tuple[BackendRecord, ...]
    models: tuple[ListedModel, ...]


@dataclass(frozen=True)
class Stretch:
    """A page of one backend's line: the places ``first`` to ``last`` of ``number``."""

    backend: BackendRecord
    first: int
    last: int
    number: int
    lines: tuple[PlanLine, ...]
    counts: Mapping[Status, int]
    models: tuple[ListedModel, ...]

    @property
    def previous_first(self) -> int | None:
        """Where the page before this one begins; None on the first."""
        return max(1, self.first - ROWS) if self.first > 1 else None


def read_evening(connection: Connection, now: datetime) -> Evening:
    """The whole page as it is now. However long the queue is, it costs the same."""
    settings = read_settings(connection)
    gate = read_gate(connection, now, settings.zone)
    foretold = forecast(connection, now)
    shares = shared_out(_lines(connection, foretold), ROWS)
    rows = _rows(connection, _found(connection, shares), foretold)
    backends, models = list_backends(connection), list_models(connection)
    running = [row for row in rows if row.llm_request.status is Status.RUNNING]
    hues = hues_of([*(r.llm_request.model_id for r in running), *(each.model_id for each in foretold.plan)])
    pauses = list_pauses(connection)
    whole = pauses.get(WHOLE_QUEUE)
    names = Names({b.id: b.name for b in backends}, model_names_by_id(models), hues)
    lines = [_line(rows, share, foretold, names) for share in shares]
    placed = {row.llm_request.id: row for line in lines for group in line.groups for row in group.rows}
    planned = {id for share in shares for id in share.ids()}
    others = [row for row in rows if row.llm_request.id not in planned]
    lost_count = foretold.counts.get(Status.QUEUED, 0) - sum(share.number for share in shares)
    return Evening(
        tonight=tonight(foretold, gate, whole if whole and _holds(whole, now) else None),
        gate_words=hours_words(gate, backends),
        zone_name=foretold.zone.key,
        bar=night_bar(foretold, [row.llm_request for row in running], gate, names),
        machine_seconds=foretold.machine_seconds,
        model_count=len(hues.keys() - {None}),
        running=_running(connection, running),
        needs=tuple(needs_of([*placed.values(), *others], {each.backend_id: each.rest_count for each in shares})),
        lines=(*(line for line in lines if line.groups), *set_aside(others, foretold.counts, lost_count)),
        counts=foretold.counts,
        has_worker=any(each.is_alive(now) for each in list_workers(connection)),
        pauses=_pauses(pauses, backends, foretold),
        backends=tuple(backends),
        models=tuple(models),
    )


def read_stretch(connection: Connection, backend_id: int, first: int, now: datetime) -> Stretch:
    """A page of the line of a backend, from the place ``first``. Raises NotFound (backend)."""
    backend = get_backend(connection, backend_id)
    foretold = forecast(connection, now)
    line = _lines(connection, foretold).get(backend_id) or Share(backend_id, (), 0, 0)
    start = min(first - 1, max(len(line.placed) - 1, 0))
    share = replace(line, start=start, stop=min(start + ROWS, len(line.placed)))
    rows = _rows(connection, list_llm_requests_by_ids(connection, share.ids()), foretold)
    models = list_models(connection)
    hues = hues_of(each.model_id for each in foretold.plan)
    names = Names({backend.id: backend.name}, model_names_by_id(models), hues)
    lines = (_line(rows, share, foretold, names),) if rows else ()
    return Stretch(backend, start + 1, share.stop, share.number, lines, foretold.counts, tuple(models))


def _lines(connection: Connection, foretold: Forecast) -> dict[int, Share]:
    """The lines of the backends. What stands behind the longest plan is counted only where there is such a line."""
    lengths = Counter(each.backend_id for each in foretold.plan)
    is_long = any(number >= LONGEST_PLAN for number in lengths.values())
    return lines_of(foretold.plan, list_crowds(connection) if is_long else ())


def _rows(connection: Connection, found: Sequence[LlmRequest], foretold: Forecast) -> list[PlanRow]:
    times = Times(foretold.starts_at, foretold.done_by, foretold.at, foretold.zone)
    return [with_times(row, times) for row in list_rows(connection, found, foretold.at)]


def _line(rows: Sequence[PlanRow], share: Share, foretold: Forecast, names: Names) -> PlanLine:
    groups = group_plan(rows, share, names.hues, foretold.at, foretold.zone)
    return PlanLine(tuple(groups), _rest(share, foretold, names))


def _rest(share: Share, foretold: Forecast, names: Names) -> PlanRest | None:
    """What stands behind the rows of a line that are shown."""
    if not share.rest_count:
        return None
    where = names.backends.get(share.backend_id, "")
    kinds = share.rest()
    openings = {opens_at for _, opens_at, _ in kinds}
    parts = [
        f"{number:,} on {names.models.get(model_id, 'a model')}{_from(opens_at, foretold) if len(openings) > 1 else ''}"
        for model_id, opens_at, number in kinds
    ]
    if unnamed := share.rest_count - sum(number for *_, number in kinds):
        parts.append(f"{unnamed:,} others")
    key = f"rest-{share.backend_id}"
    words = f"{share.rest_count:,} more on {where}{_from(openings.pop(), foretold) if len(openings) == 1 else ''}:"
    if share.stop >= len(share.placed):
        return PlanRest(key, words, tuple(parts), "/queue/history?status=queued", "All that is in line")
    url = f"/queue?backend_id={share.backend_id}&first={share.stop + 1}"
    return PlanRest(key, words, tuple(parts), url, f"Next {min(ROWS, len(share.placed) - share.stop):,}")


def _from(opens_at: datetime | None, foretold: Forecast) -> str:
    return f" from {moment_words(opens_at, foretold.at, foretold.zone)}" if opens_at else ""


def list_rows(connection: Connection, found: Sequence[LlmRequest], now: datetime) -> list[PlanRow]:
    """A row for each of these requests."""
    standings = list_standings(connection, found, now)
    versions = _by_id(list_versions_by_ids(connection, {r.persona_version_id for r in found if r.persona_version_id}))
    asked = {r.id: asked_post_id(r) for r in found}
    posts = list_posts(connection, [each for each in asked.values() if each is not None])
    titles = topic_store.list_titles(connection, {r.topic_id for r in found if r.topic_id is not None})
    backends = _by_id(list_backends(connection))
    return [
        PlanRow(
            llm_request=r,
            standing=standings[r.id],
            version=versions.get(r.persona_version_id),
            post=posts.get(asked[r.id] or 0),
            topic_title=titles.get(r.topic_id or 0, ""),
            backend_name=backends[r.backend_id].name if r.backend_id in backends else "",
        )
        for r in found
    ]


def list_posts(connection: Connection, post_ids: Sequence[int]) -> dict[int, Post]:
    """Posts by id, those in the trash too."""
    return _by_id(post_store.list_posts(connection, post_ids)) if post_ids else {}


def read_running(connection: Connection, now: datetime) -> tuple[RunningRow, ...]:
    """Only what is being answered, for the frequent looks at a page that did not change otherwise."""
    found = list_llm_requests(connection, statuses=[Status.RUNNING], limit=FEW)
    return _running(connection, list_rows(connection, found[::-1], now))


def _found(connection: Connection, shares: Sequence[Share]) -> list[LlmRequest]:
    running = list_llm_requests(connection, statuses=[Status.RUNNING], limit=FEW)[::-1]
    planned = list_llm_requests_by_ids(connection, [each for share in shares for each in share.ids()])
    lost = list_without_backend(connection, limit=FEW)
    others = [list_llm_requests(connection, statuses=[each], limit=FEW) for each in (Status.WAITING, Status.HELD)]
    failed = list_llm_requests(connection, statuses=[Status.FAILED], limit=FEW)
    return list(_by_id([*running, *planned, *lost, *others[0], *others[1], *failed]).values())


def _running(connection: Connection, rows: Sequence[PlanRow]) -> tuple[RunningRow, ...]:
    partials = list_partials(connection, [row.llm_request.id for row in rows])
    shown = []
    for row in rows:
        partial = partials.get(row.llm_request.id)
        text = partial.text if partial else ""
        shown.append(RunningRow(row, _tail(text), is_thinking=bool(partial and partial.thinking and not text)))
    return tuple(shown)


def _tail(text: str) -> str:
    """The end of a text, from the beginning of a word."""
    if len(text) <= _TAIL_CHARS:
        return text
    return "…" + text[-_TAIL_CHARS:].partition(" ")[2]


def _pauses(pauses: Mapping[int, Pause], backends: Sequence[BackendRecord], foretold: Forecast) -> tuple[Paused, ...]:
    names = {backend.id: backend.name for backend in backends} | {WHOLE_QUEUE: "The whole queue"}
    return tuple(
        Paused(scope or None, names[scope], pause_words(pause, foretold.at, foretold.zone))
        for scope, pause in sorted(pauses.items())
        if scope in names and _holds(pause, foretold.at)
    )


def _holds(pause: Pause, now: datetime) -> bool:
    return pause.until is None or pause.until > now


def _by_id(items: Iterable[Any]) -> dict[Any, Any]:
    return {item.id: item for item in items}
