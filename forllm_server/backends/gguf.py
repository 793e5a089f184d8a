"""The head of a GGUF model file: its name and sizes, without loading it. Pure but for reading the file.

Format: github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from forllm_server.backends.faults import Refused

_NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_TEXT, _ARRAY = 8, 9
_LONGEST_TEXT = 1_000_000
_MOST_ENTRIES = 10_000


@dataclass(frozen=True)
class GgufHead:
    """What a model file says about itself. `context_tokens` is the trained limit."""

    name: str
    architecture: str
    context_tokens: int | None
    size_bytes: int
    details: Mapping[str, Any] = field(default_factory=dict)


def read_head(path: Path) -> GgufHead:
    """Read the head of a model file. Raises Refused when it is none."""
    try:
        with path.open("rb") as file:
            facts = _read_facts(file)
        size = path.stat().st_size
    except FileNotFoundError:
        raise Refused(f"There is no model file {path}.", field="gguf_path") from None
    except OSError as error:
        raise Refused(f"The model file {path} cannot be read: {error.strerror}.", field="gguf_path") from None
    except (struct.error, ValueError):
        raise Refused(f"{path} is not a GGUF model file, or is damaged.", field="gguf_path") from None
    architecture = str(facts.get("general.architecture", ""))
    context = facts.get(f"{architecture}.context_length")
    kept = ("general.architecture", "general.size_label", "general.license")
    return GgufHead(
        name=str(facts.get("general.name") or path.stem),
        architecture=architecture,
        context_tokens=context if isinstance(context, int) and context > 0 else None,
        size_bytes=size,
        details={key.removeprefix("general."): facts[key] for key in kept if key in facts},
    )


def _read_facts(file: BinaryIO) -> dict[str, Any]:
    """The key-value pairs before the first array, which is where the tokenizer begins."""
    if file.read(4) != b"GGUF" or _number(file, "<I") not in (2, 3):
        raise ValueError
    _number(file, "<Q")
    facts: dict[str, Any] = {}
    for _ in range(min(_number(file, "<Q"), _MOST_ENTRIES)):
        key, kind = _text(file), _number(file, "<I")
        if kind == _ARRAY and key.startswith("tokenizer."):
            break
        facts[key] = _value(file, kind)
    return facts


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _TEXT:
        return _text(file)
    if kind == _ARRAY:
        inner, length = _number(file, "<I"), _number(file, "<Q")
        if length > _MOST_ENTRIES or inner == _ARRAY:
            raise ValueError
        return [_value(file, inner) for _ in range(length)]
    if kind not in _NUMBERS:
        raise ValueError
    return _number(file, _NUMBERS[kind])


def _number(file: BinaryIO, form: str) -> Any:
    return struct.unpack(form, file.read(struct.calcsize(form)))[0]


def _text(file: BinaryIO) -> str:
    length = _number(file, "<Q")
    if length > _LONGEST_TEXT:
        raise ValueError
    return file.read(length).decode("utf-8", "replace")
