"""A persona in what a model wrote: JSON, or lines with labels, also in a fence and with prose around it. Pure.

What is read is foreign text: nothing in it is trusted, and nothing that cannot be seen is kept. Where there is no name
or there are no instructions, there is no draft.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from forllm_server.errors import Invalid
from forllm_server.markup.names import clean_name, clean_text, drawn_text
from forllm_server.personas.draft_model import DraftText
from forllm_server.personas.draft_prompts import PLACEHOLDERS
from forllm_server.personas.editing import INSTRUCTIONS_MAX_CHARS, NAME_MAX_CHARS

#: An answer is looked through so far; JSON is looked for at so many of its braces.
ANSWER_CHARS_MOST = 80_000
_BRACES_MOST = 40
DESCRIPTION_MAX_CHARS = 300
#: Fewer letters than that tell a model nothing.
_LETTERS_LEAST = 20

_LABELS: Mapping[str, tuple[str, ...]] = {
    "name": ("name", "persona name", "title"),
    "description": ("description", "short description", "summary", "tagline", "role"),
    "instructions": ("instructions", "system prompt", "prompt", "prompt instructions", "persona instructions"),
}
_PART_OF = {label: part for part, labels in _LABELS.items() for label in labels}
_LABEL = "|".join(sorted((label.replace(" ", r"[ _-]") for label in _PART_OF), key=len, reverse=True))
#: ``Name: x``, ``**Name:** x``, ``- Name: x``, ``## Name: x``; and a heading or bold label alone on its line.
_MARKED = re.compile(rf"^[\s>*_#-]{{0,12}}({_LABEL})[*_ \t]{{0,4}}[:：][*_ \t]{{0,4}}(.*)$", re.IGNORECASE)
_HEADED = re.compile(rf"^\s{{0,3}}(?:#{{1,6}}\s{{1,4}}|\*\*|__)({_LABEL})(?:\*\*|__)?\s*$", re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n`]*\n(.*?)^[ \t]*\1[ \t]*$", re.MULTILINE | re.DOTALL)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_HTML = re.compile(r"\s*<(?:!doctype|html|head|body|script|style)\b", re.IGNORECASE)
_SCRIPT = re.compile(r"<(script|style)\b[^>]*>.*?(?:</\1\s*>|$)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"</?[a-z][^<>]{0,2000}>|<!--.{0,2000}?-->", re.IGNORECASE | re.DOTALL)
_PLACEHOLDER = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|[.…\s]*|string|(?:your |persona )?name|instructions", re.IGNORECASE)
_NO_FORM = "There is neither JSON nor a line that says which is the name and which are the instructions."
_AROUND_NAME = " \t\"'`*_#“”„‘’«»:;,."

_READER = json.JSONDecoder(strict=False)


def read_draft(answer: str, *, wished_name: str = "") -> tuple[DraftText | None, str]:
    """(the draft, empty), or nothing and what is missing. ``wished_name`` stands instead of the model's own."""
    text = answer[:ANSWER_CHARS_MOST].replace("\r\n", "\n").replace("\r", "\n").strip()
    if not text:
        return None, "It wrote nothing."
    problem = ""
    for parts in _candidates(text):
        draft, missing = _draft(parts, wished_name)
        if draft is not None:
            return draft, ""
        problem = problem or missing
    return None, problem or _NO_FORM


def _candidates(text: str) -> Iterator[Mapping[str, str]]:
    yield from _json_parts(text)
    fenced = [match[2] for match in _FENCE.finditer(text)]
    for each in (*fenced, text):
        parts = _labelled(each)
        if parts:
            yield parts


def _json_parts(text: str) -> Iterator[Mapping[str, str]]:
    """The parts of each JSON object that has any, in order."""
    place, tried = text.find("{"), 0
    while place >= 0 and tried < _BRACES_MOST:
        found, end = _json_at(text, place)
        parts = _parts_of(found)
        if parts:
            yield parts
        tried += 1
        place = text.find("{", end if parts else place + 1)


def _json_at(text: str, place: int) -> tuple[Any, int]:
    for source in (text, text[:place] + _TRAILING_COMMA.sub(r"\1", text[place:])):
        try:
            return _READER.raw_decode(source, place)
        except (ValueError, RecursionError):
            continue
    return None, place + 1


def _parts_of(found: Any) -> dict[str, str]:
    if not isinstance(found, dict):
        return {}
    parts: dict[str, str] = {}
    for key, value in found.items():
        part = _PART_OF.get(re.sub(r"[\s_-]+", " ", str(key)).strip().casefold())
        words = _words_of(value)
        if part and words is not None:
            parts.setdefault(part, words)
    return parts


def _words_of(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return "\n".join(value)
    return None


def _labelled(text: str) -> dict[str, str]:
    """The parts under their labels; the instructions go on to the next label or the end."""
    lines: dict[str, list[str]] = {}
    part = ""
    for line in text.split("\n"):
        found = _MARKED.match(line) or _HEADED.match(line)
        label = _PART_OF[re.sub(r"[\s_-]+", " ", found[1]).casefold()] if found else ""
        if found and label not in lines:
            part = label
            lines[part] = [found[2]] if found.re is _MARKED else []
        elif part:
            lines[part].append(line)
    parts = {part: "\n".join(own).strip() for part, own in lines.items()}
    # Of a name and a description only the first paragraph: what follows may be anything.
    return {part: words if part == "instructions" else words.split("\n\n")[0] for part, words in parts.items()}


def _draft(parts: Mapping[str, str], wished_name: str) -> tuple[DraftText | None, str]:
    name = wished_name or _clean_name(parts.get("name", ""))
    instructions = _clean_instructions(parts.get("instructions", ""))
    if not name and not instructions:
        return None, "There is neither a name nor are there instructions."
    if not name:
        return None, "There is no name."
    if not instructions:
        return None, "There are no instructions, or hardly a word of them."
    return DraftText(name, _clean_description(parts.get("description", "")), instructions), ""


def _clean_name(text: str) -> str:
    """A name as a model wrote it, as one that a persona may have; empty when nothing of it will do."""
    plain = _TAG.sub(" ", _SCRIPT.sub(" ", drawn_text(text)[: NAME_MAX_CHARS * 20]))
    if _is_placeholder(plain, "name"):
        return ""
    line = next((each.strip(_AROUND_NAME) for each in plain.split("\n") if each.strip(_AROUND_NAME)), "")
    try:
        name = clean_name(line, field="name", max_chars=len(line) * 20)
    except Invalid:
        return ""
    return _cut(name, NAME_MAX_CHARS).strip(_AROUND_NAME) if _letters(name) else ""


def _clean_instructions(text: str) -> str:
    plain = drawn_text(text).strip()
    fenced = _FENCE.fullmatch(plain)
    plain = fenced[2].strip() if fenced else plain
    if _HTML.match(plain) or _is_placeholder(plain, "instructions") or _letters(plain) < _LETTERS_LEAST:
        return ""
    return clean_text(plain[:INSTRUCTIONS_MAX_CHARS].rstrip(), field="instructions")


def _clean_description(text: str) -> str:
    plain = " ".join(_TAG.sub(" ", _SCRIPT.sub(" ", drawn_text(text)[:10_000])).split())
    return "" if _is_placeholder(plain, "description") else _cut(plain, DESCRIPTION_MAX_CHARS)


def _is_placeholder(text: str, part: str) -> bool:
    plain = text.strip()
    return plain == PLACEHOLDERS[part] or _PLACEHOLDER.fullmatch(plain) is not None


def _letters(text: str) -> int:
    return sum(letter.isalnum() for letter in text)


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return text[:most].rsplit(" ", 1)[0] if " " in text[:most] else text[:most]
