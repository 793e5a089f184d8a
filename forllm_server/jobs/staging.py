"""Putting the lines of batches into the queue, a part at a time, and noting what became of them.

Of a batch at most so many LLM requests are in the queue at once, so that 50,000 lines neither fill a topic before they
are asked nor stand before everybody else's questions. A line's post, its LLM requests, its cells and the count of the
lines asked are one transaction: after a crash it goes on with the next line.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from forllm_server import log
from forllm_server.batches import batch_store, cell_store, verdict_store
from forllm_server.batches.checks import TRIED_ELSEWHERE, Check, CheckKind, bare_json, failed_of
from forllm_server.batches.fitting import TOO_LONG, faults_of
from forllm_server.batches.matching import match_all
from forllm_server.batches.model import Batch, BatchAsk, Line, Place, State
from forllm_server.batches.template import fill
from forllm_server.catalog.choosing import choose_model
from forllm_server.catalog.model import ChosenModel
from forllm_server.db import Database
from forllm_server.db.lines import log_on_commit
from forllm_server.errors import Conflict, Invalid, NotFound
from forllm_server.forum.editing import add_reply
from forllm_server.forum.topics import open_topic
from forllm_server.hooks.telling import tell_hooks
from forllm_server.jobs.asking import REPLY, default_parameters
from forllm_server.jobs.subject import ALONE
from forllm_server.jobs.verdict import ask_verdicts
from forllm_server.markup.excerpt import excerpt
from forllm_server.personas import version_store
from forllm_server.personas.model import PersonaVersion
from forllm_server.personas.parameters import merge
from forllm_server.queue.llm_request_store import insert_new_llm_requests
from forllm_server.queue.model import Lane, NewLlmRequest
from forllm_server.settings.values import Settings, read_settings

#: LLM requests of one batch that are in the queue at once, about
IN_QUEUE = 400
#: lines that one transaction asks, for others want to write too
LINES_AT_ONCE = 50
#: answers that are checked in one go
CHECKED_AT_ONCE = 200
TITLE_CHARS = 80


def tend_batches(database: Database, now: datetime) -> int:
    """Have the answers that came checked and judged, and ask what there is room for.

    Returns how many LLM requests were made.

    It may be called by any number of processes at once.
    """
    with database.read() as connection:
        unfinished = batch_store.list_unfinished_ids(connection)
    return sum(_tend(database, batch_id, now) for batch_id in unfinished)


def _tend(database: Database, batch_id: int, now: datetime) -> int:
    """One batch. What it cannot be asked for pauses it, with the reason, and keeps no other one waiting."""
    made = 0
    try:
        while _check_answers(database, batch_id):
            pass
        while asked := ask_verdicts(database, batch_id, now, most=IN_QUEUE):
            made += asked
        while asked := _stage_more(database, batch_id, now):
            made += asked
        _settle(database, batch_id, now)
    except (NotFound, Conflict, Invalid) as error:
        _pause(database, batch_id, error.message)
    return made


def _stage_more(database: Database, batch_id: int, now: datetime) -> int:
    with database.read() as connection:
        batch = batch_store.get_batch(connection, batch_id)
        if not _room(connection, batch):
            return 0
    with database.transaction() as connection:
        return stage(connection, batch_id, now)


def stage(connection: Connection, batch_id: int, now: datetime) -> int:
    """Ask the next lines of a batch, as many as there is room for; how many LLM requests that made.

    Raises NotFound or Conflict (its topic or subforum lies in the trash) and Invalid (a model is gone).
    """
    batch = batch_store.get_batch_to_change(connection, batch_id)
    room = _room(connection, batch)
    if not room:
        return 0
    lines = batch_store.list_lines(connection, batch.id, after=batch.asked_count, limit=min(room, LINES_AT_ONCE))
    desk = _Desk(connection, batch)
    places = [_post(connection, batch, line, now) for line in lines]
    news = [desk.new_request(ask, *place) for place in places for ask in batch.asks]
    made = insert_new_llm_requests(connection, news, now)
    keys = [(line.number, ask) for line in lines for ask in range(len(batch.asks))]
    cells = [(*key, request.id) for key, request in zip(keys, made, strict=True) if request is not None]
    cell_store.insert_cells(connection, batch.id, cells)
    batch_store.update_batch(connection, batch.id, asked_count=batch.asked_count + len(lines))
    return len(cells)


def _room(connection: Connection, batch: Batch) -> int:
    """How many lines more may be asked now."""
    if batch.state is not State.OPEN or batch.asked_count >= batch.line_count:
        return 0
    live = cell_store.count_live(connection, batch)
    if batch.judge:
        live += verdict_store.count_live_verdicts(connection, batch)
    # A line with more asks than that is asked all the same, when nothing else of the batch is in the queue.
    return max((IN_QUEUE - live) // len(batch.asks), 0 if live else 1)


def _post(connection: Connection, batch: Batch, line: Line, now: datetime) -> tuple[int, int, int]:
    """The post in which a line is asked: (topic, post, characters)."""
    content = fill(batch.template, batch.columns, line.values).strip()
    if batch.place is Place.GRID:
        root_id = batch.root_post_id or 0
        post = add_reply(connection, owner_id=batch.owner_id, parent_id=root_id, content=content, now=now)
    else:
        title = excerpt(content, max_chars=TITLE_CHARS) or f"{batch.title[:TITLE_CHARS]} {line.number}"
        _, post = open_topic(
            connection, owner_id=batch.owner_id, subforum_id=batch.subforum_id, title=title, content=content, now=now
        )
    batch_store.update_line(connection, batch.id, line.number, post_id=post.id)
    return post.topic_id, post.id, len(content)


class _Desk:
    """What asking several lines reads, each thing once."""

    def __init__(self, connection: Connection, batch: Batch) -> None:
        self._connection = connection
        self._batch = batch
        self._settings: Settings = read_settings(connection)
        ids = {ask.persona_version_id for ask in batch.asks}
        self._versions = {each.id: each for each in version_store.list_versions_by_ids(connection, ids)}
        self._models: dict[tuple[int | None, int | None], ChosenModel | None] = {}
        self._asked: Counter[tuple[int, int, int | None]] = Counter()

    def new_request(self, ask: BatchAsk, topic_id: int, post_id: int, characters: int) -> NewLlmRequest:
        """The request that asks one cell. Raises Invalid when its model is gone."""
        version = self._versions[ask.persona_version_id]
        chosen = self._choose_model(ask.model_id, version.model_id)
        named = (post_id, ask.persona_id, chosen.model.id if chosen else None)
        self._asked[named] += 1
        return NewLlmRequest(
            owner_id=self._batch.owner_id,
            kind=REPLY,
            topic_id=topic_id,
            post_id=post_id,
            persona_id=ask.persona_id,
            persona_version_id=version.id,
            backend_id=chosen.backend.id if chosen else None,
            model_id=chosen.model.id if chosen else None,
            model_name=chosen.model.name if chosen else None,
            lane=Lane.LIVE if self._batch.is_run_now else Lane.NIGHT,
            max_attempts=self._settings.max_attempts,
            parameters=merge(default_parameters(self._settings), version.parameters),
            input=self._input(version, chosen, characters),
            answer_number=self._asked[named],
        )

    def _input(self, version: PersonaVersion, chosen: ChosenModel | None, characters: int) -> dict[str, Any]:
        facts: dict[str, Any] = {"persona_reason": "asked", "batch_id": self._batch.id, ALONE: True}
        if chosen is not None:
            per_token = chosen.model.characters_per_token or 4.0
            facts["model_reason"] = chosen.reason
            facts["prompt_tokens"] = int((characters + len(version.instructions)) / per_token) + 1
        return facts

    def _choose_model(self, model_id: int | None, persona_model_id: int | None) -> ChosenModel | None:
        key = (model_id, persona_model_id)
        if key not in self._models:
            self._models[key] = choose_model(
                self._connection,
                asked_model_id=model_id,
                persona_model_id=persona_model_id,
                default_model_id=self._settings.default_model_id,
            )
        return self._models[key]


def _check_answers(database: Database, batch_id: int) -> bool:
    """Put some of the answers to the checks, outside of any transaction; whether there may be more."""
    with database.read() as connection:
        batch = batch_store.get_batch(connection, batch_id)
        if not batch.checks:
            return False
        found = cell_store.list_unchecked(connection, batch, limit=CHECKED_AT_ONCE)
    if not found:
        return False
    failed = check_texts(batch, [text for _, _, text in found])
    with database.transaction() as connection:
        rows = [(number, ask, words) for (number, ask, _), words in zip(found, failed, strict=True)]
        cell_store.update_checks(connection, batch_id, rows)
    return len(found) == CHECKED_AT_ONCE


def check_texts(batch: Batch, texts: Sequence[str]) -> list[tuple[str, ...]]:
    """What each of these answers fails, in words."""
    faults = {check: _faults(check, texts) for check in batch.checks if check.kind in TRIED_ELSEWHERE}
    return [
        failed_of(batch.checks, text, {check: found[place] for check, found in faults.items()})
        for place, text in enumerate(texts)
    ]


def _faults(check: Check, texts: Sequence[str]) -> list[str | None]:
    """Why each text fails a check that takes a process of its own; None where it passes."""
    if check.kind is CheckKind.SCHEMA:
        return faults_of(check.value, [bare_json(text) for text in texts])
    words = {True: None, False: "", None: TOO_LONG}
    return [words[found] for found in match_all(check.value, texts)]


def _settle(database: Database, batch_id: int, now: datetime) -> None:
    """Note how far everything has an end, and whether that is the end of all."""
    with database.read() as connection:
        batch = batch_store.get_batch(connection, batch_id)
        first = cell_store.find_first_unsettled(connection, batch)
    settled = batch.asked_count if first is None else first - 1
    is_finished = first is None and (batch.asked_count == batch.line_count or batch.state is State.CANCELLED)
    if settled == batch.settled_count and not is_finished:
        return
    with database.transaction() as connection:
        current = batch_store.get_batch_to_change(connection, batch_id)
        # A retry in between has moved it back: the next look sees to it.
        if (current.settled_count, current.asked_count, current.finished_at) != (
            batch.settled_count,
            batch.asked_count,
            None,
        ):
            return
        finished_at = now if is_finished else None
        batch_store.update_batch(connection, batch_id, settled_count=settled, finished_at=finished_at)
        if is_finished and batch.state is not State.CANCELLED:
            tell_hooks(connection, "batch.finished", {"batch_id": batch_id, "topic_id": batch.topic_id}, now)
    if is_finished:
        log.event("batch.finished", batch=batch_id, lines=batch.line_count, asks=len(batch.asks))


def _pause(database: Database, batch_id: int, problem: str) -> None:
    with suppress(NotFound), database.transaction() as connection:
        # It may have been cancelled or deleted since: that stays so.
        if batch_store.get_batch_to_change(connection, batch_id).state is not State.OPEN:
            return
        batch_store.update_batch(connection, batch_id, state=State.PAUSED.value, problem=problem)
        log_on_commit(connection, "batch.paused", level=log.WARNING, batch=batch_id, detail=problem)
