"""``/api/v1/models``: the models that the backends have."""

from typing import Any

from forllm_server.api.contract import Input, Noun, listing
from forllm_server.api.fields import one_of
from forllm_server.api.schemas_setup import ModelOut
from forllm_server.catalog.model_store import list_models
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
