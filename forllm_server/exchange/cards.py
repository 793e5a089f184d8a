"""Character cards, as other programs exchange characters: V1, V2 and V3 are read, V2 and V3 written. Pure.

A card tells a character in several texts; a persona has one, its instructions, which they are put together into. All
that a persona has no place for (greetings, a lore book, extensions, others' fields) is kept beside it and given
back when it is exported. Everything in a card is foreign text.

Sources: https://github.com/malfoyslastname/character-card-spec-v2 (spec_v2.md) and
https://github.com/kwaroran/character-card-spec-v3 (SPEC_V3.md).
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from forllm_server.errors import Invalid
from forllm_server.exchange.png import is_png, read_texts

#: So deep may what a card holds be nested, and so many characters of it are kept.
DEEPEST = 40
KEPT_CHARACTERS_MOST = 1_000_000

#: The texts that become instructions, with the headings they get there.
_PARTS = (
    ("system_prompt", ""),
    ("description", ""),
    ("personality", "Personality"),
    ("scenario", "Scenario"),
    ("mes_example", "Examples of how {name} speaks"),
    ("post_history_instructions", "Always"),
)
#: Fields of the texts, by name; all of them are there in every card that is written.
_TEXTS = (
    *("description", "personality", "scenario", "first_mes", "mes_example", "creator_notes", "system_prompt"),
    *("post_history_instructions", "creator", "character_version"),
)
_OWN = "forllm"
_MACRO = re.compile(r"\{\{\s*(char|user|original)\s*\}\}|<(BOT|USER)>", re.IGNORECASE)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Card:
    """What a card makes of a persona. ``kept``: its fields that a persona has no place for."""

    name: str
    instructions: str
    tags: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    kept: Mapping[str, Any] = field(default_factory=dict)


def read_json(content: bytes, *, field_name: str = "file") -> Any:
    """JSON of foreign origin, with what no database holds replaced. Raises Invalid with the field named."""
    try:
        found = json.loads(content.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Invalid("This is no JSON that can be read.", field=field_name) from error
    return _storable(found, DEEPEST, field_name)


def card_json_of_png(content: bytes) -> bytes:
    """The card in a picture, that of V3 before that of V2. Raises Invalid(field="file")."""
    texts = read_texts(content) if is_png(content) else {}
    text = texts.get("ccv3") or texts.get("chara")
    if text is None:
        raise Invalid("There is no character card in this picture.", field="file")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("The character card in this picture is damaged.", field="file") from error


def is_card(found: Any) -> bool:
    """Whether some JSON looks like a card."""
    if not isinstance(found, dict):
        return False
    spec = found.get("spec")
    return (isinstance(spec, str) and spec.startswith("chara_card_v")) or ("name" in found and "first_mes" in found)


def read_card(found: Mapping[str, Any]) -> Card:
    """A card's persona. Raises Invalid(field="file") for one without a name or without any text."""
    data = found.get("data") if "spec" in found else found
    if not isinstance(data, dict):
        raise Invalid("This character card has no character in it.", field="file")
    name = _text(data, "name").strip()
    if not name:
        raise Invalid("This character card has no name in it.", field="file")
    extensions = data.get("extensions")
    own = extensions.get(_OWN) if isinstance(extensions, dict) else None
    own = own if isinstance(own, dict) else {}
    own_text = own.get("instructions")
    instructions = own_text if isinstance(own_text, str) and own_text.strip() else _instructions(data, name)
    if not instructions.strip():
        raise Invalid("This character card says nothing of its character.", field="file")
    tags = data.get("tags")
    parameters = own.get("parameters")
    return Card(
        name=name,
        instructions=instructions,
        tags=tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
        parameters=parameters if isinstance(parameters, dict) else {},
        kept=_kept(data),
    )


def write_card(card: Card, *, version: int = 3) -> dict[str, Any]:
    """The card as JSON: of V3, which readers of V2 accept too, or of V2."""
    kept = dict(card.kept)
    extensions = kept.pop("extensions", None)
    extensions = dict(extensions) if isinstance(extensions, dict) else {}
    data: dict[str, Any] = dict.fromkeys(_TEXTS, "") | {"alternate_greetings": []}
    if version == 3:
        data |= {"group_only_greetings": []}
    data |= kept | {
        "name": card.name,
        "description": card.instructions,
        "tags": list(card.tags),
        "extensions": extensions | {_OWN: {"instructions": card.instructions, "parameters": dict(card.parameters)}},
    }
    return {"spec": f"chara_card_v{version}", "spec_version": f"{version}.0", "data": data}


def png_texts(card: Card) -> dict[str, bytes]:
    """What a picture of the card holds: it for programs that know V3, and for those that know V2."""
    return {
        keyword: base64.b64encode(json.dumps(write_card(card, version=version), ensure_ascii=False).encode())
        for keyword, version in (("chara", 2), ("ccv3", 3))
    }


def _instructions(data: Mapping[str, Any], name: str) -> str:
    parts = []
    for key, heading in _PARTS:
        text = _filled(_text(data, key), name).strip()
        if text:
            parts.append(f"{heading.format(name=name)}:\n{text}" if heading else text)
    if not parts:
        return ""
    return f"You are {name}.\n\n" + "\n\n".join(parts)


def _filled(text: str, name: str) -> str:
    """A card's placeholders filled in; ``original`` is a prompt of the program's own: there is none."""

    def fill(match: re.Match[str]) -> str:
        word = (match[1] or match[2]).lower()
        return {"char": name, "bot": name, "original": ""}.get(word, "the user")

    return _MACRO.sub(fill, text)


def _kept(data: Mapping[str, Any]) -> dict[str, Any]:
    gone = {"name", "tags", *(key for key, _ in _PARTS)}
    kept = {key: value for key, value in data.items() if key not in gone}
    return kept if len(json.dumps(kept)) <= KEPT_CHARACTERS_MOST else {}


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""


def _refuse_constant(text: str) -> Any:
    raise ValueError(text)


def _storable(value: Any, depth: int, field_name: str) -> Any:
    if depth == 0:
        raise Invalid(f"This is nested deeper than {DEEPEST} levels.", field=field_name)
    if isinstance(value, str):
        return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [_storable(each, depth - 1, field_name) for each in value]
    if isinstance(value, dict):
        return {
            _storable(key, depth, field_name): _storable(each, depth - 1, field_name) for key, each in value.items()
        }
    return value
