"""The form of a persona: its choices, and reading it."""

import json
import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from forllm_server.catalog.model_store import list_models
from forllm_server.errors import Invalid
from forllm_server.forum.model import Post
from forllm_server.forum.post_store import list_newest
from forllm_server.markup.excerpt import excerpt
from forllm_server.pages.naming import model_label
from forllm_server.personas.model import Persona, PersonaContent
from forllm_server.personas.parameters import AMBIENT
from forllm_server.personas.tag_store import list_tags_of
from forllm_server.web.forms import Form

_BIGGEST_ID = 2**63 - 1
#: So many newest posts are offered to try a persona on.
OFFERED_POSTS = 20
#: How many further models the form offers at least.
FALLBACKS = 2

#: What can be set per persona as a number: (name, label, lowest, highest, help)
NUMBERS = (
    ("temperature", "Temperature", 0, 2, "0 gives the likeliest words, more gives more variety."),
    ("top_p", "Top p", 0, 1, "Only the likeliest words that make up this share are considered."),
)
WHOLE_NUMBERS = (
    ("max_tokens", "Longest reply", 1, 131_072, "In tokens."),
    ("context_tokens", "Context size", 256, 1_048_576, "In tokens; how much the model may see."),
    ("seed", "Seed", -1, 2**63 - 1, "The same seed and prompt give the same reply, where the server allows it."),
)
#: What the fields of a version are called, by the names that parameters and problems have.
LABELS = {name: label for name, label, *_ in (*NUMBERS, *WHOLE_NUMBERS)} | {
    "stop": "Stop at",
    "extra": "More for the server",
    "repetition_guard": "Stop when it goes round in circles",
    "ambient": "Other branches of the topic",
    "takes_summaries": "Summary for posts that do not fit",
    "post_number": "Post to try it on",
}
_ADDRESS = re.compile(r"\s*#?(?:\S*/posts/)?(\d{1,18})(?:[/?#]\S*)?\s*")


@dataclass(frozen=True)
class PersonaForm:
    """What the form offers. ``fallbacks``: how many further models can be chosen."""

    models: list[tuple[int, str]]
    posts: list[tuple[int, str]]
    tags: str
    fallbacks: int
    numbers: tuple[tuple[str, str, float, float, str], ...] = NUMBERS
    whole_numbers: tuple[tuple[str, str, int, int, str], ...] = WHOLE_NUMBERS


def read_form(connection: Connection, persona: Persona | None) -> PersonaForm:
    """The choices for a new persona, or for the next version of one."""
    tags = list_tags_of(connection, [persona.id]).get(persona.id, ()) if persona else ()
    chosen = len(persona.version.fallback_model_ids) if persona else 0
    posts = [(post.id, _words(post)) for post in list_newest(connection, limit=OFFERED_POSTS)]
    return PersonaForm(model_choices(connection), posts, ", ".join(tags), max(FALLBACKS, min(chosen + 1, 7)))


def model_choices(connection: Connection) -> list[tuple[int, str]]:
    """(id, label) of every model."""
    return [(listed.model.id, model_label(listed)) for listed in list_models(connection)]


def content_of_form(form: Form) -> dict[str, Any]:
    """What a version is made of, with its note. Raises Invalid with the field named."""
    parameters: dict[str, Any] = {name: form.number(name, least=low, most=high) for name, _, low, high, _ in NUMBERS}
    parameters |= {name: form.integer(name, least=low, most=high) for name, _, low, high, _ in WHOLE_NUMBERS}
    parameters["stop"] = [line for line in form.text("stop", longest=10_000).split("\n") if line]
    parameters["extra"] = _json(form.text("extra", longest=20_000))
    # On unless said otherwise: only "off" is kept.
    parameters["repetition_guard"] = None if form.flag("repetition_guard") else False
    parameters["takes_summaries"] = None if form.flag("takes_summaries") else False
    parameters["ambient"] = form.choice("ambient", ("", *AMBIENT)) or None
    fallbacks = [form.integer(f"fallback_{n}", least=1, most=_BIGGEST_ID) for n in range(1, 8)]
    return {
        "name": form.text("name"),
        "instructions": form.text("instructions"),
        "model_id": form.integer("model_id", least=1, most=_BIGGEST_ID),
        "fallback_model_ids": [each for each in fallbacks if each is not None],
        "parameters": {name: value for name, value in parameters.items() if value not in (None, [], {})},
        "note": form.text("note"),
    }


def draft_content(form: Form) -> PersonaContent:
    """The same as an unsaved version."""
    values = content_of_form(form)
    return PersonaContent(
        values["name"],
        values["instructions"],
        values["model_id"],
        values["parameters"],
        tuple(values["fallback_model_ids"]),
    )


def tags_of_form(form: Form) -> list[str]:
    return form.text("tags", longest=2_000).split(",")


def post_of_form(form: Form) -> int | None:
    """The post to try it on: by number or address, else the one chosen. Raises Invalid(field="post_number")."""
    text = form.text("post_number", longest=500)
    if not text.strip():
        return form.integer("post_id", least=1, most=_BIGGEST_ID)
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise Invalid("This must be the number of a post, or its address.", field="post_number")
    return int(found[1])


def _json(text: str) -> Any:
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid('This is not JSON. Write it like {"top_k": 40}.', field="extra") from error


def _words(post: Post) -> str:
    return f"#{post.id} {excerpt(post.content, max_chars=70)}"
