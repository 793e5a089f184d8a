"""Tags of topics: reading what was typed, and setting them."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.errors import Invalid
from forllm_server.forum import tag_store, topic_store
from forllm_server.forum.tag_store import MOST_TAGS
from forllm_server.markup.names import clean_name, name_key

TAG_MAX_CHARS = 50


def split_tags(text: str) -> list[str]:
    """What stands in a field of tags: names with commas between."""
    return [name for name in text.replace("\n", ",").split(",") if name.strip()]


def tag_topic(connection: Connection, topic_id: int, names: Iterable[str], *, now: datetime) -> tuple[str, ...]:
    """Let a topic have exactly these tags; their names, as they are written where they were used first.

    Raises NotFound or Invalid (field ``tags``): too many, too long, or with a character that an address cannot hold.
    """
    wanted = clean_tags(names)
    topic_store.get_topic_to_change(connection, topic_id)
    before = tag_store.list_tags_of_topics(connection, [topic_id]).get(topic_id, ())
    if {name_key(name) for name in before} != set(wanted):
        tag_store.replace_tags(connection, topic_id, [(name, key) for key, name in wanted.items()], now=now)
        topic_store.update_topic(connection, topic_id)
    return tag_store.list_tags_of_topics(connection, [topic_id]).get(topic_id, ())


def clean_tags(names: Iterable[str]) -> dict[str, str]:
    """The names by their keys, each once; raises Invalid (field ``tags``)."""
    wanted: dict[str, str] = {}
    for name in names:
        cleaned = _clean_tag(name)
        wanted.setdefault(name_key(cleaned), cleaned)
    if len(wanted) > MOST_TAGS:
        raise Invalid(f"These are {len(wanted):,} tags; a topic has at most {MOST_TAGS}. Leave some out.", field="tags")
    return wanted


def _clean_tag(name: str) -> str:
    try:
        cleaned = clean_name(name.strip().lstrip("#"), field="tags", max_chars=TAG_MAX_CHARS)
    except Invalid as error:
        raise Invalid(f"The tag “{name.strip()[:60]}” cannot be taken: {_reason(name)}", field="tags") from error
    if set(cleaned) & set(",/\\") or not cleaned.strip("."):
        raise Invalid(
            f"The tag “{cleaned}” cannot be taken: commas and slashes, or nothing but dots, have no place in one.",
            field="tags",
        )
    return cleaned


def _reason(name: str) -> str:
    if len(name.strip()) > TAG_MAX_CHARS:
        return f"a tag has at most {TAG_MAX_CHARS} characters. Tags have commas between them."
    return "it holds nothing visible."
