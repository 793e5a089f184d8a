"""Reading a night's report: a fixed number of statements, whatever the history."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, datetime

from sqlalchemy import Connection

from forllm_server.catalog.backend_store import list_backends
from forllm_server.errors import NotFound
from forllm_server.morning import night_store, report_store
from forllm_server.morning.figures import figures_of, news_of
from forllm_server.morning.gist_store import list_gists
from forllm_server.morning.model import Night, Report
from forllm_server.morning.nights import DAY, FIRST_DAY, LAST_DAY, hours_between, latest_day, nights_between
from forllm_server.queue.llm_request_store import count_by_status
from forllm_server.queue.model import Status
from forllm_server.schedule.gate import read_plan
from forllm_server.schedule.windows import Plan
from forllm_server.settings.values import read_settings

REPLIES = 300
FAILED = 100
PAUSES = 50
STRETCHES = 50_000
#: The calendar counts up to here.
MOST_COUNTED = 1000

#: topic ids → which of them have something unread
Unread = Callable[[Collection[int]], Collection[int]]


def read_report(
    connection: Connection, day: date | None, now: datetime, *, find_unread: Unread | None = None
) -> Report:
    """The report of a morning; without ``day`` the last night's. Raises NotFound for a morning yet to come."""
    plan, backend_ids = read_hours(connection, now)
    latest = latest_day(plan, backend_ids, now)
    day = day or latest
    if not FIRST_DAY < day <= latest:
        raise NotFound("There is no such morning yet. Reports begin with the first night and end with the last one.")
    (night,) = read_nights(connection, day, day, plan, backend_ids)
    start, end = night.counts_from, night.counts_until
    tallies = report_store.list_tallies(connection, start, end)
    stretches = report_store.list_stretches(connection, start, end, limit=STRETCHES + 1)
    replies = report_store.list_replies(connection, start, end, limit=REPLIES)
    gists = list_gists(connection, day)
    unread_ids = find_unread({reply.topic_id for reply in replies}) if find_unread and replies else ()
    news = news_of(replies, gists, unread_ids)
    figures = figures_of(tallies, stretches[:STRETCHES], topics=len(news), is_cut=len(stretches) > STRETCHES)
    counts = count_by_status(connection)
    return Report(
        night=night,
        now=now,
        is_latest=day == latest,
        previous_day=day - DAY,
        next_day=day + DAY if day < latest else None,
        figures=figures,
        topics=news,
        more_replies=max(0, figures.answered - len(replies)) if len(replies) == REPLIES else 0,
        failed=tuple(report_store.list_failed(connection, start, end, limit=FAILED)),
        waiting=sum(counts.get(each, 0) for each in (Status.QUEUED, Status.WAITING, Status.RUNNING, Status.HELD)),
        pauses=tuple(night_store.list_pauses_between(connection, start, min(end, now), limit=PAUSES)),
    )


def read_month(connection: Connection, first: date, now: datetime) -> dict[date, int]:
    """How much was answered in each night of a month (its first day given), counted up to ``MOST_COUNTED``."""
    plan, backend_ids = read_hours(connection, now)
    if not FIRST_DAY < first < LAST_DAY:
        raise NotFound("There is no such month in the calendar.")
    last = (first.replace(day=28) + 4 * DAY).replace(day=1) - DAY
    nights = read_nights(connection, first, last, plan, backend_ids)
    spans = {night.day: (night.counts_from, night.counts_until) for night in nights}
    return report_store.count_answered_by_day(connection, spans, most=MOST_COUNTED)


def read_hours(connection: Connection, now: datetime) -> tuple[Plan, list[int]]:
    """The schedule, and the enabled backends that it is for."""
    plan = read_plan(connection, now, read_settings(connection).zone)
    return plan, [record.id for record in list_backends(connection, is_enabled=True)]


def read_nights(
    connection: Connection,
    first: date,
    last: date,
    plan: Plan,
    backend_ids: Iterable[int],
    known: Mapping[date, Night] | None = None,
) -> list[Night]:
    """The nights of these mornings: as they were kept (or ``known``), else by the schedule as it is."""
    if known is None:
        known = night_store.list_nights(connection, first - DAY, last)
    hours = hours_between(plan, backend_ids, first, last)
    return nights_between(hours, plan.default_zone, first, last, known)
