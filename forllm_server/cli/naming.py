"""Finding by name what a person types on the command line; what is not there is told with what is."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from forllm_server.catalog.backend_store import list_backends
from forllm_server.catalog.model import BackendRecord, ListedModel
from forllm_server.catalog.model_store import list_models, list_models_ever
from forllm_server.errors import Conflict, NotFound
from forllm_server.forum.model import Subforum
from forllm_server.forum.subforum_store import list_subforums
from forllm_server.markup.names import name_key
from forllm_server.personas.model import Persona
from forllm_server.personas.persona_store import find_persona_by_name_key, list_personas


def subforum_named(connection: Connection, name: str) -> Subforum:
    """The subforum of that name, upper and lower case alike. Raises NotFound."""
    found = list_subforums(connection)
    for subforum in found:
        if name_key(subforum.name) == name_key(name):
            return subforum
    raise NotFound(f"There is no subforum “{name}”. There is {_listed(each.name for each in found)}.")


def persona_named(connection: Connection, name: str) -> Persona:
    """The persona of that name. Raises NotFound."""
    persona = find_persona_by_name_key(connection, name_key(name))
    if persona is None:
        names = _listed(each.name for each in list_personas(connection))
        raise NotFound(f"There is no persona “{name}”. There is {names}.")
    return persona


def backend_named(connection: Connection, name: str) -> BackendRecord:
    """The backend of that name. Raises NotFound."""
    found = list_backends(connection)
    for backend in found:
        if name_key(backend.name) == name_key(name):
            return backend
    raise NotFound(f"There is no backend “{name}”. There is {_listed(each.name for each in found)}.")


def backend_chosen(connection: Connection, name_or_id: str) -> BackendRecord:
    """The backend of that name, else of that number. Raises NotFound."""
    found = list_backends(connection)
    named = [each for each in found if name_key(each.name) == name_key(name_or_id)]
    for backend in named or [each for each in found if str(each.id) == name_or_id.strip()]:
        return backend
    raise NotFound(f"There is no backend “{name_or_id}”. There is {_listed(each.name for each in found)}.")


def model_named(connection: Connection, name: str, *, is_to_ask: bool = True) -> ListedModel:
    """The model of this name, label or number: one that can be asked now, else (``is_to_ask`` False) one that is there,
    else one that ever was. Raises NotFound, and Conflict for several."""
    models = list_models(connection, is_available=True if is_to_ask else None)
    found = _models_called(name, models)
    if not found and not is_to_ask:
        found = _models_called(name, list_models_ever(connection))
    if not found:
        to_ask = " to ask" if is_to_ask else ""
        raise NotFound(f"There is no model “{name}”{to_ask}. There is {_listed(each.model.name for each in models)}.")
    if len(found) > 1:
        numbers = ", ".join(f"{each.model.id} on {each.backend_name}" for each in found)
        raise Conflict(f"Several backends have the model “{name}”. Name it by its number: {numbers}.")
    return found[0]


def _models_called(name: str, models: Sequence[ListedModel]) -> list[ListedModel]:
    found = [each for each in models if name_key(name) in (name_key(each.model.name), name_key(each.model.label))]
    return found or [each for each in models if str(each.model.id) == name]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none yet"
