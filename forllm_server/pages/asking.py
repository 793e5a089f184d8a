"""The form that asks for replies: its choices, what they would add to the queue, and reading it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from forllm_server.catalog.choosing import choose_model
from forllm_server.catalog.model_store import list_models
from forllm_server.clock import now
from forllm_server.jobs.asking import Asked, default_parameters
from forllm_server.jobs.fanning import MOST_REPEATS, FanOut, ask_fan_out, new_group_id
from forllm_server.jobs.forecast import NewAsk, forecast_for_new
from forllm_server.pages.naming import model_label, model_words
from forllm_server.pages.words import counted
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

    ``others``: the personas of the subforum, who can be asked besides, ``more_personas`` all others, ``other_models``
    where each can answer besides. ``group_id``: of what will be asked together. ``adds``: what asking adds to the queue
    when nothing is changed in the form; empty while no model is there.
    """

    personas: tuple[tuple[str, str], ...]
    models: tuple[tuple[str, str], ...]
    others: tuple[tuple[str, str], ...]
    more_personas: tuple[tuple[str, str], ...]
    other_models: tuple[tuple[str, str], ...]
    group_id: str
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
    personas, others = _personas(connection, subforum_id), _others(connection, subforum_id)
    called = model_words(chosen.model.name, chosen.backend.id) if chosen else ""
    chosen_words = f"{called} ({chosen.reason})" if chosen else "none is there yet"
    return AskOptions(
        personas=(("", choice_words(choice)), *personas),
        others=others,
        more_personas=tuple(each for each in personas if each[0] not in {value for value, _ in others}),
        other_models=tuple((str(m.model.id), model_label(m)) for m in models) if len(models) > 1 else (),
        group_id=new_group_id(),
        adds=read_addition(connection, Wish(), subforum_id),
        models=(("", f"The persona’s own, else {chosen_words}"), *((str(m.model.id), model_label(m)) for m in models)),
        note="" if chosen else "No model is there yet: the question waits until a backend has one.",
        is_embedded=bool(chosen and chosen.backend.is_embedded),
    )


def choice_words(choice: Choice) -> str:
    """Who answers when nobody is asked for, and why."""
    return f"{choice.version.name} v{choice.version.number} ({REASON_WORDS[choice.reason]})"


@dataclass(frozen=True)
class Wish:
    """What the form asks for. ``persona_ids``: each answers once; None is whoever answers by the rules."""

    persona_ids: tuple[int | None, ...] = (None,)
    model_id: int | None = None
    is_run_now: bool = False
    #: besides ``model_id``: each persona answers on each of them
    other_model_ids: tuple[int, ...] = ()
    repeats: int = 1

    @property
    def model_ids(self) -> tuple[int | None, ...]:
        return tuple(dict.fromkeys([self.model_id, *self.other_model_ids]))

    @classmethod
    def of_form(cls, form: Form) -> "Wish":
        """Read who is asked and those ticked besides, on which models, how often and when. Raises Invalid."""
        chosen = form.integer("persona_id", least=1, most=_BIGGEST_ID)
        others = form.integers("other_persona_ids", most=_BIGGEST_ID)
        return cls(
            persona_ids=tuple(dict.fromkeys([chosen, *others])),
            model_id=form.integer("model_id", least=1, most=_BIGGEST_ID),
            is_run_now=form.flag("is_run_now"),
            other_model_ids=tuple(form.integers("other_model_ids", most=_BIGGEST_ID)),
            repeats=form.integer("repeats", least=1, most=MOST_REPEATS, default=1) or 1,
        )


def ask_from_form(connection: Connection, form: Form, post_id: int) -> list[Asked]:
    """Queue the replies that the form asks for: of each persona on each model, so many times."""
    wish = Wish.of_form(form)
    fan_out = FanOut(
        current_user_id(),
        post_id,
        wish.persona_ids,
        wish.model_ids,
        wish.repeats,
        is_run_now=wish.is_run_now,
        group_id=form.text("group_id", longest=100),
    )
    return ask_fan_out(connection, fan_out, now())


def group_url(asked: Sequence[Asked]) -> str:
    """The page of those that were just asked together; empty for a single one."""
    groups = {each.request.group_id for each in asked if each.is_new}
    return f"/queue/groups/{groups.pop()}" if len(groups) == 1 and None not in groups else ""


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
    found: dict[tuple[int | None, int], NewAsk] = {}
    for model_id in wish.model_ids:
        for persona_id in wish.persona_ids:
            each = new_ask(connection, replace(wish, model_id=model_id), persona_id, subforum_id, topic_id)
            if each is not None:
                found.setdefault((each.persona_id, each.model_id), each)
    asks = [each for each in found.values() for _ in range(wish.repeats)]
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
