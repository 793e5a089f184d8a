"""The form that asks for replies: its choices, what they would add to the queue, and reading it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from forllm_server.catalog.choosing import choose_model
from forllm_server.catalog.model import ListedModel
from forllm_server.catalog.model_store import list_models
from forllm_server.clock import now
from forllm_server.jobs.asking import Ask, Asked, ask_many, default_parameters
from forllm_server.jobs.forecast import NewAsk, forecast_for_new
from forllm_server.pages.words import context_words, counted
from forllm_server.personas.assignment_store import list_assignments
from forllm_server.personas.choosing import choose
from forllm_server.personas.model import Choice, ChoiceReason
from forllm_server.personas.parameters import merge
from forllm_server.personas.persona_store import list_personas
from forllm_server.settings.values import read_settings
from forllm_server.web.current import current_user_id
from forllm_server.web.forms import Form

_BIGGEST_ID = 2**63 - 1

REASON_WORDS = {
    ChoiceReason.ASKED: "asked for",
    ChoiceReason.SUBFORUM_DEFAULT: "the default of this subforum",
    ChoiceReason.GLOBAL_DEFAULT: "the default of the forum",
    ChoiceReason.BUILTIN: "the built-in one, for no other was chosen",
}


@dataclass(frozen=True)
class AskOptions:
    """(value, label) pairs for the choices; the empty value leaves it to the rules, which the label names.

    ``others``: the personas of the subforum, who can be asked besides. ``adds``: what asking adds to the queue when
    nothing is changed in the form; empty while no model is there.
    """

    personas: tuple[tuple[str, str], ...]
    models: tuple[tuple[str, str], ...]
    others: tuple[tuple[str, str], ...]
    adds: str
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
        fallback_model_ids=choice.version.fallback_model_ids,
        default_model_id=settings.default_model_id,
    )
    models = [listed for listed in list_models(connection, is_available=True) if listed.may_be_asked]
    model_words = f"{chosen.model.label} ({chosen.reason})" if chosen else "none is there yet"
    return AskOptions(
        personas=(("", choice_words(choice)), *_personas(connection, subforum_id)),
        others=_others(connection, subforum_id),
        adds=read_addition(connection, Wish(), subforum_id),
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


@dataclass(frozen=True)
class Wish:
    """What the form asks for. ``persona_ids``: each answers once; None is whoever answers by the rules."""

    persona_ids: tuple[int | None, ...] = (None,)
    model_id: int | None = None
    is_run_now: bool = False

    @classmethod
    def of_form(cls, form: Form) -> "Wish":
        """Read ``persona_id`` and those ticked besides, ``model_id`` and ``is_run_now``. Raises Invalid."""
        chosen = form.integer("persona_id", least=1, most=_BIGGEST_ID)
        others = form.integers("other_persona_ids", most=_BIGGEST_ID)
        return cls(
            persona_ids=tuple(dict.fromkeys([chosen, *others])),
            model_id=form.integer("model_id", least=1, most=_BIGGEST_ID),
            is_run_now=form.flag("is_run_now"),
        )


def ask_from_form(connection: Connection, form: Form, post_id: int) -> list[Asked]:
    """Queue the replies that the form asks for, one for each persona."""
    wish = Wish.of_form(form)
    wishes = [
        Ask(current_user_id(), post_id, persona_id, wish.model_id, wish.is_run_now) for persona_id in wish.persona_ids
    ]
    asked: dict[int, Asked] = {}
    for each in ask_many(connection, wishes, now()):
        # Whoever answers by the rules may be one of those ticked besides: that is one reply.
        asked.setdefault(each.request.id, each)
    return list(asked.values())


def asked_words(asked: Sequence[Asked]) -> str:
    """The notice after asking."""
    new = sum(each.is_new for each in asked)
    if not new:
        return "That is queued already."
    known = "" if new == len(asked) else f" {counted(len(asked) - new, 'other')} stood there already."
    if new == 1:
        return f"Queued: the reply will appear in its place.{known}"
    return f"Queued: {new:,} replies will appear in their places.{known}"


def read_addition(
    connection: Connection,
    wish: Wish,
    subforum_id: int,
    *,
    topic_id: int | None = None,
    first_prompt_tokens: int | None = None,
) -> str:
    """``adds 1 reply, about 3 min on this machine, done by 04:50 (03:55-05:40)``; empty while no model is there.

    ``first_prompt_tokens``: of the first persona's prompt, where it was counted. Raises NotFound and Invalid as asking.
    """
    found = [new_ask(connection, wish, persona_id, subforum_id, topic_id) for persona_id in wish.persona_ids]
    by_persona: dict[int | None, NewAsk] = {}
    for each in found:
        if each is not None:
            by_persona.setdefault(each.persona_id, each)
    asks = list(by_persona.values())
    if not asks:
        return ""
    if first_prompt_tokens is not None:
        asks[0] = replace(asks[0], prompt_tokens=first_prompt_tokens)
    return forecast_for_new(connection, asks, now()).words


def new_ask(
    connection: Connection, wish: Wish, persona_id: int | None, subforum_id: int, topic_id: int | None
) -> NewAsk | None:
    """What asking this persona would mean for the queue; None while no model is there."""
    settings = read_settings(connection)
    choice = choose(
        connection,
        asked_persona_id=persona_id,
        subforum_id=subforum_id,
        default_persona_id=settings.default_persona_id,
    )
    chosen = choose_model(
        connection,
        asked_model_id=wish.model_id,
        persona_model_id=choice.version.model_id,
        fallback_model_ids=choice.version.fallback_model_ids,
        default_model_id=settings.default_model_id,
    )
    if chosen is None:
        return None
    return NewAsk(
        backend_id=chosen.backend.id,
        model_id=chosen.model.id,
        persona_id=choice.persona.id,
        persona_version_id=choice.version.id,
        topic_id=topic_id,
        max_tokens=int(merge(default_parameters(settings), choice.version.parameters)["max_tokens"]),
        is_run_now=wish.is_run_now,
    )


def _others(connection: Connection, subforum_id: int) -> tuple[tuple[str, str], ...]:
    """Worth a choice only where there is more than one."""
    assigned = list_assignments(connection, subforum_id)
    return tuple((str(each.persona_id), each.persona_name) for each in assigned) if len(assigned) > 1 else ()


def _personas(connection: Connection, subforum_id: int) -> list[tuple[str, str]]:
    assigned = {assignment.persona_id for assignment in list_assignments(connection, subforum_id)}
    personas = sorted(list_personas(connection), key=lambda persona: (persona.id not in assigned, persona.name))
    return [
        (str(p.id), f"{p.name} v{p.version.number}{' · of this subforum' if p.id in assigned else ''}")
        for p in personas
    ]
