"""Fields that take exactly the JSON type they name: no "1" for 1, no 1 for true, no number too large to store."""

import math
from typing import Any

from marshmallow import fields, validate

from forllm_server.web.paging import encode_cursor

MAX_ID = 2**63 - 1


class Integer(fields.Integer):
    """A whole number, between the bounds if given."""

    def __init__(self, *, least: int = -(2**31), most: int = 2**31 - 1, **options: Any) -> None:
        super().__init__(strict=True, validate=validate.Range(least, most), **options)


class Id(Integer):
    """The id of something."""

    def __init__(self, **options: Any) -> None:
        super().__init__(least=1, most=MAX_ID, **options)


class Number(fields.Float):
    """A finite number, between the bounds if given."""

    def __init__(self, *, least: float | None = None, most: float | None = None, **options: Any) -> None:
        super().__init__(allow_nan=False, validate=validate.Range(least, most), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **options)


class Boolean(fields.Boolean):
    """true or false."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class QueryId(fields.Integer):
    """An id in an address."""

    def __init__(self, *, most: int = MAX_ID, **options: Any) -> None:
        super().__init__(validate=validate.Range(1, most), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        if not (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **options)


class Moment(fields.AwareDateTime):
    """A moment, ISO 8601 with its zone."""

    def __init__(self, **options: Any) -> None:
        super().__init__(format="iso", **options)


class Cursor(fields.String):
    """Where the next page begins; opaque. Dumped from a tuple of sort keys."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **options: Any) -> Any:
        return encode_cursor(*value) if isinstance(value, tuple) else value


def text(*, longest: int = 1_000_000, is_filled: bool = False, **options: Any) -> fields.String:
    """A text of at most ``longest`` characters. What it may hold is for the rules of its noun to say."""
    return fields.String(validate=validate.Length(min=1 if is_filled else None, max=longest), **options)


def one_of(options: Any, **more: Any) -> fields.String:
    """One of these words (an enum's values, or plain strings)."""
    return fields.String(validate=validate.OneOf([str(option) for option in options]), **more)
