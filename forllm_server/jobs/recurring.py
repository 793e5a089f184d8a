"""Opening recurring topics when they are due, and asking about them.

One occurrence is one transaction: moving on to the next occurrence, the topic and its questions become true together
or not at all, so that neither a crash nor a second process at the same moment doubles or loses one.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from forllm_server import log
from forllm_server.db import Database
from forllm_server.errors import Conflict, ForllmError, Invalid, NotFound
from forllm_server.forum.topics import open_topic
from forllm_server.jobs.asking import Ask, ask
from forllm_server.schedule import recurring_store
from forllm_server.schedule.recurrence import RecurringTopic, catch_up, filled, next_occurrence
from forllm_server.schedule.recurring import correct_next_times, list_with_wrong_next_time
from forllm_server.settings.values import read_settings

#: what is kept of what went wrong
LONGEST_PROBLEM = 1000


@dataclass(frozen=True)
class Opened:
    """A topic that was opened, the LLM requests about it, and a sentence for each question that could not be asked."""

    topic_id: int
    llm_request_ids: tuple[int, ...]
    problems: tuple[str, ...]


def run_due(database: Database, now: datetime) -> int:
    """Open all that is due at ``now``. Returns how many topics were opened.

    It may be called by any number of processes at once.
    """
    with database.read() as connection:
        is_wrong = bool(list_with_wrong_next_time(connection, now))
        due = recurring_store.list_due_ids(connection, now)
    if is_wrong:
        with database.transaction() as connection:
            correct_next_times(connection, now)
    return sum(_run(database, recurring_id, now) for recurring_id in due)


def open_now(connection: Connection, recurring_id: int, now: datetime) -> Opened:
    """Open one as if ``now`` were an occurrence; when it is due stays as it is. Raises NotFound, or Conflict (its
    subforum is in the trash)."""
    recurring = recurring_store.get_recurring_topic_to_change(connection, recurring_id)
    try:
        opened = _open(connection, recurring, now, now)
    except NotFound as error:
        raise Conflict("Its subforum is in the trash. Restore it, or choose another one.") from error
    recurring_store.update_opened(connection, recurring, topic_id=opened.topic_id, problem=_joined(opened.problems))
    return opened


def _run(database: Database, recurring_id: int, now: datetime) -> int:
    """All that one has due. What cannot be opened for a reason of its own keeps no other one waiting."""
    opened = 0
    notes: list[str] = []
    try:
        while True:
            with database.transaction() as connection:
                is_more = _open_next(connection, recurring_id, now, notes)
            if not is_more:
                return opened
            opened += 1
    except ForllmError as error:
        log.event("recurring_topic.failed", level=log.WARNING, recurring_topic=recurring_id, detail=error.message)
        return opened


def _open_next(connection: Connection, recurring_id: int, now: datetime, notes: list[str]) -> bool:
    """Deal with the oldest occurrence that is due. Whether a topic was opened, so that more may be due.

    ``notes`` are the problems of this round so far, which a later occurrence of the round must not wipe out.
    """
    recurring = recurring_store.find_due_to_change(connection, recurring_id, now)
    if recurring is None or recurring.next_at is None:
        return False
    zone = recurring.zone(read_settings(connection).zone)
    found = catch_up(recurring, zone, recurring.missed, recurring.next_at, now)
    if found.passed_over:
        notes.append(_passed_over_words(found.passed_over))
        log.event("recurring_topic.passed_over", recurring_topic=recurring.id, occurrences=found.passed_over)
    after_all = next_occurrence(recurring, zone, now)
    if not found.due:
        recurring_store.update_passed_over(connection, recurring.id, after_all, problem=_joined(notes))
        return False
    next_at = found.due[1] if len(found.due) > 1 else after_all
    if not recurring_store.update_occurrence(connection, recurring, occurrence=found.due[0], next_at=next_at):
        return False
    return _open_occurrence(connection, recurring, found.due[0], now, notes)


def _open_occurrence(
    connection: Connection, recurring: RecurringTopic, occurrence: datetime, now: datetime, notes: list[str]
) -> bool:
    try:
        opened = _open(connection, recurring, occurrence, now)
    except (NotFound, Invalid) as error:
        # Nothing is written before these are raised.
        recurring_store.update_disabled(connection, recurring.id, problem=f"It was switched off. {error.message}")
        log.event("recurring_topic.disabled", level=log.WARNING, recurring_topic=recurring.id, detail=error.message)
        return False
    notes.extend(problem for problem in opened.problems if problem not in notes)
    recurring_store.update_opened(connection, recurring, topic_id=opened.topic_id, problem=_joined(notes))
    return True


def _open(connection: Connection, recurring: RecurringTopic, occurrence: datetime, now: datetime) -> Opened:
    """The topic with its questions. Raises NotFound (the subforum) or Invalid before anything is written."""
    local = occurrence.astimezone(recurring.zone(read_settings(connection).zone))
    number = recurring.opened_count + 1
    topic, post = open_topic(
        connection,
        owner_id=recurring.owner_id,
        subforum_id=recurring.subforum_id,
        title=filled(recurring.title, local, number),
        content=filled(recurring.content, local, number),
        now=now,
    )
    asked: list[int] = []
    problems: list[str] = []
    for wish in recurring.asks:
        question = Ask(owner_id=recurring.owner_id, post_id=post.id, persona_id=wish.persona_id, model_id=wish.model_id)
        try:
            asked.append(ask(connection, question, now).request.id)
        except (NotFound, Invalid) as error:
            problems.append(f"A question could not be asked. {error.message}")
    log.event(
        "recurring_topic.opened",
        recurring_topic=recurring.id,
        topic=topic.id,
        llm_requests=len(asked),
        refused=len(problems),
    )
    return Opened(topic.id, tuple(dict.fromkeys(asked)), tuple(dict.fromkeys(problems)))


def _passed_over_words(number: int) -> str:
    if number == 1:
        return "One occurrence was passed over: FORLLM was not running then."
    return f"{number} occurrences were passed over: FORLLM was not running then."


def _joined(problems: list[str] | tuple[str, ...]) -> str | None:
    return " ".join(problems)[:LONGEST_PROBLEM] or None
