"""Any server that speaks OpenAI's chat completions: LM Studio, vLLM, LiteLLM, hosted. Protocol: docs/backends.md."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Any, ClassVar

from forllm_server.backends import refusals
from forllm_server.backends.addresses import openai_url, root_url
from forllm_server.backends.base import (
    CONTEXT_GUESSED,
    CONTEXT_KNOWN,
    CONTEXT_TOLD,
    Backend,
    BackendConfig,
    GenerationRequest,
    ModelFound,
    Probe,
    PromptProgress,
    Usage,
)
from forllm_server.backends.faults import AnswerTooLarge, BackendError, EmptyAnswer, Refused, Unreadable
from forllm_server.backends.lines import EventParser
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

#: fields that FORLLM sets itself, so that a persona's extras cannot turn a stream into something else
_OWN_FIELDS = frozenset({"model", "messages", "stream", "stream_options"})
_LARGEST_MODEL_LIST = 1000
_EVENT_LINE = re.compile(r"(?:data|event|id|retry)?(?::|$)")


class OpenAiCompatible(Backend):
    """See docs/backends.md. Options: `context_tokens` (told by a person), `max_tokens_field`."""

    kind = "openai_compatible"
    label = "OpenAI-compatible server"
    #: what must be said besides for the last message to be continued: vLLM, SGLang and others know these
    continuing_fields: ClassVar[Mapping[str, bool]] = {"continue_final_message": True, "add_generation_prompt": False}

    def __init__(self, config: BackendConfig) -> None:
        super().__init__(config)
        self._max_tokens_field = str(config.options.get("max_tokens_field") or "max_tokens")
        self._asks_usage = True

    def address(self) -> BackendConfig:
        """Where the server is now; the embedded one is started for it."""
        return self.config

    def probe(self) -> Probe:
        try:
            models = self.list_models()
        except BackendError as error:
            return self.failed_probe(error)
        return Probe(is_reachable=True, server=self._server_name(models), models=models, features={"tokenizer": False})

    def list_models(self) -> tuple[ModelFound, ...]:
        config = self.address()
        listed = fetch_json(config, "GET", f"{openai_url(config.base_url)}/models").get("data")
        if not isinstance(listed, list):
            raise Unreadable()
        entries = [entry for entry in listed if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
        loaded = self._lm_studio_contexts() if any(_is_lm_studio(entry) for entry in entries) else {}
        return tuple(self._found(entry, loaded) for entry in entries[:_LARGEST_MODEL_LIST])

    def generate(self, request: GenerationRequest) -> StreamedGeneration:
        self.check_request(request)
        return StreamedGeneration(request, Exchange(self.config), partial(self.open_stream, request), self.read_pieces)

    def body(self, request: GenerationRequest) -> dict[str, Any]:
        """The request in the server's words."""
        body: dict[str, Any] = {
            **{name: value for name, value in request.extra.items() if name not in _OWN_FIELDS},
            "model": request.model,
            "messages": [{"role": turn.role, "content": mend(turn.content)} for turn in request.messages],
            "stream": True,
        }
        if self._asks_usage:
            body["stream_options"] = {"include_usage": True}
        if request.continues_prefix:
            body |= self.continuing_fields
        given = {
            self._max_tokens_field: request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "seed": request.seed,
            "stop": list(request.stop) or None,
        }
        return body | {name: value for name, value in given.items() if value is not None}

    def open_stream(self, request: GenerationRequest, exchange: Exchange) -> None:
        """Send the request. Raises BackendError."""
        exchange.config = self.address()
        url = f"{openai_url(exchange.config.base_url)}/chat/completions"
        try:
            exchange.open("POST", url, self.body(request))
        except Refused as error:
            if not self._adapts_to(error):
                raise
            exchange.reopen("POST", url, self.body(request))

    def _adapts_to(self, error: Refused) -> bool:
        """Some servers know only one name for the reply's limit, or no usage in a stream, and say so."""
        if "max_completion_tokens" in error.message and self._max_tokens_field == "max_tokens":
            self._max_tokens_field = "max_completion_tokens"
            return True
        if "stream_options" in error.message and self._asks_usage:
            self._asks_usage = False
            return True
        return False

    def read_pieces(self, exchange: Exchange) -> Iterator[Piece]:
        """The pieces of a stream of events. Raises BackendError."""
        limits = exchange.config.limits
        events = EventParser(limits.line_bytes)
        lines = iterate_lines(exchange)
        if exchange.content_type in ("application/json", "text/html"):
            yield read_answer(_collect(lines, limits.json_bytes), exchange.api_key)
            return
        for line in lines:
            if events.is_fresh and line.strip() and not _EVENT_LINE.match(line):
                yield read_answer(_collect(chain((line,), lines), limits.json_bytes), exchange.api_key)
                return
            for data in events.feed(line):
                if data:
                    yield read_chunk(data, exchange.api_key)
                else:
                    exchange.mark_keep_alive()
        for data in events.end():
            yield read_chunk(data, exchange.api_key)

    def _found(self, entry: Mapping[str, Any], loaded: Mapping[str, int]) -> ModelFound:
        name = str(entry["id"])
        context, source = loaded.get(name), CONTEXT_KNOWN
        for field in ("max_model_len", "loaded_context_length", "context_length", "context_window"):
            context = context or as_count(entry.get(field))
        if not context:
            context, source = as_count(self.config.options.get("context_tokens")), CONTEXT_TOLD
        return ModelFound(
            name=name,
            label=name,
            context_tokens=context or None,
            context_source=source if context else CONTEXT_GUESSED,
            details={key: entry[key] for key in ("owned_by",) if isinstance(entry.get(key), str)},
        )

    def _lm_studio_contexts(self) -> dict[str, int]:
        """LM Studio tells the context that each loaded model really has in its own API only."""
        try:
            listed = fetch_json(self.config, "GET", f"{root_url(self.config.base_url)}/api/v1/models").get("models")
        except BackendError:
            return {}
        contexts: dict[str, int] = {}
        for model in listed if isinstance(listed, list) else []:
            for instance in model.get("loaded_instances") or [] if isinstance(model, dict) else []:
                config = instance.get("config") if isinstance(instance, dict) else None
                tokens = as_count(config.get("context_length")) if isinstance(config, dict) else None
                if tokens:
                    contexts[str(model.get("key"))] = contexts[str(instance.get("id"))] = tokens
        return contexts

    @staticmethod
    def _server_name(models: tuple[ModelFound, ...]) -> str:
        owners = {str(model.details.get("owned_by", "")).lower() for model in models}
        if "vllm" in owners:
            return "vLLM"
        return "LM Studio" if "organization_owner" in owners else "OpenAI-compatible server"


def read_chunk(data: str, secret: str | None = None) -> Piece:
    """One `chat.completion.chunk`, with llama.cpp's own fields where they are. Raises BackendError."""
    if data.strip() == "[DONE]":
        return Piece(is_last=True)
    event = parse_event(data)
    if event.get("error"):
        raise refusals.from_stream(event["error"], secret=secret)
    choices = event.get("choices")
    choice = _mapping(choices[0]) if isinstance(choices, list) and choices else {}
    delta = _mapping(choice.get("delta"))
    reason = choice.get("finish_reason")
    return Piece(
        text=as_text(delta.get("content")),
        thinking=as_text(delta.get("reasoning_content")) or as_text(delta.get("reasoning")),
        prompt_progress=_progress(event.get("prompt_progress")),
        finish_reason=reason if isinstance(reason, str) and reason else None,
        usage=read_usage(event),
        calls_tool=bool(delta.get("tool_calls") or delta.get("function_call")),
    )


def read_usage(event: Mapping[str, Any]) -> Usage | None:
    """`usage` and llama.cpp's `timings` (milliseconds) of a chunk, or None when it has neither."""
    usage, timings = _mapping(event.get("usage")), _mapping(event.get("timings"))
    if not usage and not timings:
        return None
    cached = as_count(_mapping(usage.get("prompt_tokens_details")).get("cached_tokens"))
    cached = as_count(timings.get("cache_n")) if cached is None else cached
    prompt = as_count(usage.get("prompt_tokens"))
    if prompt is None and as_count(timings.get("prompt_n")) is not None:
        prompt = int(timings["prompt_n"]) + (cached or 0)
    completion = as_count(usage.get("completion_tokens"))
    return Usage(
        prompt_tokens=prompt,
        cached_tokens=cached,
        completion_tokens=as_count(timings.get("predicted_n")) if completion is None else completion,
        prompt_seconds=as_seconds(timings.get("prompt_ms"), 1000),
        generation_seconds=as_seconds(timings.get("predicted_ms"), 1000),
    )


def read_answer(text: str, secret: str | None = None) -> Piece:
    """A server that does not stream answers with one object; an error under status 200 is one too."""
    text = text.lstrip("\ufeff \r\n\t")
    if text.startswith("<"):
        raise Unreadable()
    answer = parse_event(text)
    if answer.get("error"):
        spoken = refusals.from_words(answer["error"], secret)
        raise spoken or refusals.from_status(400, answer["error"], secret=secret)
    choices = answer.get("choices")
    choice = _mapping(choices[0]) if isinstance(choices, list) and choices else {}
    message, reason = choice.get("message"), choice.get("finish_reason")
    if not isinstance(choices, list):
        raise Unreadable(permanent=True)
    if not isinstance(message, dict):
        raise EmptyAnswer()
    return Piece(
        text=as_text(message.get("content")),
        thinking=as_text(message.get("reasoning_content")) or as_text(message.get("reasoning")),
        finish_reason=reason if isinstance(reason, str) and reason else None,
        usage=read_usage(answer),
        calls_tool=bool(message.get("tool_calls")),
        is_last=True,
    )


def _collect(lines: Iterator[str], max_characters: int) -> str:
    collected: list[str] = []
    size = 0
    for line in lines:
        size += len(line) + 1
        if size > max_characters:
            raise AnswerTooLarge()
        collected.append(line)
    return "\n".join(collected)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _progress(value: Any) -> PromptProgress | None:
    if not isinstance(value, dict):
        return None
    total, cached, read = (as_count(value.get(name)) for name in ("total", "cache", "processed"))
    if total is None or read is None:
        return None
    return PromptProgress(total_tokens=total, cached_tokens=cached or 0, read_tokens=read)


def _is_lm_studio(entry: Mapping[str, Any]) -> bool:
    return entry.get("owned_by") == "organization_owner"
