"""How long the queue can be paused from the page. Pure."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

#: A noon that is nearer than this is still this morning's doing, not a way past the night.
_NIGHT = timedelta(hours=6)


def pause_choices(now: datetime, zone: ZoneInfo) -> list[tuple[str, str]]:
    """(value, label) of each length; see :func:`pause_end`."""
    tomorrow = pause_end("tomorrow", now, zone)
    is_today = tomorrow is not None and tomorrow.astimezone(zone).date() == now.astimezone(zone).date()
    return [
        ("hour", "For an hour"),
        ("tomorrow", "Until noon" if is_today else "Until tomorrow noon"),
        ("resumed", "Until I resume"),
    ]


def pause_end(length: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    """When a pause of that length ends; None: not by itself. "tomorrow" is the noon after the night that is next."""
    if length == "hour":
        return now + timedelta(hours=1)
    if length == "resumed":
        return None
    local = now.astimezone(zone)
    noon = datetime.combine(local.date(), time(12), zone)
    return noon if noon - now > _NIGHT else datetime.combine(local.date() + timedelta(days=1), time(12), zone)
