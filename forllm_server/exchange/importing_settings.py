"""The schedule and the settings of an original FORLLM, as far as they exist here."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from forllm_server.errors import Invalid
from forllm_server.exchange.importing_answers import find_model_named
from forllm_server.exchange.ledger import Ledger
from forllm_server.exchange.original_model import OriginalForum, OriginalWindow
from forllm_server.schedule.planning import add_window, new_window
from forllm_server.schedule.windows import DAYS, Window
from forllm_server.settings.fields import Value
from forllm_server.settings.settings_store import list_settings
from forllm_server.settings.values import change_settings


def import_schedule(connection: Connection, forum: OriginalForum, ledger: Ledger) -> None:
    """Add the original's hours as windows, a night belonging to the day it begins on."""
    for window in forum.windows:
        if ledger.is_known("schedule_window", window.id):
            continue
        with ledger.item(connection, "schedule_window"):
            added = add_window(connection, _window(window), owner_id=ledger.owner_id, now=ledger.now)
            ledger.add(connection, "schedule_window", window.id, added.id)
            if 0 < window.end_hour < window.start_hour:
                ledger.note(
                    "A window over midnight runs on into the morning after each of its days; "
                    "the original took the early hours from the same day."
                )


def _window(window: OriginalWindow) -> Window:
    days = [day for day in DAYS if day in {name.strip().lower()[:3] for name in window.days.split(",")}]
    return new_window(
        days=days,
        start_minute=window.start_hour * 60,
        # equal hours are the whole day, in the original as here
        end_minute=window.end_hour * 60,
        is_enabled=window.is_enabled,
    )


@dataclass(frozen=True)
class _Counterpart:
    """A setting here and how its value is read from the original's text; None: not to be taken over."""

    name: str
    read: Callable[[Connection, str, Ledger], Value]


def import_settings(connection: Connection, forum: OriginalForum, ledger: Ledger) -> None:
    """Take over what was never set here. Each setting is looked at once: a later change here stays."""
    set_here = list_settings(connection)
    for key, value in forum.settings.items():
        counterpart = _COUNTERPARTS.get(key)
        if counterpart is None:
            ledger.note(f"The setting {key[:60]} has no counterpart here.")
            continue
        kind = f"setting {counterpart.name}"
        if ledger.is_known(kind, 0) or counterpart.name in set_here:
            continue
        read = counterpart.read(connection, value, ledger)
        if read is None:
            ledger.note(f"The setting {key}, “{value[:60]}”, could not be taken over: choose {counterpart.name} here.")
            continue
        try:
            change_settings(connection, {counterpart.name: read}, ledger.now)
        except Invalid as error:
            ledger.note(f"The setting {key} could not be taken over: {error.message}")
            continue
        ledger.add(connection, kind, 0, 0)


def _model(connection: Connection, value: str, ledger: Ledger) -> Value:
    del ledger
    model = find_model_named(connection, value)
    return model.id if model else None


def _persona(connection: Connection, value: str, ledger: Ledger) -> Value:
    del connection
    return ledger.find("persona", int(value)) if value.isdecimal() else None


def _whole(connection: Connection, value: str, ledger: Ledger) -> Value:
    del connection, ledger
    return int(value) if value.isdecimal() else None


def _rest(connection: Connection, value: str, ledger: Ledger) -> Value:
    """The original names the thread's share, as a part of 1; what is left is for the other branches."""
    del connection, ledger
    try:
        share = float(value)
    except ValueError:
        return None
    return round(100 * (1 - share)) if 0 <= share <= 1 else None


def _flag(connection: Connection, value: str, ledger: Ledger) -> Value:
    del connection, ledger
    return {"true": True, "false": False}.get(value.lower())


def _theme(connection: Connection, value: str, ledger: Ledger) -> Value:
    del connection, ledger
    return {"theme-hc-black": "dark", "theme-silvery": "light"}.get(value)


_COUNTERPARTS = {
    "selectedModel": _Counterpart("default_model_id", _model),
    "default_llm_context_window": _Counterpart("default_context_tokens", _whole),
    "llmLinkSecurity": _Counterpart("shows_link_warning", _flag),
    "theme": _Counterpart("theme", _theme),
    "ch_max_ambient_posts": _Counterpart("ambient_posts", _whole),
    "ch_max_posts_per_sibling_branch": _Counterpart("ambient_posts_per_branch", _whole),
    "ch_primary_history_budget_ratio": _Counterpart("ambient_percent", _rest),
    "globalDefaultPersonaId": _Counterpart("default_persona_id", _persona),
}
