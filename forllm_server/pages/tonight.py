"""The first sentence of the queue page, and what stands under it: how much there is, and when it will be done. Pure."""

from dataclasses import dataclass
from datetime import timedelta

from forllm_server.jobs.forecast import Forecast
from forllm_server.jobs.standing import pause_words
from forllm_server.pages.words import counted
from forllm_server.queue.model import Pause, Status
from forllm_server.schedule.gate import Gate
from forllm_server.schedule.words import duration_words, ending_words

_TONIGHT_HOURS = 24
_WORTH_SAYING_SECONDS = 60


@dataclass(frozen=True)
class Tonight:
    """``title``: the sentence. ``facts``: what is known besides. ``doubts``: what nobody knows, and why."""

    title: str
    facts: tuple[str, ...]
    doubts: str


def tonight(forecast: Forecast, gate: Gate, paused: Pause | None) -> Tonight:
    """What there is to say of the queue as a whole; ``paused``: the pause of the whole queue, if it holds."""
    number = sum(forecast.counts.get(status, 0) for status in (Status.QUEUED, Status.RUNNING, Status.WAITING))
    facts = tuple(filter(None, (_likely(forecast), _score(forecast), _work(forecast))))
    if not number:
        held = forecast.counts.get(Status.HELD, 0)
        return Tonight(f"Nothing is queued{f'; {held:,} on hold' if held else ''}", (), "")
    title = f"{counted(number, 'reply', 'replies')}{_done(forecast)}"
    if paused is not None:
        words = pause_words(paused, forecast.at, forecast.zone)
        title = f"{words.partition(': ')[0]}: {title}"
        facts = (*filter(None, (paused.reason,)), *facts)
    elif _is_tonight(forecast, gate) and "tomorrow" not in title:
        title = f"Tonight: {title}"
    return Tonight(title, facts, _doubts(forecast, number, paused))


def _done(forecast: Forecast) -> str:
    found = forecast.all_done_by
    return f", done by {ending_words(found.middle_at, forecast.at, forecast.zone)}" if found else ""


def _likely(forecast: Forecast) -> str:
    found = forecast.all_done_by
    if found is None:
        return ""
    low, high = (ending_words(at, forecast.at, forecast.zone) for at in (found.low_at, found.high_at))
    return "" if low == high else f"likely {low}–{high}"


def _score(forecast: Forecast) -> str:
    score = forecast.score
    if not score.counted:
        return ""
    return f"{score.hits:,} of the last {score.counted:,} were done when foretold"


def _work(forecast: Forecast) -> str:
    """How long the machines work in all, where that is more than a moment."""
    if forecast.machine_seconds < _WORTH_SAYING_SECONDS:
        return ""
    return f"{duration_words(timedelta(seconds=forecast.machine_seconds))} of work"


def _is_tonight(forecast: Forecast, gate: Gate) -> bool:
    """Whether it all waits for an opening within a day, or for the end of one that has begun."""
    backend_ids: list[int | None] = list(dict.fromkeys(each.backend_id for each in forecast.plan)) or [None]
    if any(gate.is_always_open(each) for each in backend_ids):
        return False
    if any(gate.is_open(each) for each in backend_ids):
        local = forecast.at.astimezone(forecast.zone)
        return local.hour >= 18 or local.hour < 6
    openings = [gate.next_opening(each) for each in backend_ids]
    return any(each is not None and each - forecast.at < timedelta(hours=_TONIGHT_HOURS) for each in openings)


def _doubts(forecast: Forecast, number: int, paused: Pause | None) -> str:
    if not forecast.unknown_count:
        return ""
    if paused is not None and paused.until is None:
        return "Nobody knows when they are done before the queue is resumed."
    known = forecast.known_done_by
    if known is None or forecast.unknown_count >= number:
        return "When they are done is unknown until one reply has finished."
    at = ending_words(known.middle_at, forecast.at, forecast.zone)
    rest = f"of the other {forecast.unknown_count:,} nothing is known until one reply of their model has finished."
    return f"{number - forecast.unknown_count:,} of them done by {at}; {rest}"
