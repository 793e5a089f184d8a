"""Batches: made, paused, resumed, cancelled, retried. How their lines get into the queue is in :mod:`staging`."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from forllm_server import log
from forllm_server.batches import batch_store, cell_store, verdict_store
from forllm_server.batches.making import BatchDraft, prepare
from forllm_server.batches.model import Batch, BatchAsk, Judge, NewBatch, Place, State
from forllm_server.catalog.choosing import choose_model
from forllm_server.catalog.naming import read_model_names
from forllm_server.errors import Conflict, Invalid
from forllm_server.forum.subforum_store import get_subforum
from forllm_server.forum.topics import open_topic
from forllm_server.jobs.staging import stage
from forllm_server.personas.model import PersonaVersion
from forllm_server.personas.persona_store import find_persona
from forllm_server.queue.bulk import Action, change_many
from forllm_server.queue.model import LIVE, Status

#: Failed cells that one call tries again; the rest at the next.
RETRIED_AT_ONCE = 1_000


def create_batch(connection: Connection, draft: BatchDraft, *, owner_id: int, now: datetime) -> Batch:
    """Take a batch with all its lines, and ask the first of them. Raises NotFound (subforum) and Invalid."""
    prepared = prepare(draft)
    get_subforum(connection, draft.subforum_id)
    asks = tuple(list_asks(connection, draft))
    judge = find_judge(connection, draft)
    new = NewBatch(
        owner_id=owner_id,
        subforum_id=draft.subforum_id,
        place=draft.place,
        title=draft.title.strip(),
        template=draft.template,
        columns=draft.table.columns,
        asks=asks,
        checks=draft.checks,
        is_run_now=draft.is_run_now,
        fingerprint=prepared.fingerprint,
        judge=judge,
    )
    batch = batch_store.insert_batch(connection, new, prepared.lines, now)
    if draft.place is Place.GRID:
        topic, post = open_topic(
            connection,
            owner_id=owner_id,
            subforum_id=draft.subforum_id,
            title=draft.title,
            content=_root_words(draft, batch),
            now=now,
        )
        batch_store.update_batch(connection, batch.id, topic_id=topic.id, root_post_id=post.id)
    stage(connection, batch.id, now)
    log.event("batch.created", batch=batch.id, lines=batch.line_count, asks=len(asks))
    return batch_store.get_batch(connection, batch.id)


def pause_batch(connection: Connection, batch_id: int, now: datetime) -> Batch:
    """Put nothing more of it into the queue, and hold what waits there. Raises NotFound, Conflict (cancelled)."""
    batch = _get_to_act(connection, batch_id)
    batch_store.update_batch(connection, batch.id, state=State.PAUSED.value, problem=None)
    ids = _request_ids(connection, batch.id, (Status.QUEUED, Status.WAITING))
    change_many(connection, Action.HOLD, ids, now)
    return batch_store.get_batch(connection, batch.id)


def resume_batch(connection: Connection, batch_id: int, now: datetime) -> Batch:
    """Go on with a paused batch; what was held of it is released. Raises NotFound, Conflict (cancelled)."""
    batch = _get_to_act(connection, batch_id)
    values = {"state": State.OPEN.value, "problem": None, "finished_at": None}
    batch_store.update_batch(connection, batch.id, **values)
    held = _request_ids(connection, batch.id, (Status.HELD,))
    change_many(connection, Action.RELEASE, held, now)
    stage(connection, batch.id, now)
    return batch_store.get_batch(connection, batch.id)


def cancel_batch(connection: Connection, batch_id: int, now: datetime) -> Batch:
    """Ask nothing more of it and call off what waits or runs; the answers stay. Raises NotFound."""
    batch = batch_store.get_batch_to_change(connection, batch_id)
    values = {"state": State.CANCELLED.value, "problem": None, "finished_at": batch.finished_at or now}
    batch_store.update_batch(connection, batch.id, **values)
    _cancel_live(connection, batch.id, now)
    return batch_store.get_batch(connection, batch.id)


def retry_failed(connection: Connection, batch_id: int, now: datetime) -> int:
    """Have failed cells tried again, 1,000 at most, and the judge asked again where it did not decide; how many.

    Raises NotFound, Conflict (cancelled).
    """
    batch = _get_to_act(connection, batch_id)
    failed = _request_ids(connection, batch.id, (Status.FAILED,), limit=RETRIED_AT_ONCE)
    changed = [each.id for each in change_many(connection, Action.RETRY, failed, now).changed]
    asked_anew = verdict_store.delete_undecided(connection, batch.id)
    if changed or asked_anew:
        cell_store.delete_checks_of(connection, batch.id, changed)
        finders = (cell_store.find_first_of, verdict_store.find_first_judged_by)
        firsts = [found for find in finders if (found := find(connection, batch.id, changed)) is not None]
        settled = min([batch.settled_count, *(first - 1 for first in firsts + asked_anew)])
        batch_store.update_batch(connection, batch.id, settled_count=settled, finished_at=None)
    return len(changed) + len(asked_anew)


def delete_batch(connection: Connection, batch_id: int, now: datetime) -> None:
    """Forget a batch and call off what waits of it. Its topics and answers stay. Raises NotFound."""
    batch_store.get_batch_to_change(connection, batch_id)
    _cancel_live(connection, batch_id, now)
    batch_store.delete_batch(connection, batch_id)


def _cancel_live(connection: Connection, batch_id: int, now: datetime) -> None:
    change_many(connection, Action.CANCEL, _request_ids(connection, batch_id, LIVE), now)


def _request_ids(
    connection: Connection, batch_id: int, statuses: Sequence[Status], *, limit: int | None = None
) -> list[int]:
    """Those that answer and those that judge, in these states."""
    answering = cell_store.list_llm_request_ids(connection, batch_id, statuses, limit=limit)
    judging = verdict_store.list_verdict_request_ids(connection, batch_id, statuses, limit=limit)
    return (answering + judging)[:limit]


def _get_to_act(connection: Connection, batch_id: int) -> Batch:
    batch = batch_store.get_batch_to_change(connection, batch_id)
    if batch.state is State.CANCELLED:
        raise Conflict("This batch was cancelled. Make a new one of the same table to ask the rest.")
    return batch


def list_asks(connection: Connection, draft: BatchDraft) -> list[BatchAsk]:
    """Personas × models × repeats, with the versions that the personas have now. Raises Invalid."""
    asks = []
    for persona_id in draft.persona_ids:
        persona = find_persona(connection, persona_id)
        if persona is None or persona.deleted_at is not None:
            raise Invalid("One of the personas is not there any more. Choose again.", field="persona_ids")
        for model_id in draft.model_ids:
            words = _model_words(connection, model_id)
            asks += [
                BatchAsk(persona_id, persona.version.id, _persona_words(persona.version), model_id, words, repeat)
                for repeat in range(1, draft.repeats + 1)
            ]
    return asks


def find_judge(connection: Connection, draft: BatchDraft) -> Judge | None:
    """The judge with the version that it has now. Raises Invalid (judge_persona_id)."""
    if draft.judge_persona_id is None:
        return None
    persona = find_persona(connection, draft.judge_persona_id)
    if persona is None or persona.deleted_at is not None:
        raise Invalid("The persona that was to judge is not there any more. Choose again.", field="judge_persona_id")
    return Judge(persona.id, persona.version.id, _persona_words(persona.version), draft.rubric.strip())


def _persona_words(version: PersonaVersion) -> str:
    return f"{version.name} v{version.number}"


def _model_words(connection: Connection, model_id: int | None) -> str:
    if model_id is None:
        return "its own model"
    chosen = choose_model(connection, asked_model_id=model_id, persona_model_id=None, default_model_id=None)
    return read_model_names(connection).words(chosen.model.name) if chosen else ""


def _root_words(draft: BatchDraft, batch: Batch) -> str:
    quoted = "\n".join(f"> {line}" for line in draft.template.strip().splitlines())
    lines = f"{batch.line_count:,} {'line' if batch.line_count == 1 else 'lines'}"
    return f"A [batch](/batches/{batch.id}) of {lines}, each of them asked alone:\n\n{quoted}"
