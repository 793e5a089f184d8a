"""The table of hard cases in docs/queue.md says what the windows really do."""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from forllm_server.config import CHECKOUT
from forllm_server.schedule.planning import new_exception, new_window, read_clock
from forllm_server.schedule.windows import DAYS, DateException, Plan, Window, open_intervals
from forllm_server.schedule.words import DAY_WORDS

_DAY = timedelta(days=1)
_BEGIN, _END = "<!-- checked: hard cases -->", "<!-- end of checked -->"


def rows() -> Iterator[tuple[str, str, str, str, str]]:
    """(case, hours, zone, date, answer) of each row, without marks."""
    text = (CHECKOUT / "docs" / "queue.md").read_text(encoding="utf-8")
    lines = text.partition(_BEGIN)[2].partition(_END)[0].strip().splitlines()[2:]
    for line in lines:
        case, hours, zone, day, answer = (cell.strip().replace("`", "") for cell in line.strip("|").split("|"))
        yield case, hours, zone, day, answer


def plan_of(hours: str, zone: str) -> Plan:
    """From ``Fri 22:00-06:00; closed 2026-12-24``."""
    windows: list[Window] = []
    exceptions: list[DateException] = []
    for part in filter(None, hours.replace("none", "").split("; ")):
        first, _, times = part.partition(" ")
        if first in ("closed", "open"):
            day, _, times = times.partition(" ")
            start, end = _times(times) if times else (None, None)
            item = new_exception(day=date.fromisoformat(day), kind=first, start_minute=start, end_minute=end)
            exceptions.append(item)
        else:
            start, end = _times(times)
            windows.append(new_window(days=_days(first), start_minute=start, end_minute=end))
    return Plan(tuple(windows), tuple(exceptions), ZoneInfo(zone))


def _days(words: str) -> list[str]:
    if words == "daily":
        return list(DAYS)
    return [day for day, word in DAY_WORDS.items() if word in words.split(",")]


def _times(text: str) -> tuple[int, int]:
    start, _, end = text.partition("-")
    return read_clock(start, "start"), read_clock(end, "end")


def answer_of(plan: Plan, day: date) -> str:
    """Each opening that begins on the date, by the zone's clock with its offset, and how long it is."""
    zone = plan.default_zone
    midnight = datetime.combine(day, time(0), zone)
    found = list(open_intervals(plan, None, midnight - 9 * _DAY, midnight + 9 * _DAY))
    if any(end - start > 17 * _DAY for start, end in found):
        return "always open"
    shown = [_words(start, end, zone) for start, end in found if start.astimezone(zone).date() == day]
    return "; ".join(shown) or "closed"


def _words(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    hours = (end - start).total_seconds() / 3600
    begins, ends = start.astimezone(zone), end.astimezone(zone)
    return f"{_clock(begins)} to {_clock(ends, begins.date())}, {hours:g} h"


def _clock(moment: datetime, after: date | None = None) -> str:
    offset = re.sub(r"(\d\d)(\d\d)$", r"\1:\2", f"{moment:%z}")
    day = "" if after in (None, moment.date()) else f"{moment:%a} "
    return f"{day}{moment:%H:%M}{offset}"


@pytest.mark.parametrize(("case", "hours", "zone", "day", "answer"), list(rows()))
def test_a_hard_case_is_as_the_documentation_says(case: str, hours: str, zone: str, day: str, answer: str) -> None:
    assert answer_of(plan_of(hours, zone), date.fromisoformat(day.split()[-1])) == answer


def test_the_table_has_all_the_cases() -> None:
    assert len(list(rows())) >= 18
