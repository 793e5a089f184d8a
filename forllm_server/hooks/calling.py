"""Making one call: a command with JSON as its input, or JSON posted to an address."""

import json
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from forllm_server import clock
from forllm_server.errors import Invalid
from forllm_server.hooks.model import Call, Hook, HookKind
from forllm_server.hooks.telling import CAUSE_HEADER
from forllm_server.machine.commands import OUTPUT_BYTES, run_command
from forllm_server.outward.failure import SendFailed
from forllm_server.outward.posting import post
from forllm_server.outward.signing import SIGNATURE, sign

EVENT_HEADER = "X-Forllm-Event"


@dataclass(frozen=True)
class Outcome:
    """How calling went. ``code``: the exit code or the status of HTTP; None: there is none."""

    seconds: float
    code: int | None
    #: OUTPUT_BYTES at most
    output: str
    is_truncated: bool
    #: a sentence for people; empty: it went well
    problem: str
    #: another try would end the same
    is_permanent: bool = False
    #: FORLLM stops; it was not the call's fault
    is_called_off: bool = False

    @property
    def is_ok(self) -> bool:
        return not self.problem


def body_of(hook: Hook, call: Call, more: Mapping[str, Any]) -> bytes:
    """The JSON of a call. ``more``: what the event is about, as it stands now."""
    told = {
        "event": call.event,
        "event_id": call.event_id,
        "at": call.created_at.isoformat(),
        "hook": {"id": hook.id, "name": hook.name},
        **call.facts,
        **more,
    }
    return json.dumps(told, ensure_ascii=False).encode()


def make_call(
    hook: Hook,
    call: Call,
    body: bytes,
    secret: str | None,
    now: datetime,
    *,
    forum_url: str,
    called_off: threading.Event,
    tls: ssl.SSLContext | None = None,
) -> Outcome:
    """Make it now and wait for its end: ``hook.timeout_seconds`` and a little. ``forum_url``: where the API is."""
    if hook.kind is HookKind.COMMAND:
        return _run(hook, call, body, forum_url, called_off)
    return _post(hook, call, body, secret, now, tls)


def _run(hook: Hook, call: Call, body: bytes, forum_url: str, called_off: threading.Event) -> Outcome:
    facts = {"event_id": call.event_id, "url": forum_url}
    try:
        ended = run_command(
            hook.command,
            call.event,
            facts,
            timeout_seconds=hook.timeout_seconds,
            given=body,
            called_off=called_off,
        )
    except Invalid as error:
        return Outcome(0.0, None, "", False, error.message, is_permanent=True)
    return Outcome(
        ended.seconds,
        ended.exit_code,
        _storable(ended.output),
        ended.is_truncated,
        ended.problem,
        is_permanent=ended.is_missing,
        is_called_off=ended.is_called_off,
    )


def _post(
    hook: Hook, call: Call, body: bytes, secret: str | None, now: datetime, tls: ssl.SSLContext | None
) -> Outcome:
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        EVENT_HEADER: call.event,
        CAUSE_HEADER: call.event_id,
    }
    if secret:
        headers[SIGNATURE] = sign(secret, body, int(now.timestamp()))
    started = clock.monotonic()
    try:
        answer = post(
            hook.url,
            body,
            headers,
            may_be_local=hook.may_be_local,
            tls=tls,
            total_seconds=hook.timeout_seconds,
            keeps_text=True,
        )
    except SendFailed as failure:
        seconds = clock.monotonic() - started
        said = _storable(failure.said)
        return Outcome(seconds, failure.status, said, False, failure.message, is_permanent=failure.is_permanent)
    return Outcome(clock.monotonic() - started, answer.status, _storable(answer.text), False, "")


def _storable(text: str) -> str:
    """PostgreSQL takes no NUL."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")[-OUTPUT_BYTES:]
