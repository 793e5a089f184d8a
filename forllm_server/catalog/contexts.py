"""How much a model can read and write at once, and who says so."""

from sqlalchemy import Connection

from forllm_server.catalog import model_store
from forllm_server.catalog.model import ContextSource, Model
from forllm_server.catalog.options import CONTEXT_TOKENS_RANGE, is_whole
from forllm_server.errors import Invalid

#: Tokens (None: nobody said) and who said so.
Context = tuple[int | None, ContextSource]


def set_context_tokens(connection: Connection, model_id: int, context_tokens: int | None) -> Model:
    """Say how large a model's context is; None takes the word back, and the next probe decides.

    Raises NotFound, and Invalid(field="context_tokens") for a number out of range or larger than the server reported.
    """
    model = model_store.get_model(connection, model_id)
    if context_tokens is None:
        nobody = {"context_tokens": None, "context_source": ContextSource.GUESSED.value}
        return model_store.update_model(connection, model_id, nobody)
    low, high = CONTEXT_TOKENS_RANGE
    if not is_whole(context_tokens) or not low <= context_tokens <= high:
        raise Invalid(f"The context size must be a whole number from {low:,} to {high:,}.", field="context_tokens")
    if model.context_source is ContextSource.KNOWN and context_tokens > (model.context_tokens or high):
        raise Invalid(
            f"The server reports a context of {model.context_tokens:,} tokens; only a smaller one can be set here.",
            field="context_tokens",
        )
    told = {"context_tokens": context_tokens, "context_source": ContextSource.TOLD.value}
    return model_store.update_model(connection, model_id, told)


def merged_context(before: Context, found: Context) -> Context:
    """What holds after a probe found ``found``.

    The server's word wins, except over a person who wants less than it offers (a large context costs memory). What a
    person or an earlier probe said outlives a probe that learned nothing.
    """
    tokens, source = before
    found_tokens, found_source = found
    if found_tokens is None:
        return before
    if found_source is ContextSource.KNOWN:
        is_less_wanted = source is ContextSource.TOLD and tokens is not None and tokens <= found_tokens
        return before if is_less_wanted else found
    return found if source is ContextSource.GUESSED or tokens is None else before


def effective_context_tokens(model: Model, *, default_context_tokens: int) -> int:
    """The size to build prompts for, in tokens: the model's, or the setting's where nobody knows."""
    return model.context_tokens or default_context_tokens
