"""What a server's error says, as a BackendError: by HTTP status, by code, and by the words servers use. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from forllm_server.backends.faults import (
    BackendError,
    Busy,
    ContentFiltered,
    ContextExceeded,
    KeyRefused,
    ModelMissing,
    Redirected,
    Refused,
    ServerFault,
)

#: never wait longer than this for a server that asks for patience, in seconds
RETRY_AFTER_CAP_SECONDS = 15 * 60
_QUOTE_CHARACTERS = 300

_CONTEXT = re.compile(
    r"exceed_context_size|context_length_exceeded|exceeds? the (?:available |model'?s? |maximum )?context"
    r"|maximum context length|context (?:length|window|size) (?:is |was )?exceeded"
    r"|longer than the (?:model'?s? )?context"
    r"|input length exceeds|prompt is too long|greater than the context length|larger than the context",
    re.IGNORECASE,
)
_MISSING = re.compile(
    r"model[^.]{0,80}(?:not found|does not exist|is not loaded|not available)|no such model", re.IGNORECASE
)
_FILTER = re.compile(r"content_filter|content_policy|content management policy", re.IGNORECASE)
_MONEY = re.compile(r"insufficient_quota|exceeded your current quota|billing", re.IGNORECASE)
_BEARER = re.compile(r"(?i)(bearer\s+|api[_-]?key\W{1,4})[\w.~+/=-]{6,}|\bsk-[\w-]{6,}")
_MARKUP = re.compile(r"(?is)<(script|style)\b.*?(?:</\1>|$)|<[^>]{0,500}>")


def scrub(text: str, secret: str | None) -> str:
    """The text, short, in one line, without markup and without the key, for showing to people."""
    if secret:
        text = text.replace(secret, "[key]")
    text = _BEARER.sub("[key]", text[: 4 * _QUOTE_CHARACTERS])
    text = " ".join(_MARKUP.sub(" ", text).split())
    text = "".join(character for character in text if character.isprintable())
    return text if len(text) <= _QUOTE_CHARACTERS else text[: _QUOTE_CHARACTERS - 1] + "…"


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """A Retry-After header (seconds or an HTTP date, RFC 9110 10.2.3), never negative, capped at 15 minutes."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
            seconds = (moment - now).total_seconds() if moment.tzinfo else 0.0
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 0.0), float(RETRY_AFTER_CAP_SECONDS)) if seconds == seconds else None


def from_status(
    status: int,
    error: Any,
    *,
    secret: str | None = None,
    wait_seconds: float | None = None,
    location: str | None = None,
) -> BackendError:
    """The BackendError for an HTTP status that is not 200; `error` is the body, parsed where it was JSON."""
    said = _said(error, secret)
    if 300 <= status < 400:
        target = f" It points to {scrub(location, secret)}." if location else ""
        return Redirected((Redirected.__doc__ or "") + target)
    if status in (401, 403):
        return KeyRefused(_with(KeyRefused, said), status=status)
    spoken = from_words(error, secret) if status < 500 or status == 500 else None
    if spoken is not None:
        return spoken
    if status == 429:
        return Busy(f"The model server asks to wait. {said}".strip(), retry_after_seconds=wait_seconds, status=status)
    if status == 404:
        return ModelMissing(f"The model server answers “not found” (HTTP 404). {said}".strip(), status=status)
    if status in (408, 425, 502, 503, 504):
        message = f"The model server is busy or still loading (HTTP {status}). {said}".strip()
        return Busy(message, is_backend_down=True, retry_after_seconds=wait_seconds, status=status)
    if status >= 500 and status != 501:
        message = f"The model server reports a fault of its own (HTTP {status}). {said}".strip()
        return ServerFault(message, retry_after_seconds=wait_seconds, status=status)
    return Refused(f"The model server refuses this request (HTTP {status}). {said}".strip(), status=status)


def from_words(error: Any, secret: str | None = None) -> BackendError | None:
    """The permanent error that a server's own words and codes name, or None when they name none."""
    fields = error if isinstance(error, Mapping) else {}
    words = " ".join(str(fields.get(key, "")) for key in ("type", "code", "message")) if fields else str(error)
    words = words[:4000]
    if _CONTEXT.search(words):
        return _context_exceeded(fields, words)
    said = _said(error, secret)
    if _FILTER.search(words):
        return ContentFiltered(_with(ContentFiltered, said))
    if _MONEY.search(words):
        return Refused(f"The model server refuses this request. {said}")
    if _MISSING.search(words):
        return ModelMissing(_with(ModelMissing, said))
    return None


def from_stream(error: Any, *, secret: str | None = None) -> BackendError:
    """An error object inside a stream that began well: transient, unless its words say otherwise."""
    spoken = from_words(error, secret)
    if spoken is not None:
        return spoken
    said = _said(error, secret)
    code = error.get("code") if isinstance(error, Mapping) else None
    if isinstance(code, int) and code in (401, 403):
        return KeyRefused(_with(KeyRefused, said))
    if isinstance(code, int) and 400 <= code < 500 and code not in (408, 425, 429):
        return Refused(f"The model server refuses this request. {said}")
    return ServerFault(f"The model server broke off with an error. {said}".strip())


def _context_exceeded(fields: Mapping[str, Any], words: str) -> ContextExceeded:
    prompt_tokens, context_tokens = fields.get("n_prompt_tokens"), fields.get("n_ctx")
    if not (isinstance(prompt_tokens, int) and isinstance(context_tokens, int)):
        numbers = sorted({int(number) for number in re.findall(r"\d{3,9}", words)}, reverse=True)
        prompt_tokens, context_tokens = (numbers[0], numbers[1]) if len(numbers) == 2 else (None, None)
    if prompt_tokens is None or context_tokens is None:
        return ContextExceeded()
    return ContextExceeded(
        f"The prompt has {prompt_tokens:,} tokens and the model's context is {context_tokens:,}. "
        "Shorten the post or choose a model with a larger context.",
        prompt_tokens=prompt_tokens,
        context_tokens=context_tokens,
    )


def _said(error: Any, secret: str | None) -> str:
    if isinstance(error, Mapping):
        error = error.get("message") or error.get("detail") or error.get("type") or ""
    if error is None or error == "":
        return ""
    quoted = scrub(str(error), secret)
    return f"It says: “{quoted}”" if quoted else ""


def _with(kind: type[BackendError], said: str) -> str:
    return f"{kind.__doc__} {said}".strip()
