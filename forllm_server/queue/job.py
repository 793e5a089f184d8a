"""A claimed LLM request in the hands of its kind: write the text as it comes, then end it, once."""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from forllm_server import clock, log
from forllm_server.db import Database
from forllm_server.errors import ForllmError, Unavailable
from forllm_server.queue import backend_state_store, chunk_store, lease_store, prompt_store
from forllm_server.queue.claiming import LEASE
from forllm_server.queue.lease_store import Lease, Outcome
from forllm_server.queue.model import Cause, LlmRequest, Status
from forllm_server.queue.retry import Decision
from forllm_server.queue.telling import tell_failed

#: A checkpoint is written after this long or this much, whichever comes first.
CHECKPOINT_SECONDS = 1.0
CHECKPOINT_TOKENS = 20
#: How long the end of a good run waits for a database that is busy or full, from try to try.
SETTLE_PAUSES_SECONDS = (0.2, 1.0, 3.0, 5.0)


class Interruption(StrEnum):
    """Why a run is stopped from outside."""

    CANCELLED = "cancelled"  #: a person called the request off
    STOPPING = "stopping"  #: FORLLM is shutting down
    WINDOW_PAUSED = "window_paused"  #: the window closed: keep what is written, go on in the next one
    WINDOW_STOPPED = "window_stopped"  #: the window closed: drop what is written, start again in the next one
    MACHINE_BUSY = "machine_busy"  #: somebody else needs the machine: keep what is written, go on when it is quiet
    LEASE_LOST = "lease_lost"  #: somebody else has the request now: write nothing more


class Interrupted(ForllmError):
    """The run was stopped from outside."""

    code = "interrupted"


class Hopeless(ForllmError):
    """This LLM request cannot be answered, however often it is tried."""

    code = "hopeless"

    def __init__(self, message: str, *, cause: Cause, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.cause = cause


class Job:
    """One run of an LLM request. Its writes are fenced by the lease and go nowhere once that is lost."""

    def __init__(self, database: Database, request: LlmRequest, *, backend_failures: int = 0) -> None:
        self.database = database
        self.request = request
        self.lease = Lease(request.id, request.lease_token or "", request.run, request.topic_id)
        self.interruption: Interruption | None = None
        self.is_settled = False
        #: What else happens in the transaction of a good end, after all that belongs to it; what it returns is called
        #: when that transaction has been committed.
        self.and_then: Callable[[Connection], Callable[[], None]] | None = None
        self._backend_failures = backend_failures
        self.renewed_at = clock.monotonic()
        self.output_tokens = 0
        self.first_token_at: datetime | None = None
        self._guard = threading.Lock()
        self._patience = threading.Event()
        self._stop: Callable[[], None] | None = None
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._unsaved_tokens = 0
        self._save_at_tokens = CHECKPOINT_TOKENS
        self._tried_at = self.renewed_at
        self._seq = 0
        self._is_saved_text_thinking = False
        self._has_prompt = False

    def on_interrupt(self, stop: Callable[[], None]) -> None:
        """Have ``stop`` called, from another thread, when the run is interrupted; at once if it is already."""
        with self._guard:
            self._stop = stop
        if self.interruption is not None:
            stop()

    def interrupt(self, why: Interruption) -> None:
        """Stop the run from outside. The first reason stays."""
        with self._guard:
            if self.interruption is not None or self.is_settled:
                return
            self.interruption = why
            stop = self._stop
        self._patience.set()
        if stop is not None:
            stop()

    def raise_if_interrupted(self) -> None:
        if self.interruption is not None:
            raise Interrupted()

    def save_prompt(self, *, layout: str, messages: Sequence[Mapping[str, Any]], breakdown: Mapping[str, Any]) -> None:
        """Keep the exact prompt, before it is sent."""
        now = clock.now()
        with self.database.transaction() as connection:
            self._renew(connection, now)
            prompt_store.replace_prompt(
                connection,
                self.request.id,
                layout=layout,
                messages=messages,
                breakdown=breakdown,
                now=now,
                is_first=self.request.run == 1 and not self._has_prompt,
            )
        self._has_prompt = True

    def begin_with(self, text: str, tokens: int) -> None:
        """Let the answer begin with ``text``, of so many tokens, that an earlier run has written; empty: begin anew.

        It stands in the database as that run's until the first checkpoint of this one.
        """
        self.output_tokens = tokens
        self._unsaved_tokens = self._seq = 0
        self._text, self._thinking = [text] if text else [], []
        self._is_saved_text_thinking = False

    def take_text_for_thinking(self) -> None:
        """All text so far turned out to be thinking."""
        self._thinking = ["".join(self._thinking) + "".join(self._text)]
        self._text = [""]
        self._is_saved_text_thinking = self._seq > 0

    def write(self, text: str, thinking: str = "", tokens: int = 1) -> None:
        """Take a piece of the answer; it is saved with the next checkpoint."""
        self.raise_if_interrupted()
        if self.first_token_at is None:
            self.first_token_at = clock.now()
        self._text.append(text)
        self._thinking.append(thinking)
        self._unsaved_tokens += tokens
        if self._unsaved_tokens >= self._save_at_tokens or clock.monotonic() - self._tried_at >= CHECKPOINT_SECONDS:
            self._checkpoint_if_possible()

    def checkpoint(self) -> None:
        """Save what has been written since the last one, and renew the lease with it."""
        if not self._text:
            return
        now = clock.now()
        text, thinking = "".join(self._text), "".join(self._thinking)
        tokens = self.output_tokens + self._unsaved_tokens
        with self.database.transaction() as connection:
            asked = lease_store.update_progress(
                connection,
                self.lease,
                until=now + LEASE,
                output_tokens=tokens,
                first_token_at=self.first_token_at or now,
                is_first=self._seq == 0,
            )
            if asked is None:
                self._lose()
            if self._is_saved_text_thinking:
                chunk_store.update_text_to_thinking(connection, self.request.id, run=self.lease.run)
            chunk_store.insert_chunk(
                connection, self.request.id, run=self.lease.run, seq=self._seq, text=text, thinking=thinking
            )
        self.renewed_at = clock.monotonic()
        self.output_tokens = tokens
        self._seq += 1
        self._unsaved_tokens = 0
        self._text.clear()
        self._thinking.clear()
        self._is_saved_text_thinking = False
        if asked:
            self.interrupt(Interruption.CANCELLED)

    def _checkpoint_if_possible(self) -> None:
        """A database that is busy for a moment stops no generation: the piece goes with the next checkpoint."""
        self._tried_at = clock.monotonic()
        try:
            self.checkpoint()
            self._save_at_tokens = CHECKPOINT_TOKENS
        except Unavailable as error:
            self._save_at_tokens = self._unsaved_tokens + CHECKPOINT_TOKENS
            log.event("checkpoint.delayed", level=log.WARNING, detail=error.message, **self.request.log_context())

    def checkpoint_quietly(self) -> None:
        """Save the last piece before the run is settled; a lost lease is for the settling to find out."""
        try:
            self.checkpoint()
        except Interrupted:
            return

    def also(self, work: Callable[[Connection], None]) -> None:
        """Have ``work`` done in the transaction of a good end, before what else happens in it."""
        following = self.and_then

        def both(connection: Connection) -> Callable[[], None]:
            work(connection)
            return following(connection) if following else lambda: None

        self.and_then = both

    def succeed(
        self,
        write_reply: Callable[[Connection], int | None],
        *,
        usage: Mapping[str, Any] | None,
        finish_reason: str,
        output_tokens: int,
    ) -> None:
        """End well: the reply, the status, and nothing half of it, in one transaction fenced by the lease.

        A night's generation is not thrown away because the database is busy for a moment: the end is tried again
        for a while before Unavailable is raised.
        """
        self.raise_if_interrupted()
        outcome = Outcome(
            usage=usage,
            finish_reason=finish_reason,
            output_tokens=output_tokens,
            has_chunks=self._seq > 0 or self.lease.run > 1,
            first_token_at=self.first_token_at,
            is_first_token_noted=self._seq > 0,
        )
        for pause_seconds in SETTLE_PAUSES_SECONDS:
            try:
                self._succeed(write_reply, outcome)
                break
            except Unavailable:
                self.wait(pause_seconds)
                self.raise_if_interrupted()
        else:
            self._succeed(write_reply, outcome)
        self.is_settled = True
        self.output_tokens = output_tokens

    def wait(self, seconds: float) -> bool:
        """Wait before something is tried again; whether the run was interrupted, so that it is better not to."""
        return self._patience.wait(seconds)

    def _succeed(self, write_reply: Callable[[Connection], int | None], outcome: Outcome) -> None:
        # The reply first, then the fenced status: posts before requests before versions, as everybody locks them.
        # When the fence fails, the transaction takes the reply back with it.
        with self.database.transaction() as connection:
            reply_post_id = write_reply(connection)
            now = clock.now()
            if not lease_store.update_to_succeeded(connection, self.lease, outcome, reply_post_id, now=now):
                self._lose()
            if self._backend_failures and self.request.backend_id is not None:
                backend_state_store.delete_failures(connection, self.request.backend_id)
            committed = self.and_then(connection) if self.and_then else None
        if committed:
            committed()

    def settle(self, decision: Decision, *, keeps_partial: bool = True) -> Decision | None:
        """End without a reply, as decided, or called off. None when the lease was lost and somebody else decides.

        What is called off keeps its text in any case.
        """
        now = clock.now()
        with self.database.transaction() as connection:
            stored = lease_store.update_unfinished(connection, self.lease, decision, now=now)
            if stored is not None and not keeps_partial and stored.status is not Status.CANCELLED:
                chunk_store.delete_chunks(connection, self.request.id)
            if stored is not None and stored.status is Status.FAILED:
                tell_failed(connection, self.request, stored.cause, stored.detail, now)
        self.is_settled = True
        return stored

    @staticmethod
    def now() -> datetime:
        return clock.now()

    def _renew(self, connection: Connection, now: datetime) -> None:
        if lease_store.update_lease(connection, self.lease, until=now + LEASE) is None:
            self._lose()
        self.renewed_at = clock.monotonic()

    def _lose(self) -> None:
        self.interruption = Interruption.LEASE_LOST
        raise Interrupted()
