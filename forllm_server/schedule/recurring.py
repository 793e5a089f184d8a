"""Changing recurring topics: every rule about what one may be, with words for what may not."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from forllm_server.errors import Invalid, TooLarge
from forllm_server.markup.names import MAX_TEXT_BYTES, clean_name, clean_text
from forllm_server.schedule import recurring_store
from forllm_server.schedule.recurrence import (
    Missed,
    Recurrence,
    RecurringDraft,
    RecurringTopic,
    TopicAsk,
    filled,
    is_next_right,
    next_occurrence,
)
from forllm_server.schedule.windows import DAYS, MINUTES_OF_DAY
from forllm_server.settings.values import MAX_ID, read_settings
from forllm_server.settings.zones import is_zone

#: enough for anybody; every one that is due is looked at several times a minute
MAX_RECURRING_TOPICS = 100
#: how many one topic asks: each is an answer to be computed, and that every week
MAX_ASKS = 20
#: what a topic's title may have (forum/topics.py)
TITLE_MAX_CHARS = 200
#: A Wednesday and a number as long as any: no occurrence is longer than this one.
_LONGEST = (datetime(2026, 12, 30, 22, 30), 999_999)


def new_recurring_topic(
    *,
    subforum_id: int,
    title: str,
    content: str,
    days: Iterable[str],
    minute: int,
    asks: Iterable[TopicAsk] = (),
    timezone: str | None = None,
    missed: str = Missed.LATEST,
    is_enabled: bool = True,
) -> RecurringDraft:
    """A recurring topic from what a form or a program gave; :class:`Invalid` names the field that will not do.

    An empty time zone is the forum's. Whether subforum, personas and models are there is seen when it is stored.
    """
    clean_title = clean_name(title, field="title", max_chars=TITLE_MAX_CHARS)
    clean_name(filled(clean_title, *_LONGEST), field="title", max_chars=TITLE_MAX_CHARS)
    clean_content = clean_text(content, field="content")
    clean_text(filled(clean_content, *_LONGEST), field="content", max_chars=MAX_TEXT_BYTES)
    return RecurringDraft(
        subforum_id=subforum_id,
        title=clean_title,
        content=clean_content,
        days=_checked_days(days),
        minute=_checked_minute(minute),
        asks=_checked_asks(asks),
        timezone=_checked_zone(timezone),
        missed=_checked_missed(missed),
        is_enabled=is_enabled,
    )


def add_recurring_topic(
    connection: Connection, draft: RecurringDraft, *, owner_id: int, now: datetime
) -> RecurringTopic:
    """Add one. Its first occurrence is the first after ``now``."""
    if recurring_store.count_recurring_topics(connection) >= MAX_RECURRING_TOPICS:
        raise TooLarge(f"There are {MAX_RECURRING_TOPICS} recurring topics already. Delete one first.")
    _check_subforum(connection, draft.subforum_id)
    _check_asks(connection, draft.asks)
    next_at = _next(connection, draft, now) if draft.is_enabled else None
    return recurring_store.insert_recurring_topic(connection, draft, next_at=next_at, owner_id=owner_id, now=now)


def change_recurring_topic(
    connection: Connection, recurring_id: int, draft: RecurringDraft, now: datetime
) -> RecurringTopic:
    """Put ``draft`` in the place of a stored one. What is due already stays due unless its times are changed.

    Raises NotFound, or Invalid for a subforum, persona or model that is not there. One that was chosen before and is
    gone since may stay, but not the subforum of one that is switched on.
    """
    before = recurring_store.get_recurring_topic_to_change(connection, recurring_id)
    if draft.is_enabled or draft.subforum_id != before.subforum_id:
        _check_subforum(connection, draft.subforum_id)
    _check_asks(connection, [ask for ask in draft.asks if ask not in before.asks])
    next_at = before.next_at
    if not draft.is_enabled:
        next_at = None
    elif next_at is None or _times(draft) != _times(before):
        next_at = _next(connection, draft, now)
    recurring_store.update_draft(connection, recurring_id, draft, next_at=next_at)
    return recurring_store.get_recurring_topic(connection, recurring_id)


def enable_recurring_topic(connection: Connection, recurring_id: int, now: datetime) -> RecurringTopic:
    """Switch one on: its next occurrence is the first after ``now``. Raises NotFound or Invalid (subforum_id)."""
    before = recurring_store.get_recurring_topic_to_change(connection, recurring_id)
    if not before.is_enabled:
        _check_subforum(connection, before.subforum_id)
        draft = RecurringDraft(**(_decided(before) | {"is_enabled": True}))
        recurring_store.update_draft(connection, recurring_id, draft, next_at=_next(connection, draft, now))
    return recurring_store.get_recurring_topic(connection, recurring_id)


def disable_recurring_topic(connection: Connection, recurring_id: int) -> RecurringTopic:
    """Switch one off. Its occurrences until it is switched on again are not missed: they do not exist."""
    before = recurring_store.get_recurring_topic_to_change(connection, recurring_id)
    if before.is_enabled:
        recurring_store.update_disabled(connection, recurring_id, problem=None)
    return recurring_store.get_recurring_topic(connection, recurring_id)


def delete_recurring_topic(connection: Connection, recurring_id: int) -> None:
    """Delete one. The topics that it opened stay. Raises NotFound."""
    recurring_store.delete_recurring_topic(connection, recurring_id)


def changed_draft(before: RecurringTopic, changes: dict[str, Any]) -> RecurringDraft:
    """``before`` with some fields changed, checked like a new one."""
    return new_recurring_topic(**(_decided(before) | changes))


def correct_next_times(connection: Connection, now: datetime) -> int:
    """Work out anew when those are due whose time zone, or the clock, has changed since; how many were wrong."""
    default_zone = read_settings(connection).zone
    corrected = 0
    for recurring in list_with_wrong_next_time(connection, now):
        next_at = next_occurrence(recurring, recurring.zone(default_zone), now)
        recurring_store.update_next(connection, recurring.id, next_at)
        corrected += 1
    return corrected


def list_with_wrong_next_time(connection: Connection, now: datetime) -> list[RecurringTopic]:
    """The enabled ones whose next occurrence is no longer at the time that was worked out."""
    default_zone = read_settings(connection).zone
    return [
        recurring
        for recurring in recurring_store.list_recurring_topics(connection, is_enabled=True)
        if recurring.next_at is None
        or not is_next_right(recurring, recurring.zone(default_zone), recurring.next_at, now)
    ]


def _next(connection: Connection, recurrence: Recurrence, now: datetime) -> datetime:
    return next_occurrence(recurrence, recurrence.zone(read_settings(connection).zone), now)


def _times(recurrence: Recurrence) -> tuple[frozenset[str], int, str | None]:
    return recurrence.days, recurrence.minute, recurrence.timezone


def _decided(recurring: RecurringTopic) -> dict[str, Any]:
    return {name: getattr(recurring, name) for name in RecurringDraft.__dataclass_fields__}


def _checked_days(days: Iterable[str]) -> frozenset[str]:
    chosen = list(days)
    if not chosen:
        raise Invalid("Choose at least one day.", field="days")
    if unknown := [day for day in chosen if day not in DAYS]:
        raise Invalid(f"“{str(unknown[0])[:20]}” is no day: use {', '.join(DAYS)}.", field="days")
    return frozenset(chosen)


def _checked_minute(minute: int) -> int:
    if not 0 <= minute < MINUTES_OF_DAY:
        raise Invalid("The time must be from 00:00 to 23:59.", field="minute")
    return minute


def _checked_zone(name: str | None) -> str | None:
    if name and not is_zone(name):
        raise Invalid(f"“{name[:60]}” is no time zone: use an IANA name such as Europe/Berlin.", field="timezone")
    return name or None


def _checked_missed(value: str) -> Missed:
    try:
        return Missed(value)
    except ValueError as error:
        allowed = ", ".join(missed.value for missed in Missed)
        raise Invalid(f"“{str(value)[:20]}” is not possible here: use {allowed}.", field="missed") from error


def _checked_asks(asks: Iterable[TopicAsk]) -> tuple[TopicAsk, ...]:
    # the same asked twice would be one question, like a double click
    chosen = tuple(dict.fromkeys(asks))
    if len(chosen) > MAX_ASKS:
        raise Invalid(f"A topic can ask {MAX_ASKS} at most.", field="ask")
    return chosen


def _check_subforum(connection: Connection, subforum_id: int) -> None:
    # a number no column can hold must not reach the database, which would answer with an error of its own
    if not (0 < subforum_id <= MAX_ID and recurring_store.has_subforum(connection, subforum_id)):
        raise Invalid("There is no such subforum. Restore it from the trash, or choose another.", field="subforum_id")


def _check_asks(connection: Connection, asks: Iterable[TopicAsk]) -> None:
    for ask in asks:
        persona_id, model_id = ask.persona_id, ask.model_id
        if persona_id is not None and not (
            0 < persona_id <= MAX_ID and recurring_store.has_persona(connection, persona_id)
        ):
            raise Invalid("There is no such persona. It may have been deleted.", field="ask")
        if model_id is not None and not (0 < model_id <= MAX_ID and recurring_store.has_model(connection, model_id)):
            raise Invalid("There is no such model. Choose another one.", field="ask")
