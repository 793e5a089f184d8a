"""Asking those who are called in a text: ``@skeptic`` in a post asks that persona for a reply to it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.jobs.asking import Ask, Asked, ask_many
from forllm_server.markup.mentions import Mention, find_mentions, slug
from forllm_server.markup.names import name_key
from forllm_server.personas.model import Persona
from forllm_server.personas.persona_store import list_personas


@dataclass(frozen=True)
class Mentioned:
    """The personas that are called, and a sentence for each call that reaches nobody."""

    persona_ids: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


def find_mentioned(connection: Connection, text: str, *, earlier_text: str = "") -> Mentioned:
    """Who is called in a text and was not in ``earlier_text``. One statement, and none for a text without a call."""
    before = {_key(mention) for mention in find_mentions(earlier_text)}
    mentions = [mention for mention in find_mentions(text) if _key(mention) not in before]
    if not mentions:
        return Mentioned()
    personas = list_personas(connection)
    ids: dict[int, None] = {}
    notes: list[str] = []
    for mention in mentions:
        if mention.is_chain:
            notes.append(f"{mention} is a chain, which cannot be asked yet: name them one by one.")
            continue
        found = _named(personas, mention.names[0])
        if len(found) == 1:
            ids[found[0].id] = None
        elif found:
            notes.append(f"{mention} may be {_listed(found)}: nobody was asked. Write the name in quotes.")
        else:
            notes.append(f"{mention} names no persona, so nobody was asked by it.")
    return Mentioned(tuple(ids), tuple(notes))


def ask_all(
    connection: Connection,
    persona_ids: Iterable[int | None],
    *,
    owner_id: int,
    post_id: int,
    now: datetime,
    model_id: int | None = None,
    is_run_now: bool = False,
    already: Collection[int | None] = (),
) -> list[Asked]:
    """Ask each of these personas once for a reply to a post; None is whoever answers by the rules. Raises as asking."""
    wishes = [
        Ask(owner_id, post_id, persona_id, model_id, is_run_now)
        for persona_id in dict.fromkeys(persona_ids)
        if persona_id is None or persona_id not in already
    ]
    # Whoever answers by the rules may be one of those named besides: that is one reply.
    return list({each.request.id: each for each in reversed(ask_many(connection, wishes, now))}.values())[::-1]


def _key(mention: Mention) -> tuple[str, ...]:
    return tuple(slug(name) for name in mention.names)


def _named(personas: Sequence[Persona], name: str) -> list[Persona]:
    """The one of exactly this name, else all that the word may mean."""
    exact = [persona for persona in personas if name_key(persona.name) == name_key(name)]
    return exact or [persona for persona in personas if slug(persona.name) and slug(persona.name) == slug(name)]


def _listed(personas: Sequence[Persona]) -> str:
    return " or ".join(f"“{persona.name}”" for persona in personas)
