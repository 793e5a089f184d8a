"""How a model is to generate: which parameters there are, what they may be, and which ones hold. Pure.

A parameter that is absent (or null) is inherited. ``extra`` is handed to the server as it is, for what only that
kind of server knows (top_k, min_p, mirostat …). Ours are ``repetition_guard`` (false lets a model repeat itself),
``ambient`` (what a persona is shown of other branches) and ``takes_summaries`` (false: never a summary for posts).
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from forllm_server.errors import Invalid

MAX_TOKENS_LIMIT = 131_072
CONTEXT_TOKENS_MIN, CONTEXT_TOKENS_LIMIT = 256, 1_048_576
MAX_STOPS, STOP_MAX_CHARS = 8, 200
#: Servers read seeds as 64-bit integers; -1 asks most of them for a random one.
SEED_MIN, SEED_MAX = -1, 2**63 - 1
EXTRA_MAX_CHARS = 10_000
#: What of other branches a persona is shown: nothing, the newest posts, or those that stand nearest.
AMBIENT = ("off", "newest", "nearest")


def clean_parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that are set, checked. Raises Invalid with ``field`` naming the first that will not do."""
    for name in given:
        if name not in _CHECKS:
            raise Invalid(
                f"There is no parameter called “{name[:60]}”. There are: {', '.join(_CHECKS)}; "
                "what only one kind of server knows goes into extra.",
                field=name[:60],
            )
    checked = {name: check(name, given.get(name)) for name, check in _CHECKS.items()}
    return {name: value for name, value in checked.items() if value is not None}


def merge(defaults: Mapping[str, Any], *overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that hold: later mappings win where they set something; ``extra`` is merged key by key."""
    merged: dict[str, Any] = {}
    for layer in (defaults, *overrides):
        given = {name: value for name, value in layer.items() if value is not None}
        if "extra" in given:
            given["extra"] = {**merged.get("extra", {}), **given["extra"]}
        merged |= given
    return merged


def _number(minimum: float, maximum: float) -> Callable[[str, Any], float | None]:
    def check(name: str, value: Any) -> float | None:
        if value is None:
            return None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not minimum <= value <= maximum:
            raise Invalid(f"{name} must be a number from {minimum:g} to {maximum:g}.", field=name)
        return float(value)

    return check


def _integer(minimum: int, maximum: int) -> Callable[[str, Any], int | None]:
    def check(name: str, value: Any) -> int | None:
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
            raise Invalid(f"{name} must be a whole number from {minimum:,} to {maximum:,}.", field=name)
        return value

    return check


def _stop(name: str, value: Any) -> list[str] | None:
    if value is None or value == []:
        return None
    is_list = isinstance(value, list) and len(value) <= MAX_STOPS
    if not is_list or not all(isinstance(text, str) and 0 < len(text) <= STOP_MAX_CHARS for text in value):
        raise Invalid(f"{name} must be up to {MAX_STOPS} texts of 1 to {STOP_MAX_CHARS} characters.", field=name)
    if any(_is_unstorable(text) for text in value):
        raise Invalid(f"{name} must not hold NUL characters or halves of characters.", field=name)
    return list(value)


def _extra(name: str, value: Any) -> dict[str, Any] | None:
    if value is None or value == {}:
        return None
    if not isinstance(value, dict):
        raise Invalid(f'{name} must be a JSON object, such as {{"top_k": 40}}.', field=name)
    try:
        encoded = json.dumps(value, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid(f"{name} holds something that is no JSON value.", field=name) from error
    if len(encoded) > EXTRA_MAX_CHARS:
        raise Invalid(f"{name} is too long: at most {EXTRA_MAX_CHARS:,} characters fit.", field=name)
    # json.dumps spells NUL as an escape, which PostgreSQL refuses inside JSON.
    if "\\u0000" in encoded or _is_unstorable(encoded):
        raise Invalid(f"{name} must not hold NUL characters or halves of characters.", field=name)
    # As it will be read back: keys are texts, tuples are lists.
    extra: dict[str, Any] = json.loads(encoded)
    return extra


def _flag(name: str, value: Any) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise Invalid(f"{name} must be true or false.", field=name)
    return value


def _word(*choices: str) -> Callable[[str, Any], str | None]:
    def check(name: str, value: Any) -> str | None:
        if value is None:
            return None
        if value not in choices:
            raise Invalid(f"{name} must be one of: {', '.join(choices)}.", field=name)
        return str(value)

    return check


def _is_unstorable(text: str) -> bool:
    return any(letter == "\x00" or "\ud800" <= letter <= "\udfff" for letter in text)


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "temperature": _number(0, 2),
    "top_p": _number(0, 1),
    "max_tokens": _integer(1, MAX_TOKENS_LIMIT),
    "context_tokens": _integer(CONTEXT_TOKENS_MIN, CONTEXT_TOKENS_LIMIT),
    "seed": _integer(SEED_MIN, SEED_MAX),
    "stop": _stop,
    "repetition_guard": _flag,
    "ambient": _word(*AMBIENT),
    "takes_summaries": _flag,
    "extra": _extra,
}

#: The names there are, in the order that forms show them.
PARAMETER_NAMES = tuple(_CHECKS)
