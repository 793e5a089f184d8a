"""Asking those who are called in a text: ``@skeptic`` in a post asks that persona for a reply to it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.jobs.asking import Ask, Asked, ask_chain, ask_many
from forllm_server.markup.mentions import Mention, find_mentions, slug
from forllm_server.markup.names import name_key
from forllm_server.personas.model import Persona
from forllm_server.personas.persona_store import list_personas
from forllm_server.settings.values import read_settings


@dataclass(frozen=True)
class Mentioned:
    """The personas that are called, alone or in chains, and a sentence for each call that reaches nobody."""

    persona_ids: tuple[int, ...] = ()
    #: each answers the reply of the one before it
    chains: tuple[tuple[int, ...], ...] = ()
    notes: tuple[str, ...] = ()


def find_mentioned(connection: Connection, text: str, *, earlier_text: str = "") -> Mentioned:
    """Who is called in a text and was not in ``earlier_text``, also not at the beginning of a chain.

    Two statements, and none for a text without a call.

    A chain that names somebody who cannot be asked is not asked at all: the rest of it would answer nothing.
    """
    before = _asked_before(earlier_text)
    mentions = [mention for mention in find_mentions(text) if _key(mention) not in before]
    if not mentions:
        return Mentioned()
    personas = list_personas(connection)
    ids: dict[int, None] = {}
    chains: dict[tuple[int, ...], None] = {}
    notes: list[str] = []
    for mention in mentions:
        named = [find_named(personas, name) for name in mention.names]
        if any(len(found) != 1 for found in named):
            notes += _notes(mention, named)
        elif mention.is_chain:
            most = read_settings(connection).longest_chain
            chains[tuple(found[0].id for found in named[:most])] = None
            if len(named) > most:
                notes.append(f"{mention} is longer than a chain may be: its first {most} were asked.")
        else:
            ids[named[0][0].id] = None
    alone = tuple(persona_id for persona_id in ids if (persona_id,) not in chains)
    return Mentioned(
        (*alone, *(chain[0] for chain in chains if len(chain) == 1)),
        tuple(chain for chain in chains if len(chain) > 1),
        tuple(notes),
    )


def _notes(mention: Mention, named: Sequence[Sequence[Persona]]) -> list[str]:
    """Why nobody was asked by a call."""
    notes = []
    for name, found in zip(mention.names, named, strict=True):
        call = str(Mention((name,)))
        where = f"{call} in {mention}" if mention.is_chain else call
        if len(found) > 1:
            notes.append(f"{where} may be {_listed(found)}: nobody was asked. Write the name in quotes.")
        elif not found:
            notes.append(f"{where} names no persona, so nobody was asked by it.")
    return notes


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
    chains: Sequence[Sequence[int]] = (),
) -> list[Asked]:
    """Ask each of these personas once for a reply to a post; None is whoever answers by the rules. Raises as asking.

    ``chains``: of each the first is asked so too, and each of the others for a reply to the reply of the one before.
    """
    # The chains first: they may have to wait for the lock of a request that is there.
    linked = [
        each
        for chain in chains
        for each in ask_chain(
            connection, [Ask(owner_id, post_id, persona_id, model_id, is_run_now) for persona_id in chain], now
        )
    ]
    wishes = [
        Ask(owner_id, post_id, persona_id, model_id, is_run_now)
        for persona_id in dict.fromkeys(persona_ids)
        if persona_id is None or persona_id not in already
    ]
    # Whoever answers by the rules may be one of those named besides: that is one reply.
    asked = [*linked, *ask_many(connection, wishes, now)]
    return list({each.request.id: each for each in reversed(asked)}.values())[::-1]


def _asked_before(text: str) -> set[tuple[str, ...]]:
    """The calls of a text. Who begins a chain answers the post, as if called alone."""
    keys = [_key(mention) for mention in find_mentions(text)]
    return {*keys, *(key[:1] for key in keys)}


def _key(mention: Mention) -> tuple[str, ...]:
    return tuple(slug(name) for name in mention.names)


def find_named(personas: Sequence[Persona], name: str) -> list[Persona]:
    """The one of exactly this name, else all that the word may mean."""
    exact = [persona for persona in personas if name_key(persona.name) == name_key(name)]
    return exact or [persona for persona in personas if slug(persona.name) and slug(persona.name) == slug(name)]


def _listed(personas: Sequence[Persona]) -> str:
    return " or ".join(f"“{persona.name}”" for persona in personas)
