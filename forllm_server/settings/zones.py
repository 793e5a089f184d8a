"""Time zones by their IANA names, and the machine's own."""

import warnings
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import tzlocal


@cache
def zone_names() -> frozenset[str]:
    """Every IANA zone name this machine knows, e.g. ``Europe/Berlin``."""
    return frozenset(available_timezones())


def is_zone(name: str) -> bool:
    return name in zone_names()


@cache
def machine_zone() -> ZoneInfo:
    """The time zone this machine is set to; UTC when it does not say."""
    with warnings.catch_warnings():
        # A machine without a configured zone is no news to the person who asks for it: it is shown on the page.
        warnings.simplefilter("ignore")
        try:
            return tzlocal.get_localzone()
        except (ZoneInfoNotFoundError, OSError, ValueError):
            return ZoneInfo("UTC")


def zone_or_machine(name: str | None) -> ZoneInfo:
    """The named zone; the machine's for an empty or unknown name."""
    return ZoneInfo(name) if name and is_zone(name) else machine_zone()
