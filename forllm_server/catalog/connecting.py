"""From a row to something that answers: the backend of that kind, with its key opened."""

from collections.abc import Mapping
from typing import Any

from forllm_server.backends import create
from forllm_server.backends.base import Backend, BackendConfig
from forllm_server.catalog.api_keys import open_api_key
from forllm_server.catalog.model import BackendKind, BackendRecord


def connect(
    record: BackendRecord, *, secret_key: bytes, silence_seconds: int, default_context_tokens: int | None = None
) -> Backend:
    """The backend behind a row; the caller closes it.

    ``default_context_tokens`` is the forum's setting: what Ollama is told to load a model with unless the row, the
    model or the persona says otherwise.
    ``silence_seconds`` is the forum's setting, which the row's own value overrides. Raises CannotOpen when its API key
    was sealed with another secret or the row was altered.
    """
    return create(
        record.kind.value,
        BackendConfig(
            base_url=record.base_url,
            api_key=open_api_key(record, secret_key=secret_key),
            silence_seconds=record.silence_seconds or silence_seconds,
            options=_options(record, default_context_tokens),
        ),
    )


def _options(record: BackendRecord, default_context_tokens: int | None) -> Mapping[str, Any]:
    if record.kind is not BackendKind.OLLAMA or default_context_tokens is None:
        return record.options
    return {"default_context_tokens": default_context_tokens, **record.options}
