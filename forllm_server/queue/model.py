"""What a queued LLM request is, its states, and the causes why it is not finished."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """Where an LLM request stands. The first four are *live*; the last three are final until someone acts."""

    QUEUED = "queued"  #: ready to be claimed as soon as a worker, a window and its backend allow
    WAITING = "waiting"  #: not yet due: a retry that backs off
    HELD = "held"  #: set aside by a person until released
    RUNNING = "running"  #: a worker holds a lease on it and the model is at work
    SUCCEEDED = "succeeded"  #: answered: the reply is posted
    FAILED = "failed"  #: ended in a visible error; a person can retry it
    CANCELLED = "cancelled"  #: a person called it off


LIVE = (Status.QUEUED, Status.WAITING, Status.HELD, Status.RUNNING)


class Lane(StrEnum):
    """Which line an LLM request stands in."""

    LIVE = "live"  #: "run now": goes first and does not wait for a window
    NIGHT = "night"  #: runs inside the hours allowed


class Cause(StrEnum):
    """Why an LLM request waits, or how it ended. Stored; :mod:`forllm_server.queue.causes` puts it in words."""

    BACKEND_DOWN = "backend_down"  #: the server did not answer; not the request's fault
    RETRY = "retry"  #: the attempt failed and the next one backs off
    WINDOW_CLOSED = "window_closed"  #: a window closed while it ran and the policy was to pause or stop
    MACHINE_BUSY = "machine_busy"  #: it made way for something else on its machine while it ran
    WORKER_STOPPED = "worker_stopped"  #: FORLLM was shut down in good order while it ran
    WORKER_LOST = "worker_lost"  #: its worker vanished: killed, crashed, or the power failed
    HELD = "held"  #: a person set it aside
    CANCELLED = "cancelled"  #: a person called it off
    WAITS_FOR_ANSWER = "waits_for_answer"  #: it answers the reply of another one, which is not there yet
    QUESTION_UNANSWERED = "question_unanswered"  #: the reply that it was to answer did not come
    NO_MODEL = "no_model"  #: there was no model that could answer
    MODEL_GONE = "model_gone"  #: its model or backend is no longer there
    PROMPT_TOO_LONG = "prompt_too_long"  #: the post alone does not fit into the model's context
    SUBJECT_GONE = "subject_gone"  #: the post or topic was deleted while it waited
    ERROR = "error"  #: the backend refused or answered badly; the detail says what
    INTERNAL = "internal"  #: FORLLM itself stumbled; the log knows more


class Happening(StrEnum):
    """What can happen to an LLM request: the names of its events."""

    QUEUED = "queued"  #: a person asked
    CLAIMED = "claimed"  #: a worker took it
    FIRST_TOKEN = "first_token"  #: the model has loaded and read the prompt, and begins to answer
    SUCCEEDED = "succeeded"  #: the reply is posted
    FAILED = "failed"  #: it ended in a visible error
    CANCELLED = "cancelled"  #: it was called off, or is being called off while it runs
    RETRY_WAITS = "retry_waits"  #: the attempt failed and the next one is due later
    RELEASED = "released"  #: it went back into the queue: by a person, a closing window or a stopping worker
    RESCUED = "rescued"  #: its worker was gone, and it was taken back
    DUE = "due"  #: its next attempt may begin
    HELD = "held"  #: a person set it aside
    RETRIED = "retried"  #: a person had it tried again
    RUN_NOW = "run_now"  #: a person moved it to the live lane
    MOVED = "moved"  #: a person changed its place in line
    MODEL_CHANGED = "model_changed"  #: it is to be answered by another model


@dataclass(frozen=True)
class LlmRequestEvent:
    """One row of ``llm_request_events``. ``detail`` is a sentence for people, or empty."""

    id: int
    at: datetime
    llm_request_id: int
    name: Happening
    run: int
    worker: str | None
    detail: str | None


@dataclass(frozen=True)
class LlmRequest:
    """One row of ``llm_requests``."""

    id: int
    owner_id: int
    kind: str
    status: Status
    lane: Lane
    priority: int
    topic_id: int | None
    post_id: int | None
    persona_id: int | None
    persona_version_id: int | None
    backend_id: int | None
    model_id: int | None
    model_name: str | None
    parameters: Mapping[str, Any]
    answer_number: int
    input: Mapping[str, Any]
    created_at: datetime
    due_at: datetime | None
    queued_at: datetime | None
    started_at: datetime | None
    first_token_at: datetime | None
    finished_at: datetime | None
    attempts: int
    max_attempts: int
    run: int
    lease_token: str | None
    lease_until: datetime | None
    worker: str | None
    is_cancel_requested: bool
    cause: Cause | None
    cause_detail: str | None
    output_tokens: int
    usage: Mapping[str, Any] | None
    finish_reason: str | None
    reply_post_id: int | None
    #: a person's own place within the lane, smaller first; None: by priority and grouping, after all that have one
    pinned: float | None = None
    #: the one whose reply it answers, and without which it cannot begin
    parent_llm_request_id: int | None = None
    #: names those that were asked together as one fan-out
    group_id: str | None = None

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    def log_context(self) -> dict[str, Any]:
        """The facts that name this request in a log line."""
        return {"llm_request": self.id, "kind": self.kind, "run": self.run, "attempt": self.attempts}


@dataclass(frozen=True)
class NewLlmRequest:
    """What is known when a person asks. Everything else is filled in by the queue."""

    owner_id: int
    kind: str
    topic_id: int | None = None
    post_id: int | None = None
    persona_id: int | None = None
    persona_version_id: int | None = None
    backend_id: int | None = None
    model_id: int | None = None
    model_name: str | None = None
    lane: Lane = Lane.NIGHT
    priority: int = 0
    max_attempts: int = 3
    parameters: Mapping[str, Any] = field(default_factory=dict)
    answer_number: int = 1
    input: Mapping[str, Any] = field(default_factory=dict)
    status: Status = Status.QUEUED
    cause: Cause | None = None
    parent_llm_request_id: int | None = None
    group_id: str | None = None


@dataclass(frozen=True)
class Prompt:
    """The exact prompt of the last run: the layout's name, the messages as sent, and where the tokens went."""

    llm_request_id: int
    layout: str
    messages: tuple[Mapping[str, Any], ...]
    breakdown: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True)
class Partial:
    """The text written so far by the newest run of an LLM request."""

    llm_request_id: int
    run: int
    text: str
    thinking: str


@dataclass(frozen=True)
class BackendState:
    """The circuit breaker of a backend, shared by all workers."""

    backend_id: int
    failures: int
    open_until: datetime | None
    last_error: str | None


#: A worker that has given no sign of life for so long is taken for gone: three heartbeats and a little.
ALIVE_SECONDS = 35.0


@dataclass(frozen=True)
class WorkerRecord:
    """A process that works on the queue, or did. ``backend_ids``: those it takes work of; None is all."""

    id: str
    host: str
    pid: int
    started_at: datetime
    heartbeat_at: datetime
    threads: int
    backend_ids: tuple[int, ...] | None
    stopped_at: datetime | None

    def is_alive(self, now: datetime) -> bool:
        """Whether it has not stopped and its last sign of life is young."""
        return self.stopped_at is None and (now - self.heartbeat_at).total_seconds() <= ALIVE_SECONDS


@dataclass(frozen=True)
class Pause:
    """Nothing new is begun: on the backend ``scope``, or anywhere when it is 0. ``until`` None: until it is ended."""

    scope: int
    until: datetime | None
    reason: str
    created_at: datetime
    is_by_machine: bool
