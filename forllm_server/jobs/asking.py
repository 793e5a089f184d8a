"""Asking for replies: who answers, on which model, and the LLM requests that it becomes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from forllm_server.catalog.choosing import choose_model
from forllm_server.catalog.model import ChosenModel
from forllm_server.errors import Invalid, NotFound, TopicLocked
from forllm_server.forum import post_store
from forllm_server.jobs.forecast import estimate_when_asked
from forllm_server.markup.mentions import handle
from forllm_server.personas import version_store
from forllm_server.personas.choosing import choose
from forllm_server.personas.model import Choice, PersonaVersion
from forllm_server.personas.parameters import SEED_MAX, merge
from forllm_server.prompts.tokens import DEFAULT_CHARACTERS_PER_TOKEN
from forllm_server.queue import chain_store
from forllm_server.queue.asking_store import PostAsked, count_waiting, find_post_asked
from forllm_server.queue.control import run_llm_request_now
from forllm_server.queue.llm_request_store import (
    count_answers,
    find_live_twin,
    get_llm_request,
    insert_llm_request,
    insert_new_llm_requests,
    list_for_change,
)
from forllm_server.queue.model import Cause, Lane, LlmRequest, NewLlmRequest, Status
from forllm_server.settings.values import Settings, read_settings

#: The name of the kind of job that performs it (jobs/reply.py).
REPLY = "reply"

_Named = tuple[int, int | None, int | None]


@dataclass(frozen=True)
class Ask:
    """What a person asks: a reply to a post, perhaps by this persona, perhaps on that model."""

    owner_id: int
    post_id: int
    persona_id: int | None = None
    model_id: int | None = None
    is_run_now: bool = False
    priority: int = 0
    #: ask again on purpose what is being or has been answered already
    is_another: bool = False
    #: this version of the persona; None: the current one
    persona_version_id: int | None = None
    #: parameters for this reply alone, over the persona's own
    parameters: Mapping[str, Any] = field(default_factory=dict)
    #: names those that are asked together
    group_id: str | None = None
    #: added to a fixed seed, so that the same asked again does not give the same answer
    seed_step: int = 0
    #: what else its LLM request is to hold in ``input``
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """The LLM request, and whether this call made it; a double click finds the one that is there."""

    request: LlmRequest
    is_new: bool


class TooManyAsked(Invalid):
    """That are more replies than may be asked for."""

    code = "too_many_asked"


def ask(connection: Connection, wish: Ask, now: datetime) -> Asked:
    """Queue a reply. Raises NotFound (post), Invalid (persona_id, model_id) and TooManyAsked (too many wait)."""
    desk = _Desk(connection)
    new = desk.new_request(wish)
    desk.refuse_flood([wish])
    inserted = insert_llm_request(connection, new, now)
    if inserted is None:
        return _find_asked(connection, new, now)
    if desk.post(wish.post_id).has_rates:
        estimate_when_asked(connection, inserted, now)
    return Asked(inserted, is_new=True)


def ask_many(connection: Connection, wishes: Sequence[Ask], now: datetime, *, repeats: int = 1) -> list[Asked]:
    """Queue several replies, all or none, in few statements; in the order of ``wishes``.

    With ``repeats`` each that is different from those before it is asked so many times.

    Raises as :func:`ask`, and TooManyAsked when they are more than the setting ``max_asked_at_once`` allows.
    """
    if len(wishes) == 1 and repeats == 1:
        return [ask(connection, wishes[0], now)]
    desk = _Desk(connection)
    desk.refuse_too_many(len(wishes))
    if repeats > 1:
        wishes = desk.repeated(wishes, repeats)
        desk.refuse_too_many(len(wishes))
    if not wishes:
        return []
    news = [desk.new_request(wish) for wish in wishes]
    desk.refuse_flood(wishes)
    made = insert_new_llm_requests(connection, news, now)
    asked = [
        Asked(inserted, is_new=True) if inserted is not None else _find_asked(connection, new, now)
        for new, inserted in zip(news, made, strict=True)
    ]
    if any(desk.post(wish.post_id).has_rates for wish in wishes):
        for each in asked:
            if each.is_new:
                estimate_when_asked(connection, each.request, now)
    return asked


def ask_chain(connection: Connection, wishes: Sequence[Ask], now: datetime) -> list[Asked]:
    """Queue a chain: the first answers the post, and each of the others the reply of the one before it.

    A link that is there already, alive or answered, is not asked again: the chain goes on from it. All wishes name the
    same post, and a persona each. Raises as :func:`ask_many`.
    """
    desk = _Desk(connection)
    desk.refuse_too_many(len(wishes))
    desk.refuse_flood(wishes)
    asked: list[Asked] = []
    for number, wish in enumerate(wishes, start=1):
        new = desk.new_request(wish)
        if asked:
            new = _link(new, asked[-1].request, desk.name(asked[-1].request), number, len(wishes))
        asked.append(_ask_link(connection, new, wish, now))
    if desk.post(wishes[0].post_id).has_rates:
        for each in asked:
            if each.is_new:
                estimate_when_asked(connection, each.request, now)
    return asked


def _ask_link(connection: Connection, new: NewLlmRequest, wish: Ask, now: datetime) -> Asked:
    found_id = chain_store.find_link(
        connection,
        post_id=wish.post_id,
        parent_llm_request_id=new.parent_llm_request_id,
        persona_id=new.persona_id,
    )
    if found_id is not None:
        # Locked, so that it does not end between being looked at and being waited for.
        list_for_change(connection, [found_id])
        found = get_llm_request(connection, found_id)
        if found.is_live or found.status is Status.SUCCEEDED:
            return Asked(found, is_new=False)
    inserted = insert_llm_request(connection, new, now)
    return Asked(inserted, is_new=True) if inserted is not None else _find_asked(connection, new, now)


def _link(new: NewLlmRequest, before: LlmRequest, name: str, number: int, length: int) -> NewLlmRequest:
    """A request that answers the reply of another one: at once when that is there."""
    linked = replace(
        new,
        parent_llm_request_id=before.id,
        answer_number=1,
        input=dict(new.input) | {"waits_for": handle(name), "link": number, "chain_length": length},
    )
    if before.status is Status.SUCCEEDED and before.reply_post_id is not None:
        return replace(linked, post_id=before.reply_post_id)
    return replace(linked, status=Status.WAITING, cause=Cause.WAITS_FOR_ANSWER)


def _find_asked(connection: Connection, new: NewLlmRequest, now: datetime) -> Asked:
    twin = find_live_twin(connection, new)
    if twin is None:
        raise NotFound("The question could not be queued. Try again.")
    if new.lane is Lane.LIVE and twin.lane is Lane.NIGHT and twin.status is not Status.RUNNING:
        twin = run_llm_request_now(connection, twin.id, now)
    return Asked(twin, is_new=False)


def default_parameters(settings: Settings) -> dict[str, Any]:
    """What a persona inherits."""
    return {"temperature": settings.temperature, "max_tokens": settings.reply_max_tokens}


def _parameters(settings: Settings, version: PersonaVersion, wish: Ask) -> dict[str, Any]:
    parameters = merge(default_parameters(settings), version.parameters, wish.parameters)
    seed = parameters.get("seed")
    if wish.seed_step and seed is not None and seed >= 0:
        parameters["seed"] = (seed + wish.seed_step) % (SEED_MAX + 1)
    return parameters


class _Desk:
    """What one act of asking reads, each thing once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._settings = read_settings(connection)
        self._posts: dict[int, PostAsked] = {}
        self._choices: dict[tuple[int | None, int], Choice] = {}
        self._models: dict[tuple[int | None, int | None, tuple[int, ...]], ChosenModel | None] = {}
        self._numbers: dict[_Named, int] = {}

    def name(self, request: LlmRequest) -> str:
        """The name of the persona that was asked."""
        return version_store.get_version(self._connection, request.persona_version_id or 0).name

    def refuse_too_many(self, number: int) -> None:
        """Raises TooManyAsked when so many at once are not allowed."""
        most = self._settings.max_asked_at_once
        if number > most:
            raise TooManyAsked(
                f"That asks for {number:,} replies at once, and {most:,} are allowed. Ask for fewer, or raise "
                "“Most replies asked for at once” (max_asked_at_once) in the settings.",
                field="ask",
                asked=number,
                limit=most,
            )

    def refuse_flood(self, wishes: Sequence[Ask]) -> None:
        """Raises TooManyAsked when more would wait than one person may have waiting."""
        most = self._settings.max_waiting
        if max(self.post(wish.post_id).span for wish in wishes) + len(wishes) <= most:
            return
        for owner_id in {wish.owner_id for wish in wishes}:
            number = sum(wish.owner_id == owner_id for wish in wishes)
            waiting = count_waiting(self._connection, owner_id)
            if waiting + number > most:
                raise TooManyAsked(
                    f"{waiting:,} of your LLM requests wait already, and {most:,} may. Let some of them be answered or "
                    "cancel some, or raise “Most LLM requests waiting” (max_waiting) in the settings.",
                    field="ask",
                    waiting=waiting,
                    limit=most,
                )

    def post(self, post_id: int) -> PostAsked:
        """Raises NotFound and TopicLocked."""
        found = self._posts.get(post_id) or find_post_asked(self._connection, post_id)
        if found is None or found.is_deleted:
            post_store.get_post(self._connection, post_id)
            raise NotFound("This post is in the trash. Restore it before asking about it.")
        if found.is_locked:
            raise TopicLocked()
        self._posts[post_id] = found
        return found

    def new_request(self, wish: Ask) -> NewLlmRequest:
        """The request that a wish becomes. Raises NotFound and Invalid."""
        settings, post = self._settings, self.post(wish.post_id)
        choice = self._of_version(self._choose(wish.persona_id, post.subforum_id), wish.persona_version_id)
        chosen = self._choose_model(wish.model_id, choice.version)
        named = (post.post_id, choice.persona.id, chosen.model.id if chosen else None)
        return NewLlmRequest(
            owner_id=wish.owner_id,
            kind=REPLY,
            topic_id=post.topic_id,
            post_id=post.post_id,
            persona_id=choice.persona.id,
            persona_version_id=choice.version.id,
            backend_id=chosen.backend.id if chosen else None,
            model_id=chosen.model.id if chosen else None,
            model_name=chosen.model.name if chosen else None,
            lane=Lane.LIVE if wish.is_run_now else Lane.NIGHT,
            priority=wish.priority,
            max_attempts=settings.max_attempts,
            parameters=_parameters(settings, choice.version, wish),
            input={"persona_reason": choice.reason.value, "model_reason": chosen.reason if chosen else None}
            | dict(wish.facts)
            | (_counted(post, choice.version, chosen, settings) if chosen else {}),
            answer_number=self._answer_number(named, is_another=wish.is_another),
            group_id=wish.group_id,
        )

    def repeated(self, wishes: Sequence[Ask], repeats: int) -> list[Ask]:
        """Each several times: those that mean the same persona on the same model by another way count once."""
        different: dict[tuple[int, int, int | None], Ask] = {}
        for wish in wishes:
            choice = self._choose(wish.persona_id, self.post(wish.post_id).subforum_id)
            chosen = self._choose_model(wish.model_id, choice.version)
            key = (wish.post_id, choice.persona.id, chosen.model.id if chosen else None)
            different.setdefault(key, wish)
        return [
            replace(wish, is_another=wish.is_another or step > 0, seed_step=step)
            for wish in different.values()
            for step in range(repeats)
        ]

    def _of_version(self, choice: Choice, version_id: int | None) -> Choice:
        """The choice with an earlier version of the persona. Raises Invalid (persona_version_id)."""
        if version_id is None or version_id == choice.version.id:
            return choice
        found = version_store.list_versions_by_ids(self._connection, [version_id])
        if not found or found[0].persona_id != choice.persona.id:
            raise Invalid("This persona has no such version.", field="persona_version_id")
        return replace(choice, version=found[0])

    def _choose(self, persona_id: int | None, subforum_id: int) -> Choice:
        key = (persona_id, subforum_id)
        if key not in self._choices:
            self._choices[key] = choose(
                self._connection,
                asked_persona_id=persona_id,
                subforum_id=subforum_id,
                default_persona_id=self._settings.default_persona_id,
            )
        return self._choices[key]

    def _choose_model(self, model_id: int | None, version: PersonaVersion) -> ChosenModel | None:
        key = (model_id, version.model_id, version.fallback_model_ids)
        if key not in self._models:
            self._models[key] = choose_model(
                self._connection,
                asked_model_id=model_id,
                persona_model_id=version.model_id,
                fallback_model_ids=version.fallback_model_ids,
                default_model_id=self._settings.default_model_id,
            )
        return self._models[key]

    def _answer_number(self, named: _Named, *, is_another: bool) -> int:
        asked = self._numbers.get(named)
        if asked is None:
            post_id, persona_id, model_id = named
            asked = count_answers(self._connection, post_id=post_id, persona_id=persona_id, model_id=model_id)
        number = asked + 1 if is_another else max(asked, 1)
        self._numbers[named] = number
        return number


def _counted(post: PostAsked, version: PersonaVersion, chosen: ChosenModel, settings: Settings) -> dict[str, int]:
    """About how long the prompt will be: what the time until it is answered is foretold from."""
    characters = post.characters + len(version.instructions) + len(settings.custom_instructions)
    tokens = math.ceil(characters / (chosen.model.characters_per_token or DEFAULT_CHARACTERS_PER_TOKEN))
    return {"prompt_tokens": min(tokens, chosen.model.context_tokens or tokens)}
