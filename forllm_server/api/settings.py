"""``/api/v1/settings``: the forum's settings."""

from typing import Any

from flask import Response, jsonify
from sqlalchemy import Connection

from forllm_server.api.contract import Noun
from forllm_server.api.schemas_setup import SettingsChange, SettingsOut
from forllm_server.catalog.model_store import find_model
from forllm_server.clock import now
from forllm_server.errors import Invalid
from forllm_server.personas.persona_store import find_persona
from forllm_server.settings.values import change_settings, read_settings
from forllm_server.web.current import current

blueprint = Noun("Settings", "What the owner of the forum decides while it runs.")


@blueprint.route("/settings", methods=["GET"])
@blueprint.response(200, SettingsOut)
def show() -> Response:
    """Read all settings."""
    with current().database.read() as connection:
        return jsonify(read_settings(connection).as_dict())


@blueprint.route("/settings", methods=["PATCH"])
@blueprint.arguments(SettingsChange)
@blueprint.response(200, SettingsOut)
def change(changes: dict[str, Any]) -> Response:
    """Change some settings."""
    with current().database.transaction() as connection:
        _check_ids(connection, changes)
        return jsonify(change_settings(connection, changes, now()).as_dict())


def _check_ids(connection: Connection, changes: dict[str, Any]) -> None:
    """Settings know no other noun; what their ids point at is looked up here."""
    model_id = changes.get("default_model_id")
    if model_id is not None and find_model(connection, model_id) is None:
        raise Invalid("There is no such model.", field="default_model_id")
    persona_id = changes.get("default_persona_id")
    if persona_id is not None:
        persona = find_persona(connection, persona_id)
        if persona is None or persona.is_deleted:
            raise Invalid("There is no such persona.", field="default_persona_id")
