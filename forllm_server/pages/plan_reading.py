"""Reading what the queue page shows: the rows with all that surrounds them, in a fixed number of queries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from forllm_server.catalog.backend_store import list_backends
from forllm_server.catalog.model import BackendRecord, ListedModel
from forllm_server.catalog.model_store import list_models
from forllm_server.forum import post_store, topic_store
from forllm_server.forum.model import Post
from forllm_server.jobs.forecast import Forecast, forecast
from forllm_server.jobs.standing import list_standings, pause_words
from forllm_server.pages.needs import Need, needs_of
from forllm_server.pages.nightbar import Names, NightBar, night_bar
from forllm_server.pages.plan import PlanGroup, PlanRow, Times, group_plan, hues_of, set_aside, with_times
from forllm_server.pages.tonight import Tonight, tonight
from forllm_server.personas.version_store import list_versions_by_ids
from forllm_server.queue.chunk_store import list_partials
from forllm_server.queue.llm_request_store import list_llm_requests, list_plan
from forllm_server.queue.model import LlmRequest, Pause, Status
from forllm_server.queue.pause_store import WHOLE_QUEUE, list_pauses
from forllm_server.schedule.gate import read_gate
from forllm_server.settings.values import read_settings

#: So many rows of the plan are shown, and so many each of what runs, is set aside, or failed.
ROWS = 300
FEW = 100
_TAIL_CHARS = 280


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
    groups: tuple[PlanGroup, ...]
    more_count: int
    counts: Mapping[Status, int]
    pauses: tuple[Paused, ...]
    backends: tuple[BackendRecord, ...]
    models: tuple[ListedModel, ...]


def read_evening(connection: Connection, now: datetime) -> Evening:
    """The whole page as it is now."""
    settings = read_settings(connection)
    gate = read_gate(connection, now, settings.zone)
    foretold = forecast(connection, now)
    found = _found(connection)
    times = Times(foretold.starts_at, foretold.done_by, now, foretold.zone)
    rows = [with_times(row, times) for row in list_rows(connection, found, now)]
    backends, models = list_backends(connection), list_models(connection)
    running = [row for row in rows if row.llm_request.status is Status.RUNNING]
    hues = hues_of([*(r.llm_request.model_id for r in running), *(each.model_id for each in foretold.plan)])
    pauses = list_pauses(connection)
    whole = pauses.get(WHOLE_QUEUE)
    names = Names({b.id: b.name for b in backends}, {m.model.id: m.model.name for m in models}, hues)
    groups = group_plan(rows, foretold.plan, hues, now, foretold.zone)
    return Evening(
        tonight=tonight(foretold, gate, whole if whole and _holds(whole, now) else None),
        gate_words=gate.words(),
        zone_name=foretold.zone.key,
        bar=night_bar(foretold, [row.llm_request for row in running], gate, names),
        machine_seconds=foretold.machine_seconds,
        model_count=len(hues.keys() - {None}),
        running=_running(connection, running),
        needs=tuple(needs_of(rows)),
        groups=(*groups, *set_aside(rows)),
        more_count=_more(foretold, rows),
        counts=foretold.counts,
        pauses=_pauses(pauses, backends, foretold),
        backends=tuple(backends),
        models=tuple(models),
    )


def list_rows(connection: Connection, found: Sequence[LlmRequest], now: datetime) -> list[PlanRow]:
    """A row for each of these requests."""
    standings = list_standings(connection, found, now)
    versions = _by_id(list_versions_by_ids(connection, {r.persona_version_id for r in found if r.persona_version_id}))
    posts = list_posts(connection, [r.post_id for r in found if r.post_id is not None])
    titles = topic_store.list_titles(connection, {r.topic_id for r in found if r.topic_id is not None})
    backends = _by_id(list_backends(connection))
    return [
        PlanRow(
            llm_request=r,
            standing=standings[r.id],
            version=versions.get(r.persona_version_id),
            post=posts.get(r.post_id or 0),
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


def _found(connection: Connection) -> list[LlmRequest]:
    first = list_plan(connection, limit=ROWS)
    others = list_llm_requests(connection, statuses=[Status.WAITING, Status.HELD], limit=FEW)
    failed = list_llm_requests(connection, statuses=[Status.FAILED], limit=FEW)
    return list(_by_id([*first, *others, *failed]).values())


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


def _more(foretold: Forecast, rows: Sequence[PlanRow]) -> int:
    statuses = (Status.QUEUED, Status.RUNNING, Status.WAITING, Status.HELD)
    live = sum(foretold.counts.get(status, 0) for status in statuses)
    return max(0, live - sum(row.llm_request.status in statuses for row in rows))


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
