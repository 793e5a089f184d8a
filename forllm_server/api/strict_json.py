"""JSON without surprises: what a lenient reader would guess at is refused (RFC 8259, I-JSON of RFC 7493)."""

import json
from typing import Any

from forllm_server.web.paging import Malformed

#: Numbers with more digits fit no field; reading millions of digits would take minutes.
_MOST_DIGITS = 40


def read_json(raw: bytes) -> Any:
    """The value in ``raw``. Raises :class:`Malformed` for broken JSON, and for duplicate names, NaN and infinities,
    enormous numbers, lone surrogates, NUL characters and endless nesting."""
    try:
        value = json.loads(
            raw.decode(),
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_int=_integer,
            parse_float=_number,
        )
        _check_characters(value)
    except UnicodeDecodeError as error:
        raise Malformed("The body is not UTF-8.") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Malformed(f"The body is not valid JSON: {error.msg} ({place}).") from error
    except RecursionError as error:
        raise Malformed("The body is nested too deeply.") from error
    return value


def _check_characters(value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise Malformed("The body holds a NUL character, which cannot be stored.")
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise Malformed("The body holds half of a character (a lone surrogate).")
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check_characters(name)
            _check_characters(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_characters(inner)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Malformed(f"The name {name[:60]!r} stands twice in one object.", field=name[:60])
        found[name] = value
    return found


def _refuse_constant(name: str) -> Any:
    raise Malformed(f"{name} is not JSON.")


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise Malformed("A number in the body has too many digits.")
    return int(digits)


def _number(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise Malformed("A number in the body is too large.")
    return value
