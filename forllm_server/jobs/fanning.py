"""Fan-out: one question put to several personas on several models, several times, as one act with one cancel."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.errors import Invalid, NotFound
from forllm_server.jobs.asking import Ask, Asked, ask_many
from forllm_server.queue.bulk import Action, Changes, change_many
from forllm_server.queue.llm_request_store import list_group
from forllm_server.queue.model import LlmRequest

#: So many answers of one persona on one model at most.
MOST_REPEATS = 20
#: What names a group.
GROUP_ID = re.compile("[0-9a-f]{16}")


@dataclass(frozen=True)
class FanOut:
    """Who is asked about a post: each of the personas on each of the models, so many times.

    None as a persona is whoever answers by the rules, None as a model the persona's own. ``group_id`` names the act:
    done twice with the same one, it finds what it made. Empty: a new one.
    """

    owner_id: int
    post_id: int
    persona_ids: tuple[int | None, ...] = (None,)
    model_ids: tuple[int | None, ...] = (None,)
    repeats: int = 1
    is_run_now: bool = False
    priority: int = 0
    group_id: str = ""

    @property
    def number(self) -> int:
        """How many replies that asks for."""
        return len(set(self.persona_ids)) * len(set(self.model_ids)) * self.repeats


def new_group_id() -> str:
    """A name for what is asked together."""
    return secrets.token_hex(8)


def ask_fan_out(connection: Connection, fan_out: FanOut, now: datetime) -> list[Asked]:
    """Queue all of it, or nothing. Raises as asking, and Invalid (repeats, group_id)."""
    if not 1 <= fan_out.repeats <= MOST_REPEATS:
        raise Invalid(f"Each can be asked 1 to {MOST_REPEATS} times.", field="repeats")
    group_id = fan_out.group_id or new_group_id()
    if not GROUP_ID.fullmatch(group_id):
        raise Invalid("This form is damaged. Open it again.", field="group_id")
    known = list_group(connection, group_id)
    if known:
        return [Asked(request, is_new=False) for request in known]
    wishes = _wishes(fan_out, group_id if fan_out.number > 1 else None)
    asked = ask_many(connection, wishes, now, repeats=fan_out.repeats)
    # Whoever answers by the rules may be one of those named besides: that is one reply.
    return list({each.request.id: each for each in reversed(asked)}.values())[::-1]


def _wishes(fan_out: FanOut, group_id: str | None) -> Sequence[Ask]:
    return [
        Ask(
            fan_out.owner_id,
            fan_out.post_id,
            persona_id,
            model_id,
            fan_out.is_run_now,
            fan_out.priority,
            group_id=group_id,
        )
        for model_id in dict.fromkeys(fan_out.model_ids)
        for persona_id in dict.fromkeys(fan_out.persona_ids)
    ]


def get_group(connection: Connection, group_id: str) -> list[LlmRequest]:
    """What was asked together, in the order of asking. Raises NotFound."""
    found = list_group(connection, group_id)
    if not found:
        raise NotFound("There is no such group of LLM requests.")
    return found


def cancel_group(connection: Connection, group_id: str, now: datetime) -> Changes:
    """Call off all of a group that is not answered yet. Raises NotFound."""
    live = [request.id for request in get_group(connection, group_id) if request.is_live]
    return change_many(connection, Action.CANCEL, live, now)
