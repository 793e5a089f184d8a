"""Calls in rendered posts as links to the personas that they reach today, each with its mark."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flask import g
from markupsafe import Markup

from forllm_server.jobs.mentioning import find_named
from forllm_server.markup.mentions import called_name, slug
from forllm_server.pages.marks import hue_class, mark
from forllm_server.personas.model import Persona
from forllm_server.personas.persona_store import list_personas
from forllm_server.personas.version_store import list_former_names
from forllm_server.web.current import current

# Rendered posts come out of the sanitiser, which writes every attribute the same way.
_CALL = re.compile(r'<span class="mention">(@[^<]*)</span>')


@dataclass(frozen=True)
class _Callable:
    """Who can be called today, and the names that they had."""

    personas: Sequence[Persona]
    former_names: Sequence[tuple[int, str]]

    def find(self, name: str) -> Persona | None:
        """The one persona of that name, else the one that had it once; None when there is none, or several."""
        meant = find_named(self.personas, name)
        if not meant and slug(name):
            former = {persona_id for persona_id, earlier in self.former_names if slug(earlier) == slug(name)}
            meant = [persona for persona in self.personas if persona.id in former]
        return meant[0] if len(meant) == 1 else None


def with_mentions(html: str | None) -> Markup:
    """A rendered post in which each call leads to its persona; one that reaches nobody, or several, stays a text.

    Who is called is looked up when the page is made, never kept: personas are renamed and deleted.
    """
    text = html or ""
    if '<span class="mention">' in text:
        known = _read_callable()
        text = _CALL.sub(lambda found: _chip(found[1], known), text)
    return Markup(text)


def _chip(escaped: str, known: _Callable) -> str:
    name = called_name(Markup(escaped).unescape())
    persona = known.find(name)
    if persona is None:
        return escaped
    is_renamed = slug(persona.name) != slug(name)
    return Markup('<a class="mention {}" href="/personas/{}"{}>{}{}</a>').format(
        hue_class(persona.name),
        persona.id,
        Markup(' title="now called {}"').format(persona.name) if is_renamed else "",
        mark(persona.name),
        Markup(escaped),
    )


def _read_callable() -> _Callable:
    """Once a page, whatever it shows."""
    if "callable" not in g:
        with current().database.read() as connection:
            g.callable = _Callable(list_personas(connection), list_former_names(connection))
    found: _Callable = g.callable
    return found
