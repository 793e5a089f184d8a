"""The settings page, drawn from the one table of settings."""

from itertools import groupby
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from forllm_server.catalog.model_store import list_models
from forllm_server.clock import now
from forllm_server.pages.naming import model_label
from forllm_server.personas.persona_store import list_personas
from forllm_server.settings.fields import FIELDS, Field, Kind
from forllm_server.settings.theme import find_theme
from forllm_server.settings.values import change_settings, read_settings, value_from_form
from forllm_server.settings.zones import machine_zone, zone_names
from forllm_server.web.current import current
from forllm_server.web.forms import shows_again
from forllm_server.web.fragments import notice, page, see_other

blueprint = Blueprint("settings", __name__)


@blueprint.get("/settings")
def show() -> Response:
    """All settings by section."""
    with current().database.read() as connection:
        settings = read_settings(connection)
        choices = {field.name: _choices(connection, field) for field in FIELDS}
        has_own_theme = find_theme(connection) is not None
    sections = [(section.value, list(fields)) for section, fields in groupby(FIELDS, key=lambda field: field.section)]
    return page(
        "settings/show.html",
        sections=sections,
        values=settings.as_dict(),
        unusable=settings.unusable,
        choices=choices,
        has_own_theme=has_own_theme,
        zones=sorted(zone_names()),
        machine_zone=machine_zone().key,
    )


@blueprint.post("/settings")
@shows_again(show)
def change() -> Response:
    """Check all settings, then store them."""
    values = {field.name: value_from_form(field.name, request.form.get(field.name)) for field in FIELDS}
    with current().database.transaction() as connection:
        change_settings(connection, values, now())
    current().wake_worker()
    notice("Saved.")
    return see_other("/settings")


def _choices(connection: Connection, field: Field) -> list[tuple[Any, str]]:
    """What a field can be chosen from, where it is chosen from something."""
    match field.kind:
        case Kind.CHOICE:
            return list(zip(field.choices, field.choice_labels or field.choices, strict=True))
        case Kind.MODEL:
            models = [(listed.model.id, model_label(listed)) for listed in list_models(connection)]
            return [("", "the first that is there"), *models]
        case Kind.PERSONA:
            personas: list[tuple[Any, str]] = [(persona.id, persona.name) for persona in list_personas(connection)]
            return [("", "nobody"), *personas] if field.is_optional else personas
        case _:
            return []
