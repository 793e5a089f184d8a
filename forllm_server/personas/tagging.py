"""Filing personas under words."""

from collections.abc import Sequence

from sqlalchemy import Connection

from forllm_server.errors import Invalid
from forllm_server.markup.names import clean_name, name_key
from forllm_server.personas import persona_store, tag_store

TAG_MAX_CHARS = 40
TAGS_MOST = 20


def tag_persona(connection: Connection, persona_id: int, tags: Sequence[str]) -> tuple[str, ...]:
    """Give a persona these tags and no others; as they are stored. Raises NotFound, or Invalid(field="tags")."""
    persona_store.get_persona_to_change(connection, persona_id)
    cleaned = clean_tags(tags)
    tag_store.replace_tags(connection, persona_id, cleaned)
    return cleaned


def clean_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Small letters, one line each, each once, by name. Raises Invalid(field="tags")."""
    cleaned = sorted({clean_tag(tag) for tag in tags if tag.strip()})
    if len(cleaned) > TAGS_MOST:
        raise Invalid(f"A persona has up to {TAGS_MOST} tags.", field="tags")
    return tuple(cleaned)


def clean_tag(tag: str) -> str:
    """A tag as it is stored and looked up. Raises Invalid(field="tags")."""
    if "," in tag:
        raise Invalid("A tag cannot hold a comma.", field="tags")
    return name_key(clean_name(tag, field="tags", max_chars=TAG_MAX_CHARS))
