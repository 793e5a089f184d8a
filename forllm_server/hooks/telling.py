"""Telling hooks what happens: their calls are put in line in the transaction of the event itself.

So none is lost by a crash, and none is made for what was rolled back. Without a hook that is in use it costs one look
at an empty table.
"""

import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.errors import Invalid
from forllm_server.hooks import call_store, hook_store
from forllm_server.hooks.model import EVENTS, Hook, NewCall

#: The header of the API by which a hook says which of its calls it acts for.
CAUSE_HEADER = "X-Forllm-Event-Id"
#: However the hooks are set, no more calls follow from one another.
LONGEST_CHAIN = 10
_EVENT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_cause: ContextVar[str | None] = ContextVar("cause", default=None)
_is_silent: ContextVar[bool] = ContextVar("is_silent", default=False)


def tell_hooks(
    connection: Connection,
    event: str,
    facts: Mapping[str, int | str | bool | None],
    now: datetime,
    *,
    new_post_id: int | None = None,
    answered_post_id: int | None = None,
) -> int:
    """Put a call in line for every hook that listens; for how many. ``facts``: ids and small values, no texts.

    ``new_post_id``: the post that came into being, ``answered_post_id``: the one that a persona answers by it. What
    follows from a hook's own call is told to that hook as often as it wants to hear of it, and no more.
    """
    if event not in EVENTS:
        raise ValueError(f"{event!r} is no event that hooks are told")
    enabled = [] if _is_silent.get() else hook_store.list_enabled(connection)
    if not enabled:
        return 0
    chain = _chain(connection, answered_post_id)
    if chain and new_post_id is not None:
        call_store.insert_post(connection, new_post_id, chain)
    news = [_new_call(hook, event, facts, chain) for hook in enabled if event in hook.events]
    if news:
        call_store.insert_calls(connection, news, now)
    return sum(new.stopped is None for new in news)


def heed_cause(event_id: str | None) -> None:
    """Whatever this thread does from now on follows from the call with that id; None: from no call. Raises Invalid."""
    if event_id is not None and not _EVENT_ID.fullmatch(event_id):
        _cause.set(None)
        raise Invalid("This is not the id of an event, as a hook's call carries it.", field=CAUSE_HEADER)
    _cause.set(event_id)


@contextmanager
def silence() -> Iterator[None]:
    """What happens within is told to no hook: an import of what happened long ago."""
    token = _is_silent.set(True)
    try:
        yield
    finally:
        _is_silent.reset(token)


def _new_call(hook: Hook, event: str, facts: Mapping[str, int | str | bool | None], chain: tuple[int, ...]) -> NewCall:
    is_loop = chain.count(hook.id) > hook.most_repeats or len(chain) >= LONGEST_CHAIN
    stopped = "Its own call brought this about." if is_loop else None
    return NewCall(hook.id, event, str(uuid.uuid4()), facts, (*chain, hook.id), stopped)


def _chain(connection: Connection, answered_post_id: int | None) -> tuple[int, ...]:
    event_id = _cause.get()
    if event_id is not None:
        # Of a hook that was deleted meanwhile nothing is known, and nothing can follow.
        call = call_store.find_by_event_id(connection, event_id)
        return call.chain if call else ()
    return call_store.find_chain_of_post(connection, answered_post_id) if answered_post_id is not None else ()
