"""How much a model can read and write at once, and who says so."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from forllm_server.catalog import backend_store, model_store
from forllm_server.catalog.model import BackendKind, ContextSource, Model
from forllm_server.catalog.options import CONTEXT_TOKENS_RANGE, is_whole
from forllm_server.errors import Invalid

#: Tokens (None: nobody said) and who said so.
Context = tuple[int | None, ContextSource]

#: Where a model's details keep what a person said of it; a probe leaves it there.
TOLD = "told_context_tokens"


def set_context_tokens(connection: Connection, model_id: int, context_tokens: int | None) -> Model:
    """Say how large a model's context is; None takes the word back, and the next probe decides.

    Raises NotFound, and Invalid(field="context_tokens") for a number out of range or larger than the server can do.
    """
    model = model_store.get_model(connection, model_id)
    details = {name: value for name, value in model.details.items() if name != TOLD}
    if context_tokens is None:
        nobody: dict[str, Any] = {"details": details}
        if model.context_source is ContextSource.TOLD:
            nobody |= {"context_tokens": None, "context_source": ContextSource.GUESSED.value}
        return model_store.update_model(connection, model_id, nobody)
    low, high = CONTEXT_TOKENS_RANGE
    if not is_whole(context_tokens) or not low <= context_tokens <= high:
        raise Invalid(f"The context size must be a whole number from {low:,} to {high:,}.", field="context_tokens")
    backend = backend_store.get_backend(connection, model.backend_id)
    most = largest_context_tokens(backend.kind, (model.context_tokens, model.context_source), details)
    if most is not None and context_tokens > most:
        raise Invalid(
            f"This model takes {most:,} tokens at most; only a smaller context can be set here.",
            field="context_tokens",
        )
    told = {"context_tokens": context_tokens, "context_source": ContextSource.TOLD.value}
    return model_store.update_model(connection, model_id, told | {"details": details | {TOLD: context_tokens}})


def largest_context_tokens(kind: BackendKind, found: Context, details: Mapping[str, Any]) -> int | None:
    """The most that a person may ask for; None when the server does not say.

    Ollama loads a model with the context that it is sent, up to what the model was trained for; other servers have
    loaded theirs already.
    """
    if kind is BackendKind.OLLAMA:
        trained = details.get("trained_context_tokens")
        return trained if is_whole(trained) else None
    tokens, source = found
    return tokens if source is ContextSource.KNOWN else None


def merged_context(before: Context, found: Context, *, told: int | None, most: int | None) -> Context:
    """What holds after a probe found ``found``.

    What a person told about this model wins as long as the server can do it (``most``): a large context costs memory.
    Then the server's word, then what an earlier probe learned.
    """
    if told is not None and (most is None or told <= most):
        return told, ContextSource.TOLD
    if found[0] is not None:
        return found
    return before if before[1] is ContextSource.KNOWN else (None, ContextSource.GUESSED)
