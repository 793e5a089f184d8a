"""The schedule in words for people. Pure."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from forllm_server.errors import Invalid
from forllm_server.schedule.model import ScheduleException, ScheduleWindow
from forllm_server.schedule.windows import (
    DAYS,
    DateException,
    Plan,
    Window,
    contains,
    openings,
)

DAY_WORDS = dict(zip(DAYS, ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), strict=True))
NO_WINDOW = "always open: no window is set"
#: how many coming changes `explain` lists
CHANGES = 5


def state_words(plan: Plan, backend_id: int | None, at: datetime) -> str:
    """``open until 06:00, 3 h 12 left`` or ``opens 22:30, in 3 h 12``, by the forum's wall clock."""
    first = next(openings(plan, backend_id, at), None)
    if first is None:
        return "closed, and no opening in sight"
    if first.start > at:
        return f"opens {moment_words(first.start, at, plan.default_zone)}, in {duration_words(first.start - at)}"
    if first.end is not None:
        return f"open until {moment_words(first.end, at, plan.default_zone)}, {duration_words(first.end - at)} left"
    return NO_WINDOW if plan.is_always_open(backend_id) else "open, and no closing in sight"


def duration_words(duration: timedelta) -> str:
    """``3 h 12``, ``12 min``, ``2 d 3 h``; the last started minute counts, so that 0 min never means "not yet"."""
    minutes = -(-duration // timedelta(minutes=1))
    hours, minutes_left = divmod(minutes, 60)
    if hours >= 24:
        days, hours_left = divmod(hours, 24)
        return f"{days} d {hours_left} h"
    return f"{hours} h {minutes_left:02}" if hours else f"{minutes} min"


def took_words(seconds: float) -> str:
    """``4.2 s``, ``40 s``, ``3 min``: how long something took."""
    if seconds >= 120:
        return duration_words(timedelta(seconds=seconds))
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def moment_words(moment: datetime, at: datetime, zone: ZoneInfo) -> str:
    """``22:30``; ``tomorrow 16:56`` where that could be taken for today, from 24 hours on with its weekday, from six
    days on with its date."""
    local = moment.astimezone(zone)
    clock = f"{local:%H:%M}"
    if moment - at < timedelta(hours=24):
        # Later than this the clock stands nearly where it stands now: "done by 16:56", said at 17:01, was just over.
        is_ambiguous = moment - at > timedelta(hours=18) and local.date() > at.astimezone(zone).date()
        return f"tomorrow {clock}" if is_ambiguous else clock
    weekday = DAY_WORDS[DAYS[local.weekday()]]
    return f"{weekday} {clock}" if moment - at < timedelta(days=6) else f"{weekday} {local.date()} {clock}"


def ending_words(moment: datetime, at: datetime, zone: ZoneInfo) -> str:
    """The same of an end: the first full minute at which it is over. Nothing is done by the minute it begins."""
    return moment_words(moment + timedelta(seconds=-moment.timestamp() % 60), at, zone)


def clock_words(minute: int) -> str:
    """``22:30`` from minutes after midnight; 1440 is ``24:00``."""
    return f"{minute // 60:02}:{minute % 60:02}"


def days_words(days: frozenset[str]) -> str:
    """``every day``, ``Mon-Fri``, ``Sat, Sun``."""
    chosen = [day for day in DAYS if day in days]
    if len(chosen) == len(DAYS):
        return "every day"
    first, last = DAYS.index(chosen[0]), DAYS.index(chosen[-1])
    if len(chosen) > 2 and last - first == len(chosen) - 1:
        return f"{DAY_WORDS[chosen[0]]}-{DAY_WORDS[chosen[-1]]}"
    return ", ".join(DAY_WORDS[day] for day in chosen)


def window_words(window: Window) -> str:
    """``Mon-Fri 22:30-06:00 (next day), Europe/Berlin, closing: finish``."""
    hours = f"{clock_words(window.start_minute)}-{clock_words(window.end_minute)}"
    if window.is_all_day:
        hours = "all day"
    elif window.is_overnight:
        hours += " (next day)"
    zone = f", {window.timezone}" if window.timezone else ""
    return f"{days_words(window.days)} {hours}{zone}, closing: {window.closing}"


def exception_words(item: DateException) -> str:
    """``2026-12-24 closed``, ``2026-12-24 open 22:00-09:00 (next day)``."""
    words = f"{item.date} {item.kind}"
    if item.start_minute is None or item.end_minute is None:
        return words
    if item.start_minute == item.end_minute:
        return f"{words} all day"
    overnight = " (next day)" if item.end_minute < item.start_minute else ""
    return f"{words} {clock_words(item.start_minute)}-{clock_words(item.end_minute)}{overnight}"


def changes_after(plan: Plan, backend_id: int | None, at: datetime) -> Iterator[tuple[datetime, bool]]:
    """The moments after ``at`` (UTC) at which it opens (True) or closes (False)."""
    for opening in openings(plan, backend_id, at):
        if opening.start > at:
            yield opening.start, True
        if opening.end is not None:
            yield opening.end, False


def explain(plan: Plan, backend_id: int | None, at: datetime) -> str:
    """Why it is open or closed at ``at``, and what comes next; several lines."""
    zone = plan.default_zone
    lines = [
        f"{_full_moment(at, zone)} ({zone.key})",
        _headline(plan, backend_id, at),
        "",
        _rows_heading(plan, backend_id),
        *(f"  {line}" for line in _row_lines(plan, backend_id, at)),
    ]
    if exceptions := _exception_lines(plan, backend_id, at):
        lines += ["", "Exceptions:", *(f"  {line}" for line in exceptions)]
    changes = list(islice(changes_after(plan, backend_id, at), CHANGES))
    lines += ["", "Next changes:" if changes else "No change is in sight."]
    lines += [f"  {_full_moment(moment, zone)}  {'opens' if opens else 'closes'}" for moment, opens in changes]
    return "\n".join(lines)


def read_moment(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """A moment from ``22:30`` (today), ``2026-12-24`` (its midnight), ``2026-12-24T22:30`` with or without offset.

    Without an offset it is the wall clock of ``zone``; a repeated time is its first showing.
    """
    try:
        if len(text.strip()) <= len("22:30"):
            moment = datetime.combine(now.astimezone(zone).date(), time.fromisoformat(text.strip()))
        else:
            moment = datetime.fromisoformat(text.strip())
        moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        is_near = abs(moment.astimezone(UTC) - now) < timedelta(days=36600)
    except (ValueError, OverflowError) as error:
        raise Invalid("Write the moment as 22:30 or 2026-12-24T22:30.", field="at") from error
    if not is_near:
        raise Invalid("The moment must be within a hundred years of today.", field="at")
    return moment.astimezone(UTC)


def _headline(plan: Plan, backend_id: int | None, at: datetime) -> str:
    words = state_words(plan, backend_id, at)
    return f"Closed, {words}." if words.startswith("opens") else f"{words[0].upper()}{words[1:]}."


def _rows_heading(plan: Plan, backend_id: int | None) -> str:
    rows = plan.rows_for(backend_id)
    if not rows:
        return "No enabled window: always open, but for exceptions."
    if rows[0].backend_id is None:
        return "Windows for all backends:"
    return f"Windows of backend {rows[0].backend_id} (they replace those for all backends):"


def _row_lines(plan: Plan, backend_id: int | None, at: datetime) -> Iterator[str]:
    for row in plan.rows_for(backend_id):
        number = f"{row.id}. " if isinstance(row, ScheduleWindow) else ""
        yield f"{number}{window_words(row)}: {_row_state(plan, backend_id, row, at)}"
    if disabled := sum(not window.is_enabled for window in plan.windows):
        yield f"({disabled} disabled)"


def _row_state(plan: Plan, backend_id: int | None, row: Window, at: datetime) -> str:
    local = at.astimezone(row.zone(plan.default_zone))
    if contains(plan, backend_id, row, at):
        return "open"
    without_exceptions = Plan(plan.windows, (), plan.default_zone)
    if contains(without_exceptions, backend_id, row, at):
        return "would be open, but the date is closed"
    return f"not open {DAY_WORDS[DAYS[local.weekday()]]} {local:%H:%M}"


def _exception_lines(plan: Plan, backend_id: int | None, at: datetime) -> list[str]:
    oldest: date = at.astimezone(plan.default_zone).date() - timedelta(days=1)
    lines = []
    for item in plan.exceptions:
        if item.date < oldest or item.backend_id not in (None, backend_id):
            continue
        scope = f" (backend {item.backend_id})" if item.backend_id is not None else ""
        note = f": {item.note}" if isinstance(item, ScheduleException) and item.note else ""
        lines.append(f"{exception_words(item)}{scope}{note}")
    return lines


def _full_moment(moment: datetime, zone: ZoneInfo) -> str:
    local = moment.astimezone(zone)
    return f"{DAY_WORDS[DAYS[local.weekday()]]} {local:%Y-%m-%d %H:%M %Z}"
