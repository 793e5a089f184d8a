"""``log.event("llm_request.claimed", llm_request=12)``: one line per outcome, as text or as JSON.

An event is named ``<noun>.<past verb>``; its facts are small values. What people and models wrote, and whatever
opens a door, is never logged: facts of such names are hidden here, whoever passes them.
"""

import json
import logging
import sys
import time
import traceback
from typing import Any

DEBUG, INFO, WARNING, ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR
LEVELS = ("debug", "info", "warning", "error")
HIDDEN = frozenset(
    {"api_key", "authorization", "content", "cookie", "messages", "password", "prompt", "secret", "secret_key", "text"}
    | {"thinking", "token"}
)
#: Libraries that report at INFO what is of interest only when looking for a fault.
NOISY = ("alembic", "apscheduler", "urllib3", "waitress")

_logger = logging.getLogger("forllm")


def event(name: str, /, *, level: int = INFO, **facts: Any) -> None:
    """Write one line. ERROR only where a person must act; inside an ``except`` block it carries the traceback."""
    if not _logger.isEnabledFor(level):
        return
    has_traceback = level >= ERROR and sys.exc_info()[0] is not None
    _logger.log(level, name, extra={"facts": facts}, exc_info=has_traceback)


def set_up(*, level: str = "info", format: str = "text") -> None:
    """Send every log line of the process to stderr. ``level``: one of LEVELS; ``format``: text or json."""
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines() if format == "json" else _TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


class _TextLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = "".join(f" {name}={_as_text(value)}" for name, value in _facts(record).items())
        return f"{_moment(record)} {record.levelname} {_one_line(record.getMessage())}{facts}"


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"at": _moment(record), "level": record.levelname.lower(), "event": record.getMessage()}
        return json.dumps(line | _facts(record), default=str)


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    facts = {name: "[hidden]" if name in HIDDEN else value for name, value in getattr(record, "facts", {}).items()}
    if record.name != _logger.name:
        facts["logger"] = record.name
    if record.exc_info and record.exc_info[0] is not None:
        facts["traceback"] = "".join(traceback.format_exception(*record.exc_info))
    return facts


def _moment(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03d}Z"


def _as_text(value: Any) -> str:
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    text = str(value)
    is_plain = bool(text) and text.isprintable() and not any(mark in text for mark in ' "=')
    return text if is_plain else json.dumps(text, ensure_ascii=not text.isprintable())


def _one_line(text: str) -> str:
    return text if text.isprintable() else json.dumps(text)[1:-1]
