"""Recurring topics: at which moments they are due, which missed ones are made up for, what they say. Pure.

The rules, each with its test:

* An occurrence is a time of day on the days named, by the wall clock of a zone: the first moment of that day at which
  the clock shows that time or a later one. So a time that the clocks skip occurs when they jump, and a time that they
  show twice occurs once, the first time.
* Two occurrences at one moment (a zone can skip a whole day) are one.
* A missed occurrence is one that became due while no FORLLM was running: see :class:`Missed`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from forllm_server.schedule.intervals import stretches
from forllm_server.schedule.windows import DAYS
from forllm_server.schedule.words import clock_words, days_words, duration_words, moment_words
from forllm_server.settings.zones import is_zone

#: an occurrence that is no later than this is not missed: a machine may be slow, or have just been restarted
GRACE = timedelta(minutes=15)
#: how many missed occurrences are made up for at most
MOST_CAUGHT_UP = 50
#: older ones are forgotten; longer than the most that are made up for take with one a week
MEMORY = timedelta(days=7 * MOST_CAUGHT_UP + 50)
#: an occurrence every week, moved by a change of clocks, perhaps seen from a clock that was set back
FURTHEST = timedelta(days=9)
INSTANT = timedelta(microseconds=1)
DAY = timedelta(days=1)

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
PLACEHOLDERS = ("date", "weekday", "time", "number")
_PLACEHOLDER = re.compile("{(" + "|".join(PLACEHOLDERS) + ")}")


class Missed(StrEnum):
    """What becomes of occurrences that were missed."""

    #: nothing
    SKIP = "skip"
    #: the last of them is made up for, once
    LATEST = "latest"
    #: every one is made up for, the last 50 at most
    ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Recurrence:
    """A time of day on some days of the week. ``minute`` after midnight; ``timezone`` None is the forum's."""

    days: frozenset[str]
    minute: int
    timezone: str | None = None

    @property
    def day_list(self) -> list[str]:
        """The days in the order of the week."""
        return [day for day in DAYS if day in self.days]

    def zone(self, default_zone: ZoneInfo) -> ZoneInfo:
        # a zone that this machine no longer knows must not keep the others from being opened
        return ZoneInfo(self.timezone) if self.timezone and is_zone(self.timezone) else default_zone


@dataclass(frozen=True)
class TopicAsk:
    """Whom to ask about a new topic. None leaves it to the choosing, as it is on that day."""

    persona_id: int | None = None
    model_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class RecurringDraft(Recurrence):
    """What a person decides about a recurring topic."""

    subforum_id: int
    title: str
    content: str
    asks: tuple[TopicAsk, ...] = ()
    missed: Missed = Missed.LATEST
    is_enabled: bool = True


@dataclass(frozen=True, kw_only=True)
class RecurringTopic(RecurringDraft):
    """A stored one. ``subforum_name`` and ``last_topic_title`` are None when those are in the trash or not there."""

    id: int
    owner_id: int
    created_at: datetime
    last_occurrence_at: datetime | None
    next_at: datetime | None
    last_problem: str | None
    opened_count: int
    last_topic_id: int | None
    subforum_name: str | None
    last_topic_title: str | None


@dataclass(frozen=True)
class CatchUp:
    """What is due: the occurrences to open a topic for, oldest first, and how many others are passed over."""

    due: tuple[datetime, ...]
    passed_over: int


def occurrences(recurrence: Recurrence, zone: ZoneInfo, after: datetime, until: datetime) -> Iterator[datetime]:
    """The occurrences later than ``after`` up to ``until``, in order. All moments are UTC."""
    day = after.astimezone(zone).date() - 2 * DAY
    last_day = until.astimezone(zone).date() + DAY
    previous = after
    while day <= last_day:
        if DAYS[day.weekday()] in recurrence.days:
            moment = moment_of(day, recurrence.minute, zone)
            if previous < moment <= until:
                yield moment
                previous = moment
        day += DAY


def next_occurrence(recurrence: Recurrence, zone: ZoneInfo, after: datetime) -> datetime:
    """The first occurrence later than ``after``, UTC. ``recurrence`` names at least one day."""
    return next(occurrences(recurrence, zone, after, after + 2 * FURTHEST))


def moment_of(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """The first moment, UTC, at which the wall clock of ``zone`` has reached ``minute`` on ``day``."""
    wall = datetime.combine(day, datetime.min.time()) + timedelta(minutes=minute)
    # PEP 495: of a time shown twice, fold 0 is the first; of a skipped time it is read with the offset before the jump
    # and fold 1 with the one after it, which puts the jump between the two.
    moment = wall.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == wall:
        return moment
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return stretches(zone, before, moment)[0].end


def catch_up(recurrence: Recurrence, zone: ZoneInfo, missed: Missed, first: datetime, now: datetime) -> CatchUp:
    """What to do at ``now`` about all occurrences from ``first`` on, itself included."""
    pending = list(occurrences(recurrence, zone, max(first, now - MEMORY) - INSTANT, now))
    if missed is Missed.SKIP:
        due = [moment for moment in pending if now - moment <= GRACE]
    else:
        due = pending[-1:] if missed is Missed.LATEST else pending[-MOST_CAUGHT_UP:]
    return CatchUp(tuple(due), len(pending) - len(due))


def is_next_right(recurrence: Recurrence, zone: ZoneInfo, next_at: datetime, now: datetime) -> bool:
    """Whether a future ``next_at`` still stands: the zone, its rules or the clock may have changed since it was set."""
    if next_at <= now:
        return True
    is_occurrence = next(occurrences(recurrence, zone, next_at - INSTANT, next_at), None) is not None
    return is_occurrence and next_at - now <= FURTHEST


def filled(text: str, local: datetime, number: int) -> str:
    """``text`` with ``{date}``, ``{weekday}``, ``{time}`` and ``{number}`` replaced; other braces stay as they are.

    ``local`` is the occurrence by the wall clock, ``number`` counts the topics from 1. What is put in is not looked at
    again.
    """
    values = {
        "date": local.date().isoformat(),
        "weekday": WEEKDAYS[local.weekday()],
        "time": f"{local:%H:%M}",
        "number": str(number),
    }
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)


def recurrence_words(recurrence: Recurrence) -> str:
    """``every Monday at 22:00``, ``Mon-Fri at 07:30``, ``every day at 06:00, by the clock of Asia/Tokyo``."""
    days = recurrence.day_list
    words = f"every {WEEKDAYS[DAYS.index(days[0])]}" if len(days) == 1 else days_words(recurrence.days)
    zone = f", by the clock of {recurrence.timezone}" if recurrence.timezone else ""
    return f"{words} at {clock_words(recurrence.minute)}{zone}"


def next_words(recurring: RecurringTopic, now: datetime, default_zone: ZoneInfo) -> str:
    """``next Mon 22:00, in 2 d 3 h``; ``switched off``; ``due now``."""
    if not recurring.is_enabled or recurring.next_at is None:
        return "switched off"
    if recurring.next_at <= now:
        return "due now"
    moment = moment_words(recurring.next_at, now, recurring.zone(default_zone))
    return f"next {moment}, in {duration_words(recurring.next_at - now)}"
