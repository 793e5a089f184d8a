"""``/api/v1/models``: the models that the backends have."""

from typing import Any

from sqlalchemy import Connection

from forllm_server.api.contract import Input, Noun, listing
from forllm_server.api.fields import one_of
from forllm_server.api.schemas_setup import ModelChange, ModelOut
from forllm_server.catalog.backend_store import get_backend
from forllm_server.catalog.contexts import set_context_tokens
from forllm_server.catalog.model import ListedModel
from forllm_server.catalog.model_store import get_model, list_models
from forllm_server.web.current import current

blueprint = Noun("Models", "Models, as the last probe of their backend found them.")


class ModelQuery(Input):
    """Which models."""

    is_available = one_of(("true", "false"))


@blueprint.route("/models", methods=["GET"])
@blueprint.arguments(ModelQuery, location="query")
@blueprint.response(200, listing(ModelOut))
def show_list(query: dict[str, Any]) -> dict[str, Any]:
    """List the models of all backends."""
    is_available = {None: None, "true": True, "false": False}[query.get("is_available")]
    with current().database.read() as connection:
        return {"items": list_models(connection, is_available=is_available), "next": None}


@blueprint.route("/models/<int:model_id>", methods=["GET"])
@blueprint.response(200, ModelOut)
def show(model_id: int) -> ListedModel:
    """Read one model."""
    with current().database.read() as connection:
        return _listed(connection, model_id)


@blueprint.route("/models/<int:model_id>", methods=["PATCH"])
@blueprint.arguments(ModelChange)
@blueprint.response(200, ModelOut)
def change(values: dict[str, Any], model_id: int) -> ListedModel:
    """Say how large a model's context is, as far as its server can do it."""
    with current().database.transaction() as connection:
        set_context_tokens(connection, model_id, values["context_tokens"])
        return _listed(connection, model_id)


def _listed(connection: Connection, model_id: int) -> ListedModel:
    model = get_model(connection, model_id)
    backend = get_backend(connection, model.backend_id)
    return ListedModel(model, backend.name, backend.kind, backend.is_enabled)
