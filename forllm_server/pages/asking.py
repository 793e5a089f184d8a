"""The form that asks for a reply: its choices, and reading it."""

from dataclasses import dataclass

from sqlalchemy import Connection

from forllm_server.catalog.choosing import choose_model
from forllm_server.catalog.model import ListedModel
from forllm_server.catalog.model_store import list_models
from forllm_server.clock import now
from forllm_server.jobs.reply import Ask, Asked, ask
from forllm_server.pages.words import context_words
from forllm_server.personas.assignment_store import list_assignments
from forllm_server.personas.choosing import choose
from forllm_server.personas.model import Choice, ChoiceReason
from forllm_server.personas.persona_store import list_personas
from forllm_server.settings.values import read_settings
from forllm_server.web.current import current_user_id
from forllm_server.web.forms import Form

REASON_WORDS = {
    ChoiceReason.ASKED: "asked for",
    ChoiceReason.SUBFORUM_DEFAULT: "the default of this subforum",
    ChoiceReason.GLOBAL_DEFAULT: "the default of the forum",
    ChoiceReason.BUILTIN: "the built-in one, for no other was chosen",
}


@dataclass(frozen=True)
class AskOptions:
    """(value, label) pairs for the two choices; the empty value leaves it to the rules, which the label names."""

    personas: tuple[tuple[str, str], ...]
    models: tuple[tuple[str, str], ...]
    note: str
    is_embedded: bool


def read_options(connection: Connection, subforum_id: int) -> AskOptions:
    """What can be asked in a subforum."""
    settings = read_settings(connection)
    choice = choose(
        connection, asked_persona_id=None, subforum_id=subforum_id, default_persona_id=settings.default_persona_id
    )
    chosen = choose_model(
        connection,
        asked_model_id=None,
        persona_model_id=choice.version.model_id,
        default_model_id=settings.default_model_id,
    )
    models = [listed for listed in list_models(connection, is_available=True) if listed.may_be_asked]
    model_words = f"{chosen.model.label} ({chosen.reason})" if chosen else "none is there yet"
    return AskOptions(
        personas=(("", choice_words(choice)), *_personas(connection, subforum_id)),
        models=(("", f"The persona’s own, else {model_words}"), *((str(m.model.id), model_label(m)) for m in models)),
        note="" if chosen else "No model is there yet: the question waits until a backend has one.",
        is_embedded=bool(chosen and chosen.backend.is_embedded),
    )


def choice_words(choice: Choice) -> str:
    """Who answers when nobody is asked for, and why."""
    return f"{choice.version.name} v{choice.version.number} ({REASON_WORDS[choice.reason]})"


def model_label(listed: ListedModel) -> str:
    """A model with its backend and context size."""
    return f"{listed.model.label} · {listed.backend_name} · {context_words(listed.model)}"


def ask_from_form(connection: Connection, form: Form, post_id: int) -> Asked:
    """Queue the reply that the form asks for."""
    wish = Ask(
        owner_id=current_user_id(),
        post_id=post_id,
        persona_id=form.integer("persona_id", least=1, most=2**63 - 1),
        model_id=form.integer("model_id", least=1, most=2**63 - 1),
        is_run_now=form.flag("is_run_now"),
    )
    return ask(connection, wish, now())


def asked_words(asked: Asked) -> str:
    """The notice after asking."""
    return "Queued: the reply will appear in its place." if asked.is_new else "That is queued already."


def _personas(connection: Connection, subforum_id: int) -> list[tuple[str, str]]:
    assigned = {assignment.persona_id for assignment in list_assignments(connection, subforum_id)}
    personas = sorted(list_personas(connection), key=lambda persona: (persona.id not in assigned, persona.name))
    return [
        (str(p.id), f"{p.name} v{p.version.number}{' · of this subforum' if p.id in assigned else ''}")
        for p in personas
    ]
