from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
import tzlocal

from forllm_server.db import Database
from forllm_server.errors import Invalid
from forllm_server.settings.fields import FIELDS, FIELDS_BY_NAME, Kind
from forllm_server.settings.reference import settings_page
from forllm_server.settings.settings_store import (
    find_stamped,
    list_settings,
    update_if_unchanged,
    update_setting,
)
from forllm_server.settings.values import (
    SETTING_NAMES,
    change_settings,
    check_value,
    read_settings,
    reset_settings,
    settings_from,
    value_from_form,
)
from forllm_server.settings.zones import is_zone, machine_zone, zone_or_machine

ROOT = Path(__file__).resolve().parents[2]


def test_every_row_of_the_table_is_an_attribute_and_the_other_way_round() -> None:
    assert tuple(field.name for field in FIELDS) == SETTING_NAMES
    assert len(FIELDS_BY_NAME) == len(FIELDS)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_default_passes_its_own_check(field: Any) -> None:
    assert check_value(field, field.default) == field.default
    assert field.help.endswith(".")
    assert field.label


def test_a_new_forum_has_the_defaults(database: Database) -> None:
    with database.read() as connection:
        settings = read_settings(connection)
    assert settings.as_dict() == {field.name: field.default for field in FIELDS}
    assert settings.unusable == ()
    assert settings.silence_seconds == 600


def test_changed_settings_are_kept_and_can_be_changed_again(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        change_settings(connection, {"theme": "dark", "temperature": 0.5, "shows_link_warning": False}, now)
    with database.transaction() as connection:
        changed = change_settings(connection, {"theme": "light", "temperature": None}, now)
    with database.read() as connection:
        assert read_settings(connection) == changed
    assert (changed.theme, changed.temperature, changed.shows_link_warning) == ("light", None, False)


def test_a_setting_goes_back_to_its_default(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        change_settings(connection, {"posts_per_page": 20, "theme": "dark"}, now)
        settings = reset_settings(connection, ["posts_per_page", "density"])
        assert list_settings(connection) == {"theme": "dark"}
    assert (settings.posts_per_page, settings.theme) == (50, "dark")


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("posts_per_page", 0),
        ("posts_per_page", 201),
        ("posts_per_page", 10**400),
        ("posts_per_page", 50.0),
        ("posts_per_page", True),
        ("posts_per_page", "50"),
        ("posts_per_page", None),
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("temperature", float("inf")),
        ("temperature", "hot"),
        ("theme", "pink"),
        ("theme", ["dark"]),
        ("shows_link_warning", "yes"),
        ("shows_link_warning", 1),
        ("timezone", "Berlin"),
        ("timezone", "../../etc/passwd"),
        ("timezone", None),
        ("default_model_id", 0),
        ("default_model_id", 2**63),
        ("default_persona_id", None),
        ("default_persona_id", "1"),
        ("colour_of_the_bikeshed", "blue"),
        ("yields_cpu_percent", 4),
        ("yields_gpu_percent", 101),
        ("busy_seconds", 21),
        ("quiet_minutes", 0),
        ("estimated_watts", -1),
        ("price_per_kilowatt_hour", float("inf")),
        ("currency", "doubloons"),
        ("currency", "a\nb"),
        ("currency", None),
        ("currency", 5),
        ("command_before_window", "wake 'the desk"),
        ("command_after_window", '""'),
        ("meter_command", "a\x00b"),
        ("meter_command", "x" * 4001),
        ("yields_to_programs", "blender, *"),
        ("yields_to_programs", "/usr/bin/blender"),
    ],
)
def test_what_does_not_fit_is_refused_by_name_and_nothing_is_stored(
    sqlite_database: Database, now: datetime, name: str, bad: object
) -> None:
    with sqlite_database.transaction() as connection:
        with pytest.raises(Invalid) as refusal:
            change_settings(connection, {"density": "compact", name: bad}, now)
        assert list_settings(connection) == {}
    assert refusal.value.field == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("posts_per_page", "Posts on a page must be a whole number from 5 to 200."),
        ("temperature", "Temperature must be a number from 0 to 2, or empty."),
        ("silence_seconds", "Patience with a silent server must be a whole number from 5 to 86,400 seconds."),
        ("theme", "Colours must be one of auto, light, dark, contrast, soft, own."),
        ("currency", "Currency must be one line of up to 8 characters."),
        ("timezone", "Time zone must be an IANA time zone such as Europe/Berlin, or empty."),
    ],
)
def test_a_refusal_says_what_would_fit(name: str, message: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_value(FIELDS_BY_NAME[name], "?" * 9)
    assert refusal.value.message == message


def test_a_stored_value_that_cannot_be_used_gives_way_and_is_named(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        update_setting(connection, "posts_per_page", "many", now=now)
        update_setting(connection, "theme", "dark", now=now)
        update_setting(connection, "of_a_later_version", 1, now=now)
        settings = read_settings(connection)
    assert (settings.posts_per_page, settings.theme) == (50, "dark")
    assert settings.unusable == ("posts_per_page",)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("posts_per_page", " 20 ", 20),
        ("posts_per_page", "many", "many"),
        ("posts_per_page", "", ""),
        ("temperature", "0.7", 0.7),
        ("temperature", "", None),
        ("default_model_id", "", None),
        ("default_model_id", "3", 3),
        ("theme", "dark", "dark"),
        ("timezone", None, ""),
        ("shows_link_warning", "on", True),
        ("shows_link_warning", "off", False),
        ("shows_link_warning", None, False),
    ],
)
def test_form_fields_are_read_by_kind(name: str, text: str | None, value: object) -> None:
    assert value_from_form(name, text) == value


def test_the_zone_of_the_forum_is_the_named_one_or_the_machines() -> None:
    assert settings_from({"timezone": "Asia/Kolkata"}).zone == ZoneInfo("Asia/Kolkata")
    assert settings_from({}).zone == machine_zone()
    assert zone_or_machine("Mars/Olympus_Mons") == machine_zone()
    assert is_zone("Europe/Berlin")
    assert not is_zone("")


def test_a_machine_that_contradicts_itself_is_taken_to_be_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    def contradict() -> ZoneInfo:
        raise ZoneInfoNotFoundError("two zones are configured")

    monkeypatch.setattr(tzlocal, "get_localzone", contradict)
    machine_zone.cache_clear()
    try:
        assert machine_zone() == ZoneInfo("UTC")
    finally:
        machine_zone.cache_clear()


def test_fields_with_choices_or_ranges_have_them() -> None:
    for field in FIELDS:
        assert bool(field.choices) is (field.kind is Kind.CHOICE)
        assert bool(field.longest) is (field.kind is Kind.TEXT)
        assert (field.minimum is not None and field.maximum is not None) is (field.kind in (Kind.INTEGER, Kind.NUMBER))


def test_the_page_about_settings_is_up_to_date() -> None:
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == settings_page()


def test_texts_are_stored_without_the_space_around_them(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.transaction() as connection:
        changes = {"command_before_window": "  wakeonlan 00:11 ", "yields_to_programs": " steam_app_*,, Blender.exe, "}
        settings = change_settings(connection, changes, now)
    assert settings.command_before_window == "wakeonlan 00:11"
    assert settings.programs == ("steam_app_*", "Blender.exe")
    assert value_from_form("yields_to_programs", None) == ""
    assert value_from_form("currency", " CHF ") == "CHF"


def test_of_two_who_found_the_same_one_may_write(database: Database, now: datetime) -> None:
    later = now.replace(minute=1)
    for value, written_at, may_write in ((1, None, True), (2, None, False), (3, now, True), (4, now, False)):
        with database.transaction() as connection:
            stored = update_if_unchanged(
                connection, "machine.note", {"number": value}, written_at=written_at, now=later if written_at else now
            )
        assert stored is may_write
    with database.read() as connection:
        assert find_stamped(connection, "machine.note") == ({"number": 3}, later)
        assert find_stamped(connection, "machine.other") is None
        assert read_settings(connection).unusable == ()
