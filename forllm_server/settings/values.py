"""The settings as typed values, and the one way to change them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, cast
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from forllm_server.errors import Invalid
from forllm_server.settings.fields import FIELDS, FIELDS_BY_NAME, Field, Kind, Value
from forllm_server.settings.settings_store import delete_setting, list_settings, update_setting
from forllm_server.settings.texts import program_names
from forllm_server.settings.zones import is_zone, zone_or_machine

#: the largest id a database column holds
MAX_ID = 2**63 - 1


@dataclass(frozen=True)
class Settings:
    """Every setting of :data:`FIELDS`, stored or default."""

    default_model_id: int | None
    default_persona_id: int
    default_context_tokens: int
    reply_max_tokens: int
    temperature: float | None
    custom_instructions: str
    judge_persona_id: int | None
    summaries: Literal["auto", "on", "off"]
    ambient: Literal["off", "newest", "nearest"]
    ambient_posts: int
    ambient_posts_per_branch: int
    ambient_percent: int
    timezone: str
    silence_seconds: int
    max_attempts: int
    digest: Literal["auto", "on", "off"]
    stall_minutes: int
    max_asked_at_once: int
    longest_chain: int
    max_waiting: int
    yields_cpu_percent: int | None
    yields_gpu_percent: int | None
    yields_to_programs: str
    busy_seconds: int
    quiet_minutes: int
    keeps_awake: bool
    command_before_window: str
    command_after_window: str
    meter_command: str
    estimated_watts: float | None
    price_per_kilowatt_hour: float | None
    currency: str
    attachment_megabytes: int
    attachments_per_post: int
    attachments_total_megabytes: int
    posts_per_page: int
    topics_per_page: int
    theme: Literal["auto", "light", "dark", "contrast", "soft", "own"]
    density: Literal["comfortable", "compact"]
    text_size: Literal["small", "normal", "large", "larger", "largest"]
    has_keys: bool
    thread_view: Literal["tree", "flat"]
    shows_link_warning: bool
    #: names whose stored value cannot be used, so that the default stands in; for the page and for ``doctor``
    unusable: tuple[str, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        """The time zone to show times in and to read the schedule in."""
        return zone_or_machine(self.timezone)

    @property
    def programs(self) -> tuple[str, ...]:
        """The names of the programs to make way for."""
        return program_names(self.yields_to_programs)

    def as_dict(self) -> dict[str, Value]:
        """Name to value, in the order of :data:`FIELDS`: for forms and JSON."""
        return {field.name: cast(Value, getattr(self, field.name)) for field in FIELDS}


#: the attributes of Settings that are settings
SETTING_NAMES = tuple(field.name for field in fields(Settings) if field.name != "unusable")


def read_settings(connection: Connection) -> Settings:
    """All settings. A stored value that cannot be used (older version, edited by hand) gives way to the default
    and is named in ``unusable``: a forum with one odd setting still opens."""
    return settings_from(list_settings(connection))


def settings_from(stored: Mapping[str, Any]) -> Settings:
    """:class:`Settings` from stored values by name; unknown names are ignored."""
    values: dict[str, Any] = {field.name: field.default for field in FIELDS}
    unusable = []
    for name in values.keys() & stored.keys():
        try:
            values[name] = check_value(FIELDS_BY_NAME[name], stored[name])
        except Invalid:
            unusable.append(name)
    return Settings(**values, unusable=tuple(sorted(unusable)))


def change_settings(connection: Connection, changes: Mapping[str, Any], now: datetime) -> Settings:
    """Check all of ``changes`` (JSON values by name), then store them; the settings as they are now.

    Raises :class:`Invalid` with ``field`` naming the first one that will not do; nothing is stored then.
    """
    checked = {name: check_value(get_field(name), value) for name, value in changes.items()}
    for name, value in checked.items():
        update_setting(connection, name, value, now=now)
    return read_settings(connection)


def reset_settings(connection: Connection, names: list[str]) -> Settings:
    """Put settings back to their defaults."""
    for name in names:
        delete_setting(connection, get_field(name).name)
    return read_settings(connection)


def get_field(name: str) -> Field:
    """The field of that name, or :class:`Invalid`."""
    if name not in FIELDS_BY_NAME:
        raise Invalid(f"There is no setting called “{name[:60]}”.", field=name[:60])
    return FIELDS_BY_NAME[name]


def value_from_form(name: str, text: str | None) -> Value:
    """What a form's field means: ``None`` (an unticked box sends nothing) and empty text included.

    Only reads; :func:`change_settings` checks. Text that is no number stays text and is refused there.
    """
    field = get_field(name)
    if field.kind is Kind.BOOLEAN:
        return text is not None and text.strip().lower() not in ("", "0", "false", "off", "no")
    text = (text or "").strip()
    if not text and field.is_optional:
        return None
    if field.kind in (Kind.CHOICE, Kind.TIMEZONE, Kind.TEXT):
        return text
    return _number(text)


def check_value(field: Field, value: Any) -> Value:
    """``value`` when it fits the field, else :class:`Invalid` saying what would."""
    if value is None and field.is_optional:
        return None
    if field.kind is Kind.BOOLEAN:
        return _demand(field, isinstance(value, bool), "must be true or false", value)
    if field.kind is Kind.CHOICE:
        return _demand(field, value in field.choices, "must be one of " + ", ".join(field.choices), value)
    if field.kind is Kind.TEXT:
        return _check_text(field, value)
    if field.kind is Kind.TIMEZONE:
        is_good = isinstance(value, str) and (value == "" or is_zone(value))
        return _demand(field, is_good, "must be an IANA time zone such as Europe/Berlin, or empty", value)
    if field.kind in (Kind.MODEL, Kind.PERSONA):
        is_good = type(value) is int and 1 <= value <= MAX_ID
        return _demand(field, is_good, f"must be the id of a {field.kind.value}", value)
    return _demand(field, _is_in_range(field, value), _range_words(field), value)


def _check_text(field: Field, value: Any) -> Value:
    text = value.strip().replace("\r\n", "\n").replace("\r", "\n") if isinstance(value, str) else ""
    # A line break, or what no database column of text holds.
    is_good = isinstance(value, str) and len(text) <= field.longest and (field.has_lines or text.isprintable())
    what = "a text" if field.has_lines else "one line"
    _demand(field, is_good, f"must be {what} of up to {field.longest:,} characters", value)
    if field.check is not None:
        field.check(text, field.name)
    return text


def _demand(field: Field, is_good: bool, demand: str, value: Any) -> Value:
    if not is_good:
        raise Invalid(f"{field.label} {demand}.", field=field.name)
    return cast(Value, value)


def _is_in_range(field: Field, value: Any) -> bool:
    # bool is an int to Python, but `true` is no number of posts
    is_number = type(value) is int or (type(value) is float and field.kind is Kind.NUMBER and math.isfinite(value))
    if not is_number:
        return False
    is_high_enough = field.minimum is None or value >= field.minimum
    return is_high_enough and (field.maximum is None or value <= field.maximum)


def _range_words(field: Field) -> str:
    words = "must be a whole number" if field.kind is Kind.INTEGER else "must be a number"
    if field.minimum is not None and field.maximum is not None:
        words += f" from {field.minimum:,} to {field.maximum:,}"
    if field.unit:
        words += f" {field.unit}"
    return words + (", or empty" if field.is_optional else "")


def _number(text: str) -> Value:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text
