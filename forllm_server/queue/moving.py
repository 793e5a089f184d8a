"""A person's own order: requests moved before another one, or to the top of their lane.

Who is moved gets a *place*, a number; smaller goes first, and everything with a place goes before everything without.
So to stand before a request that has none, those shown before it get places too, in the order in which they are shown.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.errors import Conflict
from forllm_server.queue.backend_state_store import list_last_served
from forllm_server.queue.chain_store import update_descendants_lane
from forllm_server.queue.control import note, place_in_chain
from forllm_server.queue.dispatch import Candidate
from forllm_server.queue.event_store import insert_event, insert_events
from forllm_server.queue.llm_request_store import get_llm_request, list_for_change, update_status
from forllm_server.queue.model import Happening, Lane, LlmRequest, Status
from forllm_server.queue.plan import LONGEST_PLAN, order
from forllm_server.queue.plan_store import InLine, find_pinned_range, list_in_line, update_pinned
from forllm_server.queue.version_store import bump_versions

_IN_LINE = (Status.QUEUED, Status.WAITING, Status.HELD)


def move_llm_requests(
    connection: Connection, llm_request_ids: Sequence[int], *, before_id: int | None, now: datetime
) -> list[LlmRequest]:
    """Move requests, in the order given, right before another one of their lane and backend; None: to the top.

    Returns them as they are now. Raises NotFound, and Conflict for what has no place in line any more or stands in
    another line than ``before_id``.
    """
    moved = [_get_in_line(connection, each) for each in dict.fromkeys(llm_request_ids)]
    if not moved:
        return []
    ids = [request.id for request in moved]
    if before_id is None:
        places = _at_the_top(connection, moved)
    else:
        target = _get_in_line(connection, before_id)
        if before_id in ids:
            raise Conflict("An LLM request cannot be moved before itself.", field="before_id")
        if any((each.lane, each.backend_id) != (target.lane, target.backend_id) for each in moved):
            raise Conflict(
                "They stand in different lines, each backend and lane has its own: their order does not matter.",
                field="before_id",
            )
        places = _before(connection, ids, target, now)
    update_pinned(connection, places)
    insert_events(connection, ids, Happening.MOVED, at=now)
    for topic_id in {request.topic_id for request in moved}:
        bump_versions(connection, topic_id)
    for request in moved:
        note(connection, "moved", request, to="top" if before_id is None else f"before {before_id}")
    return [get_llm_request(connection, each) for each in ids]


def unpin_llm_request(connection: Connection, llm_request_id: int, now: datetime) -> LlmRequest:
    """Put a request back to where it would stand without having been moved. Raises NotFound, Conflict."""
    _get_in_line(connection, llm_request_id)
    event = (Happening.MOVED, now)
    update_status(connection, llm_request_id, from_statuses=_IN_LINE, values={"pinned": None}, event=event)
    unpinned = get_llm_request(connection, llm_request_id)
    note(connection, "moved", unpinned, to="its own place")
    return unpinned


def run_llm_request_tonight(connection: Connection, llm_request_id: int, now: datetime) -> LlmRequest:
    """Have a request wait for its window: one that was to run now, is held, or was to be tried later.

    Raises NotFound, and Conflict for what has begun or ended.
    """
    list_for_change(connection, [llm_request_id])
    request = _get_in_line(connection, llm_request_id)
    values: dict[str, object] = {
        "status": Status.QUEUED.value,
        "lane": Lane.NIGHT.value,
        "cause": None,
        "cause_detail": None,
        "queued_at": now,
        "due_at": None,
    }
    values |= place_in_chain(connection, llm_request_id, now)
    if request.lane is not Lane.NIGHT:
        # A place given by hand was one among those that run now.
        values["pinned"] = None
    changed = update_status(connection, llm_request_id, from_statuses=_IN_LINE, values=values)
    if changed is None:
        raise Conflict("This LLM request has no place in line any more.")
    update_descendants_lane(connection, llm_request_id, Lane.NIGHT.value)
    insert_event(connection, changed.id, Happening.MOVED, at=now, run=changed.run, detail="to the night")
    note(connection, "moved", changed, to="night")
    return changed


def _get_in_line(connection: Connection, llm_request_id: int) -> LlmRequest:
    request = get_llm_request(connection, llm_request_id)
    if request.status not in _IN_LINE:
        raise Conflict("This LLM request has no place in line any more.", status=request.status.value)
    return request


def _at_the_top(connection: Connection, moved: Sequence[LlmRequest]) -> dict[int, float]:
    places: dict[int, float] = {}
    for lane in Lane:
        members = [request.id for request in moved if request.lane is lane]
        taken = find_pinned_range(connection, lane)
        first = (taken[0] if taken else 1.0) - len(members)
        places |= {each: first + number for number, each in enumerate(members)}
    return places


def _before(connection: Connection, ids: Sequence[int], target: LlmRequest, now: datetime) -> dict[int, float]:
    """Places for all up to the target: new whole numbers. Those behind it that have a place keep their order."""
    line = [each for each in _shown(connection, target, now) if each.id not in ids]
    shown = [each.id for each in line]
    if target.id not in shown:
        raise Conflict("The line is too long to be put in order by hand so far back.", field="before_id")
    cut = shown.index(target.id)
    # The target gets a place too: else it would fall behind those it was served before, by the cache's order.
    behind = [target.id, *(each.id for each in line[cut + 1 :] if each.pinned is not None)]
    return {each: float(place) for place, each in enumerate([*shown[:cut], *ids, *behind], start=1)}


def _shown(connection: Connection, target: LlmRequest, now: datetime) -> list[Candidate]:
    """The target's line as it is shown: in the order of service, then what waits or is held and was not moved."""

    def read(*statuses: Status) -> list[InLine]:
        found = list_in_line(connection, statuses, limit=LONGEST_PLAN, backend_id=target.backend_id)
        # Those that no model was found for stand in a line of their own.
        return [each for each in found if each.backend_id == target.backend_id]

    others = [each.candidate for each in read(Status.WAITING, Status.HELD)]
    served = [each.candidate for each in read(Status.QUEUED)] + [each for each in others if each.pinned is not None]
    last = list_last_served(connection).get(target.backend_id or 0)
    line = order(served, last, now) + [each for each in others if each.pinned is None]
    return [each for each in line if each.lane is target.lane]
