"""What belongs to the end of a night: keeping its hours and pauses, asking for gists, and telling that it is over.

Called every few seconds, by any number of processes at once; what must happen once is a row that one of them writes.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from forllm_server import clock, log
from forllm_server.db import Database
from forllm_server.errors import ForllmError
from forllm_server.hooks.telling import tell_hooks
from forllm_server.jobs import digest
from forllm_server.jobs.stalls import Stall, StallWatch
from forllm_server.morning import night_store, report_store, words
from forllm_server.morning.model import Night, Report
from forllm_server.morning.nights import is_done, latest_day
from forllm_server.morning.report import read_hours, read_nights, read_report
from forllm_server.notify import delivery_store
from forllm_server.notify.delivering import Compose, compose, forget_old, send_due, tell
from forllm_server.notify.model import Channel, Message, Occasion
from forllm_server.queue.model import Pause, Status
from forllm_server.queue.pause_store import list_pauses
from forllm_server.settings.values import read_settings

_MOST_LINES = 40


class Nightfall:
    """One per process."""

    def __init__(self, database: Database, secret_key: bytes) -> None:
        self._database = database
        self._secret_key = secret_key
        self._stalls = StallWatch()

    def tend(self, now: datetime) -> bool:
        """One round of everything. Returns whether LLM requests were queued, so that workers should look."""
        with self._database.read() as connection:
            night = _night(connection, now)
            kept = night_store.list_nights(connection, night.day, night.day).get(night.day)
            has_news = _has_pause_news(connection, now)
            is_closed = night_store.is_closed(connection, night.day)
            live = report_store.count_live(connection, leaving_out=(digest.NAME,))
            every = report_store.count_live(connection, leaving_out=())
        if kept != night or has_news:
            with self._database.transaction() as connection:
                _keep(connection, night, now)
        has_work = any(live.values())
        asked = 0 if is_closed else self._ask(night, now, has_work=has_work)
        is_running = bool(every.get(Status.RUNNING))
        is_work_left = bool(asked) or any(every.values())
        if not is_closed and is_done(night, now, is_work_left=is_work_left, is_running=is_running):
            self._close(night, now)
        self._attempt(lambda: self._tell_stalls(night, now))
        self._send(now)
        return asked > 0

    def _ask(self, night: Night, now: datetime, *, has_work: bool) -> int:
        if not digest.is_time(night, now, has_work=has_work):
            return 0
        with self._database.transaction() as connection:
            return digest.ask(connection, night, now, has_work=has_work)

    def _close(self, night: Night, now: datetime) -> None:
        with self._database.transaction() as connection:
            if not night_store.update_closed(connection, night.day, now):
                return
            digest.call_off(connection, night.day, now)
            report = read_report(connection, night.day, now)
            told = 0 if report.is_empty else tell(connection, Occasion.NIGHT, _about(report), now)
            figures = report.figures
            facts = {"answered": figures.answered, "failed": figures.failed, "waiting": report.waiting}
            tell_hooks(connection, "night.over", {"day": night.day.isoformat(), **facts}, now)
            forget_old(connection, now)
        log.event("night.closed", day=night.day.isoformat(), answered=report.figures.answered, told=told)

    def _tell_stalls(self, night: Night, now: datetime) -> None:
        with self._database.read() as connection:
            after = timedelta(minutes=read_settings(connection).stall_minutes)
            stalls = self._stalls.look(connection, night.day, now, after=after)
        for stall in stalls:
            with self._database.transaction() as connection:
                told = tell(connection, Occasion.STALL, _about_stall(stall), now)
            if told:
                log.event("stall.told", level=log.WARNING, detail=stall.sentence, told=told)

    def _send(self, now: datetime) -> None:
        with self._database.read() as connection:
            is_due = delivery_store.has_due(connection, now)
        if is_due:
            send_due(self._database, self._secret_key, clock.now())

    def _attempt(self, duty: Callable[[], None]) -> None:
        """A look that fails is done again at the next round; it must not keep messages from being sent."""
        try:
            duty()
        except (ForllmError, SQLAlchemyError) as error:
            log.event("nightfall.duty_failed", level=log.WARNING, detail=str(error))


def _night(connection: Connection, now: datetime) -> Night:
    """The night that is under way or was the last one; one that is over stays as it was kept."""
    plan, backend_ids = read_hours(connection, now)
    day = latest_day(plan, backend_ids, now)
    kept = night_store.list_nights(connection, day, day).get(day)
    if kept is not None and now >= kept.counts_until:
        return kept
    before = night_store.list_nights(connection, day - timedelta(days=1), day - timedelta(days=1))
    return read_nights(connection, day, day, plan, backend_ids, known=before)[0]


def _has_pause_news(connection: Connection, now: datetime) -> bool:
    holding = _holding(connection, now)
    seen = {(each.scope, each.began_at) for each in night_store.list_open_pauses(connection)}
    return seen != {(scope, each.created_at) for scope, each in holding.items()}


def _keep(connection: Connection, night: Night, now: datetime) -> None:
    night_store.replace_night(connection, night)
    every, holding = list_pauses(connection), _holding(connection, now)
    night_store.insert_pauses(connection, holding)
    for record in night_store.list_open_pauses(connection):
        held = holding.get(record.scope)
        if held is None or held.created_at != record.began_at:
            # One that was to last until a time ended then, and not when it was noticed.
            known = every.get(record.scope)
            until = known.until if known and known.created_at == record.began_at else None
            night_store.update_pause_ended(connection, record, min(until or now, now))


def _holding(connection: Connection, now: datetime) -> dict[int, Pause]:
    return {scope: each for scope, each in list_pauses(connection).items() if each.until is None or each.until > now}


def _about(report: Report) -> Compose:
    figures, day = report.figures, report.night.day
    gists = [f"{topic.title}: {topic.gist.line}" for topic in report.topics if topic.gist and topic.gist.is_written]
    values = {
        "day": day.isoformat(),
        "headline": words.headline(figures),
        "answered": f"{figures.answered:,}",
        "failed": f"{figures.failed:,}",
        "waiting": f"{report.waiting:,}",
        "topics": "\n".join(topic.title for topic in report.topics[:_MOST_LINES]),
        "gists": "\n".join(gists[:_MOST_LINES]),
        "worked": f"{words.seconds_words(figures.worked_seconds)} of work." if figures.worked_seconds else "",
        "tokens": f"{figures.completion_tokens:,}",
        "energy": f"{words.energy_words(figures.energy)}." if figures.energy else "",
        "cost": words.cost_words(figures.energy),
    }
    facts: dict[str, object] = {
        "day": day.isoformat(),
        "answered": figures.answered,
        "failed": figures.failed,
        "waiting": report.waiting,
        "topics": [{"id": topic.topic_id, "title": topic.title} for topic in report.topics],
        "completion_tokens": figures.completion_tokens,
        "worked_seconds": round(figures.worked_seconds, 1),
        "watt_hours": round(figures.energy.watt_hours, 3) if figures.energy else None,
        "is_energy_measured": figures.energy.is_measured if figures.energy else None,
    }

    def about(channel: Channel) -> Message:
        link = _link(channel, f"/morning/{day.isoformat()}")
        return compose(
            channel, Occasion.NIGHT, f"night:{day.isoformat()}", values | {"link": link}, facts | {"link": link}
        )

    return about


def _about_stall(stall: Stall) -> Compose:
    facts: dict[str, object] = {"what": stall.sentence, "since": stall.since.isoformat()}

    def about(channel: Channel) -> Message:
        link = _link(channel, "/queue?show=failed")
        text = {"headline": f"FORLLM has come to a stand. {stall.sentence.rstrip('.')}", "link": link}
        blank = dict.fromkeys(("worked", "energy", "cost"), "")
        return compose(channel, Occasion.STALL, stall.key, blank | text, facts | {"link": link})

    return about


def _link(channel: Channel, path: str) -> str:
    forum_url = str(channel.options.get("forum_url") or "")
    return f"{forum_url}{path}" if forum_url else ""
