"""Which model, as every page says it."""

from flask import Blueprint, g

from forllm_server.catalog.model import ListedModel
from forllm_server.catalog.naming import ModelNames, read_model_names
from forllm_server.pages.words import context_words
from forllm_server.web.current import current

blueprint = Blueprint("naming", __name__)


@blueprint.app_template_filter()
def model_words(name: str | None, backend_id: int | None = None) -> str:
    """What a person reads for a server's name of a model; with the backend where several have it, if it is given."""
    return _model_names().words(name, backend_id) if name else ""


def model_label(listed: ListedModel) -> str:
    """A model to choose: with its backend and context size."""
    return f"{model_words(listed.model.name)} · {listed.backend_name} · {context_words(listed.model)}"


def model_names_by_id(listed: list[ListedModel]) -> dict[int | None, str]:
    """What each of these models is called, by its id."""
    return {each.model.id: model_words(each.model.name) for each in listed}


def _model_names() -> ModelNames:
    """Read once in a request, whatever its page shows."""
    if "model_names" not in g:
        with current().database.read() as connection:
            g.model_names = read_model_names(connection)
    found: ModelNames = g.model_names
    return found
