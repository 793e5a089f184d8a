"""Changing the schedule: every rule about what a window and an exception may be, with words for what may not."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from forllm_server.errors import Invalid, TooLarge
from forllm_server.schedule import exception_store, window_store
from forllm_server.schedule.model import ScheduleException, ScheduleWindow
from forllm_server.schedule.windows import DAYS, MINUTES_OF_DAY, Closing, DateException, ExceptionKind, Window
from forllm_server.schedule.words import clock_words
from forllm_server.settings.values import MAX_ID, read_settings
from forllm_server.settings.zones import is_zone

#: enough for any week; the gate reads all of them at every claim
MAX_WINDOWS = 200
MAX_EXCEPTIONS = 1000
MAX_NOTE_CHARACTERS = 500
#: how far from today an exception may lie
MAX_DISTANCE = timedelta(days=3660)

Choice = TypeVar("Choice", bound=StrEnum)


def new_window(
    *,
    days: Iterable[str],
    start_minute: int,
    end_minute: int,
    timezone: str | None = None,
    closing: str = Closing.FINISH,
    backend_id: int | None = None,
    is_enabled: bool = True,
) -> Window:
    """A window from what a form or a program gave; :class:`Invalid` names the field that will not do.

    An end of 0 is understood as 24:00, an empty time zone as the forum's.
    """
    end_minute = MINUTES_OF_DAY if end_minute == 0 else end_minute
    return Window(
        days=_checked_days(days),
        start_minute=_checked_minute(start_minute, "start_minute", 0, MINUTES_OF_DAY - 1),
        end_minute=_checked_minute(end_minute, "end_minute", 1, MINUTES_OF_DAY),
        timezone=_checked_zone(timezone),
        closing=_checked_choice(Closing, closing, "closing"),
        backend_id=backend_id,
        is_enabled=is_enabled,
    )


def new_exception(
    *,
    day: date,
    kind: str,
    start_minute: int | None = None,
    end_minute: int | None = None,
    backend_id: int | None = None,
    fields: tuple[str, str] = ("start_minute", "end_minute"),
) -> DateException:
    """An exception from what a form or a program gave: both times or none. An end of 0 is 24:00.

    ``fields``: how start and end are called there. Raises Invalid.
    """
    start_field, end_field = fields
    if (start_minute is None) != (end_minute is None):
        missing = start_field if start_minute is None else end_field
        raise Invalid("Give both times, or none for the whole date.", field=missing)
    if start_minute is not None and end_minute is not None:
        start_minute = _checked_minute(start_minute, start_field, 0, MINUTES_OF_DAY - 1)
        end_minute = _checked_minute(end_minute or MINUTES_OF_DAY, end_field, 1, MINUTES_OF_DAY)
    return DateException(
        date=day,
        kind=_checked_choice(ExceptionKind, kind, "kind"),
        start_minute=start_minute,
        end_minute=end_minute,
        backend_id=backend_id,
    )


def add_window(connection: Connection, window: Window, *, owner_id: int, now: datetime) -> ScheduleWindow:
    """Add a window to the schedule."""
    if window_store.count_windows(connection) >= MAX_WINDOWS:
        raise TooLarge(f"There are {MAX_WINDOWS} windows already. Delete one first.")
    _check_backend(connection, window.backend_id)
    return window_store.insert_window(connection, window, owner_id=owner_id, now=now)


def change_window(connection: Connection, window_id: int, window: Window) -> ScheduleWindow:
    """Put ``window`` in the place of a stored one."""
    before = window_store.get_window(connection, window_id)
    # a window may outlive its backend; only a new choice of backend is checked
    if window.backend_id != before.backend_id:
        _check_backend(connection, window.backend_id)
    return window_store.update_window(connection, window_id, window)


def delete_window(connection: Connection, window_id: int) -> None:
    """Take a window out of the schedule. Without any enabled window models may always work."""
    window_store.delete_window(connection, window_id)


def add_exception(
    connection: Connection,
    item: DateException,
    *,
    owner_id: int,
    now: datetime,
    note: str = "",
    backend_field: str = "backend_id",
) -> ScheduleException:
    """Add a date that differs from its week. ``backend_field``: how the backend is called where it was given."""
    if exception_store.count_exceptions(connection) >= MAX_EXCEPTIONS:
        raise TooLarge(f"There are {MAX_EXCEPTIONS} exceptions already. Delete past ones first.")
    if abs(item.date - now.astimezone(UTC).date()) > MAX_DISTANCE:
        raise Invalid("The date must be within ten years of today.", field="date")
    note = note.strip()
    if len(note) > MAX_NOTE_CHARACTERS:
        raise Invalid(f"The note may have {MAX_NOTE_CHARACTERS} characters at most.", field="note")
    if "\x00" in note:
        raise Invalid("The note holds a character that cannot be stored.", field="note")
    _check_backend(connection, item.backend_id, backend_field)
    return exception_store.insert_exception(connection, item, note=note, owner_id=owner_id, now=now)


def delete_exception(connection: Connection, exception_id: int) -> None:
    """Take an exception back: the date follows its week again."""
    exception_store.delete_exception(connection, exception_id)


def open_until(
    connection: Connection,
    end_minute: int,
    *,
    owner_id: int,
    now: datetime,
    backend_id: int | None = None,
    note: str = "",
    zone: ZoneInfo | None = None,
    backend_field: str = "backend_id",
) -> ScheduleException:
    """Open from now until the next time the clock shows ``end_minute``: "tonight also until 09:00"."""
    local = now.astimezone(zone or read_settings(connection).zone)
    start_minute = local.hour * 60 + local.minute
    end_minute = _checked_minute(end_minute or MINUTES_OF_DAY, "until", 1, MINUTES_OF_DAY)
    if end_minute == start_minute:
        raise Invalid("It is that time now. Choose a later one.", field="until")
    item = new_exception(
        day=local.date(),
        kind=ExceptionKind.OPEN,
        start_minute=start_minute,
        end_minute=end_minute,
        backend_id=backend_id,
    )
    return add_exception(connection, item, owner_id=owner_id, now=now, note=note, backend_field=backend_field)


def read_clock(text: str, field: str) -> int:
    """Minutes after midnight from ``22:30``, ``6:00`` or ``24:00``; :class:`Invalid` names ``field``."""
    hours, colon, minutes = text.strip().partition(":")
    is_written_right = colon and 1 <= len(hours) <= 2 and len(minutes) == 2 and (hours + minutes).isdecimal()
    minute = int(hours) * 60 + int(minutes) if is_written_right else -1
    if not 0 <= minute <= MINUTES_OF_DAY or int(minutes) > 59:
        raise Invalid("Write the time as hours and minutes, from 00:00 to 24:00.", field=field)
    return minute


def read_date(text: str, field: str = "date") -> date:
    """A date from ``2026-12-24``; :class:`Invalid` names ``field``."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise Invalid("Write the date as year-month-day, e.g. 2026-12-24.", field=field) from error


def _checked_days(days: Iterable[str]) -> frozenset[str]:
    chosen = list(days)
    if not chosen:
        raise Invalid("Choose at least one day.", field="days")
    if unknown := [day for day in chosen if day not in DAYS]:
        raise Invalid(f"“{str(unknown[0])[:20]}” is no day: use {', '.join(DAYS)}.", field="days")
    return frozenset(chosen)


def _checked_minute(minute: Any, field: str, lowest: int, highest: int) -> int:
    if type(minute) is not int or not lowest <= minute <= highest:
        bounds = f"from {clock_words(lowest)} to {clock_words(highest)} (minutes {lowest} to {highest} of the day)"
        raise Invalid(f"The time must be {bounds}.", field=field)
    return minute


def _checked_zone(name: str | None) -> str | None:
    if name and not is_zone(name):
        raise Invalid(f"“{name[:60]}” is no time zone: use an IANA name such as Europe/Berlin.", field="timezone")
    return name or None


def _checked_choice(choices: type[Choice], value: str, field: str) -> Choice:
    try:
        return choices(value)
    except ValueError as error:
        allowed = ", ".join(choice.value for choice in choices)
        raise Invalid(f"“{str(value)[:20]}” is not possible here: use {allowed}.", field=field) from error


def _check_backend(connection: Connection, backend_id: int | None, field: str = "backend_id") -> None:
    if backend_id is None:
        return
    # a number no column can hold must not reach the database, which would answer with an error of its own
    if not 0 < backend_id <= MAX_ID or window_store.find_backend_name(connection, backend_id) is None:
        raise Invalid("There is no such backend. It may have been deleted.", field=field)
