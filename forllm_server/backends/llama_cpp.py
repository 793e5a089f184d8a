"""llama.cpp's own server, and llamafile, which is an older one in one file. Protocol: docs/backends.md."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, ClassVar

from forllm_server.backends.addresses import openai_url, root_url
from forllm_server.backends.base import (
    CONTEXT_GUESSED,
    CONTEXT_KNOWN,
    BackendConfig,
    GenerationRequest,
    Message,
    ModelFound,
    Probe,
)
from forllm_server.backends.faults import BackendError, Refused, Unreadable
from forllm_server.backends.openai_compatible import OpenAiCompatible
from forllm_server.backends.streaming import as_count
from forllm_server.backends.text_counts import TextCounts
from forllm_server.backends.thinking import mend
from forllm_server.backends.transport import fetch_json


class LlamaCpp(OpenAiCompatible):
    """See docs/backends.md. Every feature is probed: llamafiles are often older builds."""

    kind = "llama_cpp"
    label = "llama.cpp server or llamafile"
    may_continue_prefix = True
    #: an assistant message at the end is continued without being asked for
    continuing_fields: ClassVar[Mapping[str, bool]] = {}

    def __init__(self, config: BackendConfig) -> None:
        super().__init__(config)
        self._counts = TextCounts()

    def probe(self) -> Probe:
        try:
            self._check_health()
            props = self._ask("GET", "/props") or {}
            models = self._models(props)
        except BackendError as error:
            return self.failed_probe(error)
        if not props and not any("llama" in str(model.details.get("owned_by", "")) for model in models):
            return Probe(is_reachable=False, error=_NOT_LLAMA, error_code=Unreadable.code)
        slots = as_count(props.get("total_slots"))
        return Probe(
            is_reachable=True,
            server="llama.cpp",
            version=_short(props.get("build_info")),
            models=models,
            slots=slots,
            features={
                "props": bool(props),
                "tokenizer": self.count_tokens("", "a") is not None,
                "prompt_progress": bool(props),
                "continues_prefix": self.may_continue_prefix,
            },
        )

    def list_models(self) -> tuple[ModelFound, ...]:
        return self._models(self._ask("GET", "/props") or {})

    def count_tokens(self, model: str, text: str) -> int | None:
        """By `POST /tokenize`, without the special tokens that a template adds; a text is asked about once in a while.

        The model waits meanwhile, and the posts of a thread are counted with each question about it.
        """
        return self._counts.get(model, text, lambda: self._count_by_server(text))

    def _count_by_server(self, text: str) -> int | None:
        answer = self._ask("POST", "/tokenize", {"content": mend(text)})
        tokens = answer.get("tokens") if answer else None
        return len(tokens) if isinstance(tokens, list) else None

    def count_prompt_tokens(self, model: str, messages: Sequence[Message]) -> int | None:
        """By `POST /v1/chat/completions/input_tokens`, in the model's own template; older builds do not have it."""
        turns = [{"role": turn.role, "content": mend(turn.content)} for turn in messages]
        if not turns:
            return 0
        config = self.address()
        url = f"{openai_url(config.base_url)}/chat/completions/input_tokens"
        try:
            return as_count(fetch_json(config, "POST", url, {"model": model, "messages": turns}).get("input_tokens"))
        except BackendError as error:
            if error.is_backend_down:
                raise
            return None

    def body(self, request: GenerationRequest) -> dict[str, Any]:
        return {"cache_prompt": True, "return_progress": True} | super().body(request)

    def _check_health(self) -> None:
        """503 while the model loads raises Busy; a missing /health proves nothing."""
        config = self.address()
        try:
            fetch_json(config, "GET", f"{root_url(config.base_url)}/health")
        except (Refused, Unreadable):
            return

    def _models(self, props: dict[str, Any]) -> tuple[ModelFound, ...]:
        """The models by /v1/models, with the context that is loaded and not the one that was trained."""
        settings = props.get("default_generation_settings")
        loaded = as_count(settings.get("n_ctx")) if isinstance(settings, dict) else None
        config = self.address()
        try:
            listed = fetch_json(config, "GET", f"{openai_url(config.base_url)}/models").get("data")
        except (Refused, Unreadable):
            listed = None
        entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
        if not entries and props:
            entries = [{"id": props.get("model_path") or "default"}]
        return tuple(self._llama_model(entry, loaded if len(entries) == 1 else None) for entry in entries)

    def _llama_model(self, entry: dict[str, Any], loaded: int | None) -> ModelFound:
        name = str(entry.get("id") or "default")
        meta = entry.get("meta") if isinstance(entry.get("meta"), dict) else {}
        assert isinstance(meta, dict)
        context = loaded or as_count(meta.get("n_ctx"))
        told = self.config.options.get("context_tokens")
        details = {key: meta[key] for key in ("n_ctx_train", "n_params", "n_embd") if as_count(meta.get(key))}
        return ModelFound(
            name=name,
            label=file_label(name),
            context_tokens=context or as_count(told),
            context_source=CONTEXT_KNOWN if context else ("told" if as_count(told) else CONTEXT_GUESSED),
            size_bytes=as_count(meta.get("size")),
            details=details | {"owned_by": _short(entry.get("owned_by"))},
        )

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any] | None:
        """A feature that a build may not have: None when it has not. Raises BackendError when the server is down."""
        config = self.address()
        try:
            return fetch_json(config, method, f"{root_url(config.base_url)}{path}", body)
        except BackendError as error:
            if error.is_backend_down or error.code == "key_refused":
                raise
            return None


_NOT_LLAMA = "Something answers there, but it is not a llama.cpp server. Try the kind OpenAI-compatible or Ollama."


def file_label(name: str) -> str:
    """A model's name for people: servers tell the path of the file."""
    stem = PureWindowsPath(PurePosixPath(name).name).name
    return stem.removesuffix(".gguf") or name


def _short(value: Any) -> str:
    return value[:80] if isinstance(value, str) else ""
