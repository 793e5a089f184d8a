"""Ollama by its native API, because its OpenAI-shaped one ignores the context size. Protocol: docs/backends.md."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from forllm_server.backends import refusals
from forllm_server.backends.addresses import root_url
from forllm_server.backends.base import (
    CONTEXT_GUESSED,
    CONTEXT_KNOWN,
    Backend,
    GenerationRequest,
    ModelFound,
    Probe,
    Usage,
)
from forllm_server.backends.faults import BackendError, Unreadable
from forllm_server.backends.streaming import (
    Piece,
    StreamedGeneration,
    as_count,
    as_seconds,
    as_text,
    iterate_lines,
    parse_event,
)
from forllm_server.backends.thinking import mend
from forllm_server.backends.transport import Exchange, fetch_json

_DEFAULT_CONTEXT_TOKENS = 4096
_DEFAULT_KEEP_ALIVE = "5m"
#: extras that stand beside `options` in /api/chat; every other one is an option
_TOP_LEVEL = frozenset({"think", "format", "keep_alive", "truncate", "shift"})
_OWN_FIELDS = frozenset({"model", "messages", "stream", "options", "tools", "truncate", "shift", "num_ctx"})
_NANOSECONDS = 1e9
_MOST_DETAILED_MODELS = 100
_EMBEDDING_ONLY = frozenset({"embedding"})


class Ollama(Backend):
    """See docs/backends.md. Options: `default_context_tokens`, `keep_alive`."""

    kind = "ollama"
    label = "Ollama"
    # Its templates leave an assistant message open when it is the last one.

    def probe(self) -> Probe:
        try:
            version = self._ask("GET", "/api/version").get("version")
            if not isinstance(version, str):
                raise Unreadable("Something answers there, but it is not Ollama. Try another kind.")
            models = self.list_models()
        except BackendError as error:
            return self.failed_probe(error)
        return Probe(
            is_reachable=True,
            server="Ollama",
            version=version[:40],
            models=models,
            features={
                "tokenizer": False,
                "prompt_progress": False,
                "unload": True,
                "continues_prefix": self.may_continue_prefix,
            },
        )

    def list_models(self) -> tuple[ModelFound, ...]:
        listed = self._ask("GET", "/api/tags").get("models")
        if not isinstance(listed, list):
            raise Unreadable()
        entries = [entry for entry in listed if isinstance(entry, dict) and isinstance(entry.get("name"), str)]
        loaded = self._loaded()
        found = [
            self._found(entry, loaded, is_asked=index < _MOST_DETAILED_MODELS) for index, entry in enumerate(entries)
        ]
        return tuple(model for model in found if set(model.details.get("capabilities", [])) != _EMBEDDING_ONLY)

    def context_tokens(self, model: str) -> int | None:
        return self._context(self._show(model))[0]

    def generate(self, request: GenerationRequest) -> StreamedGeneration:
        self.check_request(request)
        return StreamedGeneration(request, Exchange(self.config), partial(self._open, request), self._pieces)

    def unload(self, model: str) -> bool:
        self._ask("POST", "/api/generate", {"model": model, "keep_alive": 0})
        return True

    def body(self, request: GenerationRequest) -> dict[str, Any]:
        """The request in Ollama's words: the context that the budget used, and no silent cutting."""
        extra = {name: value for name, value in request.extra.items() if name not in _OWN_FIELDS}
        given = {
            "num_ctx": request.context_tokens or self._default_context(),
            "num_predict": request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "seed": request.seed,
            "stop": list(request.stop) or None,
        }
        options = {name: value for name, value in extra.items() if name not in _TOP_LEVEL}
        options |= {name: value for name, value in given.items() if value is not None}
        return {
            "keep_alive": self.config.options.get("keep_alive", _DEFAULT_KEEP_ALIVE),
            **{name: value for name, value in extra.items() if name in _TOP_LEVEL},
            "model": request.model,
            "messages": [{"role": turn.role, "content": mend(turn.content)} for turn in request.messages],
            "stream": True,
            "truncate": False,
            "shift": False,
            "options": options,
        }

    def _open(self, request: GenerationRequest, exchange: Exchange) -> None:
        exchange.open("POST", f"{root_url(self.config.base_url)}/api/chat", self.body(request))

    def _pieces(self, exchange: Exchange) -> Iterator[Piece]:
        if exchange.content_type == "text/html":
            raise Unreadable()
        is_whole = exchange.content_type == "application/json"
        for line in iterate_lines(exchange):
            if line.strip():
                yield read_line(line, exchange.api_key, is_whole=is_whole)
            else:
                exchange.mark_keep_alive()

    def _found(self, entry: Mapping[str, Any], loaded: Mapping[str, int], *, is_asked: bool) -> ModelFound:
        name = str(entry["name"])
        shown: Mapping[str, Any] = {}
        if is_asked:
            try:
                shown = self._show(name)
            except BackendError as error:
                if error.is_backend_down:
                    raise
        context, trained = self._context(shown)
        details: dict[str, Any] = dict(entry["details"]) if isinstance(entry.get("details"), dict) else {}
        if isinstance(shown.get("capabilities"), list):
            details["capabilities"] = [str(capability) for capability in shown["capabilities"]]
        if trained is not None:
            details["trained_context_tokens"] = trained
        if name in loaded:
            details["loaded_context_tokens"] = loaded[name]
        digest = entry.get("digest")
        return ModelFound(
            name=name,
            label=name.removesuffix(":latest"),
            context_tokens=context,
            context_source=CONTEXT_KNOWN if trained is not None else CONTEXT_GUESSED,
            size_bytes=as_count(entry.get("size")),
            digest=digest if isinstance(digest, str) else None,
            details=details,
        )

    def _context(self, shown: Mapping[str, Any]) -> tuple[int, int | None]:
        """The context that FORLLM will ask for, which is what gets loaded, and the trained limit.

        Not the trained limit itself: 131,072 tokens would fill the memory of most machines.
        """
        facts = shown.get("model_info")
        facts = facts if isinstance(facts, dict) else {}
        trained = as_count(facts.get(f"{facts.get('general.architecture')}.context_length"))
        written = re.search(r"(?m)^\s*num_ctx\s+(\d{2,9})\s*$", as_text(shown.get("parameters")))
        wanted = int(written.group(1)) if written else self._default_context()
        return (min(wanted, trained) if trained else wanted), trained

    def _default_context(self) -> int:
        return as_count(self.config.options.get("default_context_tokens")) or _DEFAULT_CONTEXT_TOKENS

    def _loaded(self) -> dict[str, int]:
        try:
            listed = self._ask("GET", "/api/ps").get("models")
        except BackendError:
            return {}
        entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
        contexts = {str(entry.get("name")): as_count(entry.get("context_length")) for entry in entries}
        return {name: tokens for name, tokens in contexts.items() if tokens}

    def _show(self, model: str) -> dict[str, Any]:
        return self._ask("POST", "/api/show", {"model": model})

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        return fetch_json(self.config, method, f"{root_url(self.config.base_url)}{path}", body)


def read_line(line: str, secret: str | None = None, *, is_whole: bool = False) -> Piece:
    """One line of /api/chat. `is_whole`: the body is one object and no stream, so an error in it is for good."""
    event = parse_event(line)
    if event.get("error"):
        if is_whole:
            raise refusals.from_words(event["error"], secret) or refusals.from_status(
                400, event["error"], secret=secret
            )
        raise refusals.from_stream(event["error"], secret=secret)
    message = event.get("message")
    message = message if isinstance(message, dict) else {}
    is_done = event.get("done") is True
    reason = event.get("done_reason")
    return Piece(
        text=as_text(message.get("content")),
        thinking=as_text(message.get("thinking")),
        finish_reason=reason if is_done and isinstance(reason, str) and reason else None,
        usage=_usage(event) if is_done else None,
        calls_tool=bool(message.get("tool_calls")),
        is_last=is_done,
    )


def _usage(event: Mapping[str, Any]) -> Usage:
    """The counters of the last line; durations are nanoseconds."""
    return Usage(
        prompt_tokens=as_count(event.get("prompt_eval_count")),
        completion_tokens=as_count(event.get("eval_count")),
        load_seconds=as_seconds(event.get("load_duration"), _NANOSECONDS),
        prompt_seconds=as_seconds(event.get("prompt_eval_duration"), _NANOSECONDS),
        generation_seconds=as_seconds(event.get("eval_duration"), _NANOSECONDS),
    )
