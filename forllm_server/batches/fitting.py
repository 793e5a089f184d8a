"""Answers held against a JSON Schema, in a process of its own that is ended when it takes too long.

A schema is foreign text like a regular expression: it may refer to itself so that it never ends. The library matches
its patterns in linear time (no look-around, no back-references), is told to fetch nothing, and works in a process whose
time and memory are bounded; a schema that makes it crash takes nothing along.
"""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from forllm_server.errors import Invalid

LONGEST_SCHEMA = 20_000
#: braces and brackets within each other
DEEPEST_SCHEMA = 60
#: for the schema and all texts that one process is given
TIMEOUT_SECONDS = 5.0
#: of a text; a longer answer is not looked at
LONGEST_TEXT = 200_000
MEMORY_BYTES = 1 << 30
#: After so many texts on which a schema ran out of time, it is not tried on the rest.
MOST_TIMEOUTS = 2
TOO_LONG = "took too long to say"
_LIBRARY = "jsonschema_rs"

_CHILD = """
import json, math, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]), int(sys.argv[2])))
except (ImportError, ValueError, OSError):
    pass
sys.path.append(sys.argv[1])
import jsonschema_rs

def say(words):
    sys.stdout.write(json.dumps(words) + "\\n")
    sys.stdout.flush()

def refuse(constant):
    raise ValueError(constant)

def number(digits):
    found = float(digits)
    if math.isinf(found):
        raise ValueError(digits)
    return found

schema, texts = json.load(sys.stdin)
try:
    validator = jsonschema_rs.validator_for(
        schema, validate_formats=True, offline=True, pattern_options=jsonschema_rs.RegexOptions(size_limit=1 << 20)
    )
except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, TypeError) as error:
    say(getattr(error, "message", None) or str(error) or type(error).__name__)
    sys.exit()
say("")
for text in texts:
    try:
        document = json.loads(text, parse_constant=refuse, parse_float=number)
        validator.validate(document)
        say("")
    except jsonschema_rs.ValidationError as error:
        place = "/".join(map(str, error.instance_path))
        say((f"at {place[:100]}: " if place else "") + error.message[:200])
    except (ValueError, RecursionError):
        say("it is no JSON")
"""


def check_schema(text: str) -> None:
    """Raises Invalid (checks) for what is no JSON Schema, or one that cannot be used here."""
    if len(text) > LONGEST_SCHEMA:
        raise Invalid(f"A JSON Schema has {LONGEST_SCHEMA:,} characters at most.", field="checks")
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        detail = str(error) if isinstance(error, json.JSONDecodeError) else "it cannot be read"
        raise Invalid(f"This is no JSON, and so no JSON Schema: {detail}.", field="checks") from error
    if not isinstance(schema, dict | bool):
        raise Invalid("A JSON Schema is an object in braces.", field="checks")
    if _depth(schema) > DEEPEST_SCHEMA:
        raise Invalid(f"This JSON Schema is nested more than {DEEPEST_SCHEMA} deep.", field="checks")
    said = _run(text, [])
    if not said:
        raise Invalid("This JSON Schema cannot be used: reading it took too long or too much memory.", field="checks")
    if said[0]:
        raise Invalid(
            f"This JSON Schema cannot be used: {_shortened(said[0])}. References lead to places within it, and "
            "patterns have no look-around and no back-references.",
            field="checks",
        )


def title_of(text: str) -> str:
    """What the schema calls itself; empty when it does not."""
    schema = json.loads(text)
    title = schema.get("title") if isinstance(schema, dict) else None
    return " ".join(title.split())[:60] if isinstance(title, str) else ""


def faults_of(schema: str, texts: Sequence[str]) -> list[str | None]:
    """What each text, bare JSON, does not have as the schema wants it; None where it is all right."""
    faults: list[str | None] = []
    timeouts = 0
    looked_at = [text if len(text) <= LONGEST_TEXT else None for text in texts]
    while len(faults) < len(texts) and timeouts < MOST_TIMEOUTS:
        left = looked_at[len(faults) :]
        said = _run(schema, ["" if text is None else text for text in left])[1:]
        for text, fault in zip(left, said, strict=False):
            faults.append(_shortened(fault) or None if text is not None else "it is too long to be looked at")
        if len(said) < len(left):
            faults.append(TOO_LONG)
            timeouts += 1
    return faults + [TOO_LONG] * (len(texts) - len(faults))


def _depth(value: object) -> int:
    """How deep objects and lists stand within each other, without recursion of our own."""
    deepest, here = 0, [value]
    while here:
        deepest += 1
        here = [
            inner
            for each in here
            for inner in (each.values() if isinstance(each, dict) else each if isinstance(each, list) else ())
            if isinstance(inner, dict | list)
        ]
    return deepest


def _run(schema: str, texts: Sequence[str]) -> list[str]:
    """What was said in time: of the schema, then of each text; empty words mean that all is well."""
    found = importlib.util.find_spec(_LIBRARY)
    assert found is not None
    assert found.origin is not None
    place = Path(found.origin).parent.parent
    given = json.dumps([json.loads(schema), list(texts)])
    # -I -S: nothing of the user's environment, and a start of a few milliseconds.
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-X", "utf8", "-c", _CHILD, str(place), str(MEMORY_BYTES)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    ) as process:
        try:
            said = process.communicate(given, timeout=TIMEOUT_SECONDS)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            said = process.communicate()[0]
    # What was being written when it ended is no answer.
    return [json.loads(line) for line in said.splitlines(keepends=True) if line.endswith("\n")]


def _shortened(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= 300 else f"{line[:300].rstrip()}…"
