"""The Morning page: what a night brought, and the archive of all of them as a calendar."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from forllm_server.activity.seen_store import list_topic_marks
from forllm_server.batches import batch_store
from forllm_server.catalog.model_store import list_models
from forllm_server.clock import now
from forllm_server.errors import NotFound
from forllm_server.experiments import experiment_store
from forllm_server.markup.excerpt import excerpt
from forllm_server.morning import words
from forllm_server.morning.model import Report
from forllm_server.morning.nights import DAY, FIRST_DAY, LAST_DAY
from forllm_server.morning.report import MOST_COUNTED, read_month, read_report
from forllm_server.pages.frame import current_settings
from forllm_server.pages.needs import needs_of
from forllm_server.pages.plan_reading import list_rows
from forllm_server.pages.words import counted
from forllm_server.votes.standings import MOST_WAITING, count_waiting
from forllm_server.web.current import current, current_user_id
from forllm_server.web.fragments import page, see_other

blueprint = Blueprint("morning", __name__)

_EXCERPT_CHARS = 150
#: finished ones that are named
_FINISHED = 5


@dataclass(frozen=True)
class CalendarDay:
    """A day of the calendar. ``count``: replies of its night in words, empty for none; ``url`` empty: yet to come."""

    day: date
    number: int
    count: str
    url: str
    is_shown: bool
    is_outside: bool


@dataclass(frozen=True)
class Calendar:
    """A month in weeks from Monday. The urls lead to the months beside it; empty where there is none."""

    title: str
    weeks: tuple[tuple[CalendarDay, ...], ...]
    previous_url: str
    next_url: str


@blueprint.get("/morning")
def show_latest() -> Response:
    """The last night."""
    return _show(None)


@blueprint.get("/morning/<day>")
def show(day: str) -> Response:
    """The night before that day's morning; ``month`` turns the calendar's page."""
    return _show(read_day(day))


@blueprint.get("/morning/day")
def go_to() -> Response:
    """The day that was typed or chosen in the form under the calendar."""
    return see_other(f"/morning/{read_day(request.args.get('date', '')).isoformat()}")


def read_day(text: str) -> date:
    """A day as it stands in an address, ``2026-11-20``. Raises NotFound for anything else."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not FIRST_DAY < day < LAST_DAY or day.isoformat() != text:
        raise NotFound("There is no such day. Write it as in /morning/2026-11-20.")
    return day


def _show(day: date | None) -> Response:
    at = now()
    with current().database.read() as connection:
        report = read_report(connection, day, at, find_unread=partial(_find_unread, connection))
        month = _month(report)
        counts = read_month(connection, month, at)
        needs = needs_of(list_rows(connection, report.failed, at))
        models = list_models(connection) if needs else []
        undecided = count_waiting(connection, current_user_id(), at) if report.is_latest else 0
        night = report.night
        span = {"since": night.counts_from, "until": night.counts_until}
        batches = batch_store.list_finished(connection, **span, limit=_FINISHED)
        experiments = experiment_store.list_finished(connection, **span, limit=_FINISHED)
    zone = current_settings().zone
    return page(
        "morning/show.html",
        report=report,
        title=words.day_words(report.night.day),
        headline=_headline(report),
        line=_line(report, zone),
        facts=_facts(report),
        pauses=[words.pause_words(pause, at, zone) for pause in report.pauses],
        calendar=_calendar(month, counts, report, at.astimezone(zone)),
        needs=needs,
        models=models,
        undecided=undecided,
        batches=batches,
        experiments=experiments,
        most_undecided=MOST_WAITING,
        excerpt=lambda text: excerpt(text, max_chars=_EXCERPT_CHARS),
    )


def _find_unread(connection: Connection, topic_ids: Collection[int]) -> Collection[int]:
    marks = list_topic_marks(connection, current_user_id(), topic_ids)
    return {topic_id for topic_id, mark in marks.items() if mark.is_unread}


def _headline(report: Report) -> str:
    if report.is_empty:
        return "Nothing yet tonight" if report.is_under_way else "A quiet night"
    return words.headline(report.figures)


def _line(report: Report, zone: ZoneInfo) -> list[str]:
    """The first facts, each a few words."""
    figures = report.figures
    worked = words.seconds_words(figures.worked_seconds)
    return [
        part
        for part in (
            words.hours_words(report.night, zone),
            "still under way" if report.is_under_way else "",
            f"in {counted(figures.topics, 'topic')}" if figures.topics else "",
            f"{'at least ' if figures.is_cut else ''}{worked} of work" if worked else "",
            words.energy_words(figures.energy),
            words.cost_words(figures.energy),
        )
        if part
    ]


def _facts(report: Report) -> list[tuple[str, str]]:
    """(name, value) of the night in numbers; what nobody told is left out."""
    figures = report.figures
    pace, share = figures.tokens_per_second, figures.cached_share
    facts = [
        ("Answered", f"{figures.answered:,}"),
        ("Failed", f"{figures.failed:,}" if figures.failed else ""),
        ("Called off", f"{figures.cancelled:,}" if figures.cancelled else ""),
        ("Time worked", words.seconds_words(figures.worked_seconds)),
        ("Tokens read", f"{figures.prompt_tokens:,}" if figures.prompt_tokens else ""),
        ("Known already", f"{share:.0%} of them" if share is not None else ""),
        ("Tokens written", f"{figures.completion_tokens:,}" if figures.completion_tokens else ""),
        ("Pace", f"{pace:.1f} tokens a second" if pace else ""),
        ("Models loaded", counted(figures.loads, "time") if figures.loads else ""),
        ("Models changed", counted(figures.swaps, "time") if figures.swaps else ""),
        ("Energy", words.energy_words(figures.energy)),
        ("Cost", words.cost_words(figures.energy)),
    ]
    return [(name, value) for name, value in facts if value]


def _month(report: Report) -> date:
    """The first day of the month that the calendar shows."""
    asked = request.args.get("month")
    day = read_day(f"{asked}-01") if asked else report.night.day
    return day.replace(day=1)


def _calendar(month: date, counts: Mapping[date, int], report: Report, local: datetime) -> Calendar:
    first = month - month.weekday() * DAY
    after = _following(month)
    last_day = report.night.day if report.is_latest else local.date() + DAY
    shown = report.night.day.isoformat()
    weeks = []
    while first < after:
        weeks.append(tuple(_calendar_day(first + n * DAY, month, counts, report, last_day) for n in range(7)))
        first += 7 * DAY
    before = (month - DAY).replace(day=1)
    is_more = after <= last_day
    return Calendar(
        words.month_words(month),
        tuple(weeks),
        f"/morning/{shown}?month={before:%Y-%m}#calendar" if before > FIRST_DAY else "",
        f"/morning/{shown}?month={after:%Y-%m}#calendar" if is_more else "",
    )


def _calendar_day(day: date, month: date, counts: Mapping[date, int], report: Report, last_day: date) -> CalendarDay:
    number = counts.get(day, 0)
    most = f"{MOST_COUNTED:,} or more" if number >= MOST_COUNTED else f"{number:,}"
    is_outside = day.month != month.month
    url = f"/morning/{day.isoformat()}" if day <= last_day and not is_outside else ""
    return CalendarDay(day, day.day, most if number else "", url, day == report.night.day, is_outside)


def _following(month: date) -> date:
    return (month.replace(day=28) + 4 * DAY).replace(day=1)
