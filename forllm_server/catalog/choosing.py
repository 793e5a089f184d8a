"""Which model answers: asked for > the persona version's, in order > the forum's default > the first there is."""

from collections.abc import Sequence

from sqlalchemy import Connection

from forllm_server.catalog import backend_store, model_store
from forllm_server.catalog.model import BackendRecord, ChosenModel, Model
from forllm_server.catalog.naming import read_model_names
from forllm_server.errors import Invalid

_ORDINALS = ("second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


def choose_model(
    connection: Connection,
    *,
    asked_model_id: int | None,
    persona_model_id: int | None,
    default_model_id: int | None,
    fallback_model_ids: Sequence[int] = (),
) -> ChosenModel | None:
    """The model for a reply with its backend and the reason in words; None when no model is there at all.

    A model that a person asked for is never replaced: Invalid(field="model_id") says that it is not there. A persona's
    or the forum's model that is gone is passed over, and the reason says so; ``fallback_model_ids`` are the persona's
    next choices, in order. A backend that does not answer just now
    still has its models: the LLM request waits for it. The embedded model comes last, for it is there to try things
    with.
    """
    if asked_model_id is not None:
        return _asked(connection, asked_model_id)
    passed_over: list[str] = []
    others = ((each, f"the persona's {_ORDINALS[number]} choice") for number, each in enumerate(fallback_model_ids[:7]))
    wished = ((persona_model_id, "the persona's model"), *others, (default_model_id, "the default model"))
    for model_id, owner in wished:
        if model_id is None:
            continue
        chosen = _usable(connection, model_id)
        if chosen is not None:
            return ChosenModel(*chosen, reason=_reason(owner, passed_over))
        passed_over.append(owner)
    for is_embedded, owner in ((False, "the first model available"), (True, "the embedded model")):
        model = model_store.find_first_available(connection, is_embedded=is_embedded)
        if model is not None:
            backend = backend_store.get_backend(connection, model.backend_id)
            return ChosenModel(model, backend, _reason(owner, passed_over))
    return None


def _asked(connection: Connection, model_id: int) -> ChosenModel:
    chosen = _usable(connection, model_id)
    if chosen is not None:
        return ChosenModel(*chosen, reason="asked for")
    model = model_store.find_model(connection, model_id)
    if model is None:
        raise Invalid("There is no such model. Choose another one.", field="model_id")
    raise Invalid(
        f"The model {read_model_names(connection).words(model.name)} is not available: its backend was disabled or "
        "deleted, or no longer has it. Choose another one.",
        field="model_id",
    )


def _usable(connection: Connection, model_id: int) -> tuple[Model, BackendRecord] | None:
    model = model_store.find_model(connection, model_id)
    if model is None or not model.is_available:
        return None
    backend = backend_store.find_backend(connection, model.backend_id)
    if backend is None or backend.deleted_at is not None or not backend.is_enabled:
        return None
    return model, backend


def _reason(owner: str, passed_over: list[str]) -> str:
    if not passed_over:
        return owner
    return f"{owner}, for {' and '.join(passed_over)} {'are' if len(passed_over) > 1 else 'is'} not available"
