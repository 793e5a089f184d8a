"""Simple checks of an answer: contains, lacks, matches, is JSON, perhaps as a schema wants it, has a certain length.

Regular expressions and JSON Schemas are tried elsewhere (:mod:`forllm_server.batches.matching`,
:mod:`forllm_server.batches.fitting`), because they can take for ever.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from forllm_server.batches.fitting import LONGEST_SCHEMA, check_schema, title_of
from forllm_server.errors import Invalid

LONGEST_PATTERN = 500
LONGEST_NEEDLE = 1_000
MOST_CHECKS = 20
#: of what any check can be given
LONGEST_VALUE = LONGEST_SCHEMA


class CheckKind(StrEnum):
    """What is looked at."""

    CONTAINS = "contains"  #: the text stands in it, upper and lower case alike
    LACKS = "lacks"  #: the text does not
    MATCHES = "matches"  #: a regular expression finds something in it
    JSON = "json"  #: it is JSON, alone or in one fence; ``value``: members that an object must have
    SCHEMA = "schema"  #: it is JSON, alone or in one fence, as a JSON Schema wants it
    LEAST = "least"  #: it has so many characters or more
    MOST = "most"  #: it has so many characters or fewer


@dataclass(frozen=True)
class Check:
    """One check. ``value`` as its kind needs it, always a text."""

    kind: CheckKind
    value: str = ""

    @property
    def words(self) -> str:
        """The check as people read it: ``contains “yes”``."""
        if self.kind is CheckKind.JSON:
            return f"is JSON with {self.value}" if self.value else "is JSON"
        if self.kind is CheckKind.SCHEMA:
            title = title_of(self.value)
            return f"fits the JSON Schema “{title}”" if title else "fits the JSON Schema"
        if self.kind is CheckKind.LEAST:
            return f"has {int(self.value):,} characters or more"
        if self.kind is CheckKind.MOST:
            return f"has {int(self.value):,} characters or fewer"
        return f"{self.kind.value} “{self.value}”"

    def as_dict(self) -> dict[str, str]:
        return {name: str(value) for name, value in asdict(self).items()}


#: They can take for ever, so a process of its own tries them on many texts at once.
TRIED_ELSEWHERE = (CheckKind.MATCHES, CheckKind.SCHEMA)
#: Names of JSON's types in a check, and what they are in Python; true is no number.
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
_FENCE = re.compile(r"\A```[\w-]*[ \t]*\n(.*)\n[ \t]*```\Z", re.DOTALL)


def new_check(kind: str, value: str) -> Check:
    """A check that can be made. Raises Invalid (checks)."""
    if kind not in list(CheckKind):
        raise Invalid(f"A check is one of {', '.join(CheckKind)}.", field="checks")
    check = Check(CheckKind(kind), value.strip() if kind != CheckKind.MATCHES else value)
    _RULES[check.kind](check.value)
    return check


def _check_needle(value: str) -> None:
    if not 1 <= len(value) <= LONGEST_NEEDLE:
        raise Invalid(f"A text to look for has 1 to {LONGEST_NEEDLE:,} characters.", field="checks")


def _check_pattern(value: str) -> None:
    if not 1 <= len(value) <= LONGEST_PATTERN:
        raise Invalid(f"A regular expression has 1 to {LONGEST_PATTERN} characters.", field="checks")
    try:
        re.compile(value)
    except (re.error, RecursionError, OverflowError) as error:
        raise Invalid(f"“{value}” is no regular expression: {error}.", field="checks") from error


def _check_members(value: str) -> None:
    if len(value) > LONGEST_NEEDLE:
        raise Invalid(f"The members have {LONGEST_NEEDLE:,} characters at most.", field="checks")
    if value.startswith(("{", "[")):
        raise Invalid(
            "A JSON Schema is a check of its own. Here stand the members that the object must have, as in "
            "name, age:number.",
            field="checks",
        )
    members_of(value)


def _check_length(value: str) -> None:
    if not (value.isascii() and value.isdigit() and len(value) < 8):
        raise Invalid("A length is a whole number of characters, up to 9,999,999.", field="checks")


_RULES = {
    CheckKind.CONTAINS: _check_needle,
    CheckKind.LACKS: _check_needle,
    CheckKind.MATCHES: _check_pattern,
    CheckKind.JSON: _check_members,
    CheckKind.SCHEMA: check_schema,
    CheckKind.LEAST: _check_length,
    CheckKind.MOST: _check_length,
}


def members_of(value: str) -> dict[str, str]:
    """``name, age:number`` as ``{"name": "", "age": "number"}``. Raises Invalid (checks)."""
    members: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in value.split(","))):
        name, _, kind = (piece.strip() for piece in part.partition(":"))
        if not name or kind not in ("", *_TYPES):
            raise Invalid(
                f"“{part}” names no member of an object. Write names with commas between them, each perhaps with its "
                f"type, as in name, age:number. Types are {', '.join(_TYPES)}.",
                field="checks",
            )
        members[name] = kind
    return members


def failed_of(checks: Sequence[Check], text: str, faults: Mapping[Check, str | None]) -> tuple[str, ...]:
    """What a text fails, in words; empty when it passes all.

    ``faults``: of the checks that are tried elsewhere, why the text fails them (perhaps without a word); None where it
    passes.
    """
    failed = []
    for check in checks:
        if check.kind in TRIED_ELSEWHERE:
            fault = faults[check]
            if fault is not None:
                failed.append(f"{check.words}: {fault}" if fault else check.words)
        elif not _passes(check, text):
            failed.append(check.words)
    return tuple(failed)


def _passes(check: Check, text: str) -> bool:
    match check.kind:
        case CheckKind.CONTAINS:
            return check.value.casefold() in text.casefold()
        case CheckKind.LACKS:
            return check.value.casefold() not in text.casefold()
        case CheckKind.LEAST:
            return len(text.strip()) >= int(check.value)
        case CheckKind.MOST:
            return len(text.strip()) <= int(check.value)
        case _:
            return _is_json(text, members_of(check.value))


def bare_json(text: str) -> str:
    """The text without the one fence that may stand around it."""
    bare = text.strip()
    fenced = _FENCE.match(bare)
    return fenced[1] if fenced else bare


def _is_json(text: str, members: Mapping[str, str]) -> bool:
    try:
        found = json.loads(bare_json(text), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    if not members:
        return True
    return isinstance(found, dict) and all(
        name in found and _is_of_type(found[name], kind) for name, kind in members.items()
    )


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _is_of_type(value: Any, kind: str) -> bool:
    if not kind:
        return True
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
