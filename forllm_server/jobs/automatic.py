"""Automatic replies: personas that answer in a topic by themselves, off unless a person has turned them on there.

What asks is a person's new post, or an automatic reply; never a name in a model's text. Each ask is counted, in the
transaction of what asked, and what has reached a limit is over: it is not taken up again by itself.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from forllm_server import log
from forllm_server.discussions import automatic_store as store
from forllm_server.discussions.making import (
    LEAST_DEEP,
    LEAST_HOURS,
    LEAST_REPLIES,
    MOST_AUTOMATIC_PERSONAS,
    MOST_DEEP,
    MOST_HOURS,
    MOST_REPLIES,
)
from forllm_server.discussions.model import AutomaticEnding, AutomaticReplies
from forllm_server.errors import Invalid, TopicLocked
from forllm_server.forum import topic_store
from forllm_server.forum.model import Post
from forllm_server.jobs.asking import Ask, TooManyAsked, ask
from forllm_server.personas import persona_store
from forllm_server.queue.llm_request_store import get_llm_request
from forllm_server.queue.model import LlmRequest
from forllm_server.queue.version_store import bump_versions

#: In ``llm_requests.input``: how many automatic replies stand between a person's post and this one, itself counted.
DEPTH = "automatic_depth"


def turn_on(
    connection: Connection,
    topic_id: int,
    *,
    owner_id: int,
    persona_ids: Sequence[int],
    is_each_other: bool,
    most_deep: int,
    most_replies: int,
    hours: int | None,
    now: datetime,
) -> AutomaticReplies:
    """Have these personas answer in a topic from now on, within the limits; ``hours`` None: without an end in time.

    Raises NotFound (topic), TopicLocked and Invalid.
    """
    topic = topic_store.get_topic(connection, topic_id)
    if topic.is_locked:
        raise TopicLocked()
    chosen = tuple(dict.fromkeys(persona_ids))
    if not 1 <= len(chosen) <= MOST_AUTOMATIC_PERSONAS:
        raise Invalid(f"Choose one to {MOST_AUTOMATIC_PERSONAS} personas.", field="persona_ids")
    if not all(_is_there(connection, persona_id) for persona_id in chosen):
        raise Invalid("One of the personas is not there any more. Choose again.", field="persona_ids")
    if is_each_other and len(chosen) < 2:
        raise Invalid("To answer one another, two personas at least are needed.", field="persona_ids")
    _refuse_outside("most_deep", most_deep, LEAST_DEEP, MOST_DEEP)
    _refuse_outside("most_replies", most_replies, LEAST_REPLIES, MOST_REPLIES)
    if hours is not None:
        _refuse_outside("hours", hours, LEAST_HOURS, MOST_HOURS)
    new = AutomaticReplies(
        topic_id=topic.id,
        owner_id=owner_id,
        persona_ids=chosen,
        is_each_other=is_each_other,
        most_deep=most_deep,
        most_replies=most_replies,
        until_at=now + timedelta(hours=hours) if hours is not None else None,
        asked_count=0,
        created_at=now,
    )
    log.event("automatic_replies.turned_on", topic=topic.id, personas=len(chosen), replies=most_replies)
    return store.replace_automatic(connection, new)


def turn_off(connection: Connection, topic_id: int, now: datetime) -> AutomaticReplies | None:
    """Ask nothing more by itself; what was asked is answered. Raises NotFound (topic)."""
    topic_store.get_topic(connection, topic_id)
    store.update_automatic_ending(connection, topic_id, AutomaticEnding.STOPPED, now)
    bump_versions(connection, topic_id)
    return store.find_automatic(connection, topic_id)


def ask_automatic(
    connection: Connection, post: Post, now: datetime, *, already: Collection[int | None] = ()
) -> list[LlmRequest]:
    """A person has posted: ask those who answer by themselves there, except who is asked about the post already."""
    found = _find_on(connection, post.topic_id, now)
    if found is None:
        return []
    persona_ids = [each for each in found.persona_ids if each not in already]
    return _ask_each(connection, found, persona_ids, post.id, 1, now)


def hold_automatic(connection: Connection, request: LlmRequest) -> None:
    """Lock what :func:`follow_automatic` may change."""
    if _depth_of(request) and request.topic_id is not None:
        store.find_automatic_to_change(connection, request.topic_id)


def follow_automatic(connection: Connection, request: LlmRequest, now: datetime) -> None:
    """An automatic reply is there: the next persona answers it, where they answer one another."""
    depth = _depth_of(request)
    if not depth or request.topic_id is None:
        return
    found = _find_on(connection, request.topic_id, now)
    reply_id = get_llm_request(connection, request.id).reply_post_id
    if found is None or not found.is_each_other or depth >= found.most_deep or reply_id is None:
        return
    following = next_persona(found.persona_ids, request.persona_id)
    if following is not None:
        _ask_each(connection, found, [following], reply_id, depth + 1, now)


def next_persona(persona_ids: Sequence[int], answered: int | None) -> int | None:
    """Who comes after the one that answered, in their order and round; nobody answers oneself."""
    if answered not in persona_ids:
        return None
    following = persona_ids[(persona_ids.index(answered) + 1) % len(persona_ids)]
    return None if following == answered else following


def _find_on(connection: Connection, topic_id: int, now: datetime) -> AutomaticReplies | None:
    """Those of a topic, locked, if they still are on; they are ended when their time is over."""
    found = store.find_automatic(connection, topic_id)
    if found is None or not found.is_on:
        return None
    found = store.find_automatic_to_change(connection, topic_id)
    if found is None or not found.is_on:
        return None
    if found.until_at is not None and now >= found.until_at:
        _end(connection, found, AutomaticEnding.TIME, now)
        return None
    return found


def _ask_each(
    connection: Connection,
    found: AutomaticReplies,
    persona_ids: Sequence[int],
    post_id: int,
    depth: int,
    now: datetime,
) -> list[LlmRequest]:
    asked: list[LlmRequest] = []
    there = [persona_id for persona_id in persona_ids if _is_there(connection, persona_id)]
    ending = None if there or not persona_ids else AutomaticEnding.NOBODY
    count = found.asked_count
    for persona_id in there[: found.most_replies - count]:
        try:
            each = ask(connection, Ask(found.owner_id, post_id, persona_id, facts={DEPTH: depth}), now)
        except TopicLocked:
            ending = AutomaticEnding.LOCKED
            break
        except TooManyAsked:
            ending = AutomaticEnding.QUEUE_FULL
            break
        count += each.is_new
        asked.append(each.request)
    store.update_asked_count(connection, found.topic_id, count)
    if count >= found.most_replies:
        ending = AutomaticEnding.COUNT
    if ending is not None:
        _end(connection, found, ending, now)
    return asked


def _end(connection: Connection, found: AutomaticReplies, ending: AutomaticEnding, now: datetime) -> None:
    store.update_automatic_ending(connection, found.topic_id, ending, now)
    log.event("automatic_replies.ended", topic=found.topic_id, ending=ending.value)


def _depth_of(request: LlmRequest) -> int:
    depth = request.input.get(DEPTH)
    return depth if type(depth) is int else 0


def _is_there(connection: Connection, persona_id: int) -> bool:
    persona = persona_store.find_persona(connection, persona_id)
    return persona is not None and not persona.is_deleted


def _refuse_outside(field: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise Invalid(f"This must be a whole number from {least} to {most:,}.", field=field)
