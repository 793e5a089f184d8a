"""A night in words and figures, the same on the page and in messages. Pure."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from forllm_server.morning.model import Energy, Figures, Night, PauseRecord
from forllm_server.schedule.words import duration_words

_KILO = 1000.0


def day_words(day: date) -> str:
    """``Friday 20 November 2026``."""
    # The day without a leading zero: strftime's own way differs from system to system.
    return f"{day:%A} {day.day} {day:%B %Y}"


def month_words(day: date) -> str:
    """``November 2026``."""
    return f"{day:%B %Y}"


def clock_span(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    """``22:30–06:15``; with weekdays where it is more than a day."""
    begins, ends = start.astimezone(zone), end.astimezone(zone)
    if end - start > timedelta(hours=24):
        return f"{begins:%a %H:%M}–{ends:%a %H:%M}"
    return f"{begins:%H:%M}–{ends:%H:%M}"


def hours_words(night: Night, zone: ZoneInfo) -> str:
    """The hours of a night, or that it had none."""
    if night.begins_at is None or night.ends_at is None:
        return "no hours that night"
    if night.is_round_the_clock:
        return "open round the clock"
    return clock_span(night.begins_at, night.ends_at, zone)


def answered_words(figures: Figures) -> str:
    """``13 of 14 answered``, ``2 answered``, ``nothing answered``."""
    asked = figures.answered + figures.failed
    if not asked:
        return "nothing was asked"
    if figures.answered == asked:
        return f"{figures.answered:,} answered"
    return f"{figures.answered:,} of {asked:,} answered"


def headline(figures: Figures) -> str:
    """``13 of 14 answered, 1 failed``."""
    failed = f", {figures.failed:,} failed" if figures.failed else ""
    return f"{answered_words(figures)}{failed}"


def seconds_words(seconds: float) -> str:
    """``3 h 12``, ``40 s``; empty for no time at all."""
    if seconds <= 0:
        return ""
    return f"{max(1, round(seconds))} s" if seconds < 60 else duration_words(timedelta(seconds=seconds))


def energy_words(energy: Energy | None) -> str:
    """``0.71 kWh, measured``; empty when nothing is known."""
    if energy is None:
        return ""
    how = "measured" if energy.is_measured else "estimated"
    return f"{amount_words(energy.watt_hours)}, {how}"


def amount_words(watt_hours: float) -> str:
    """``0.71 kWh``, ``12.4 Wh``."""
    return f"{watt_hours / _KILO:.2f} kWh" if watt_hours >= 100 else f"{watt_hours:.1f} Wh"


def cost_words(energy: Energy | None) -> str:
    """``0.21 €``; empty where no price is told."""
    if energy is None:
        return ""
    return " + ".join(f"{cost:.2f} {currency}".strip() for currency, cost in sorted(energy.costs.items()))


def pause_words(pause: PauseRecord, now: datetime, zone: ZoneInfo) -> str:
    """``paused 23:41–00:55: GPU in use``."""
    end = clock_span(pause.began_at, pause.ended_at or now, zone) if pause.ended_at else ""
    when = end or f"since {pause.began_at.astimezone(zone):%H:%M}"
    return f"paused {when}: {pause.reason}" if pause.reason else f"paused {when}"
