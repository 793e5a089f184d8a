"""Whether an answer of a batch does what a rubric asks: a persona says so, one LLM request for each answer."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.batches import batch_store, verdict_store
from forllm_server.batches.judging import REPLY_TOKENS, read_verdict, verdict_prompt
from forllm_server.batches.model import Batch, Judge, State
from forllm_server.catalog.choosing import choose_model
from forllm_server.catalog.model import ChosenModel
from forllm_server.db import Database
from forllm_server.errors import NotFound
from forllm_server.forum import post_store
from forllm_server.jobs.context import JobContext
from forllm_server.jobs.judging import Bench, hear, read_bench
from forllm_server.personas import version_store
from forllm_server.personas.parameters import merge
from forllm_server.queue.job import Hopeless, Job
from forllm_server.queue.llm_request_store import insert_llm_request
from forllm_server.queue.model import Cause, Lane, LlmRequest, NewLlmRequest
from forllm_server.settings.values import read_settings

NAME = "verdict"
#: answers that one transaction asks about, for others want to write too
ASKED_AT_ONCE = 50


def ask_verdicts(database: Database, batch_id: int, now: datetime, *, most: int) -> int:
    """Ask the judge of a batch about the next answers; ``most``: so many may be in the queue. Returns how many."""
    with database.read() as connection:
        batch = batch_store.get_batch(connection, batch_id)
        if not _list_next(connection, batch, most=most):
            return 0
    with database.transaction() as connection:
        batch = batch_store.get_batch_to_change(connection, batch_id)
        return _ask(connection, batch, now, most=most)


def _list_next(connection: Connection, batch: Batch, *, most: int) -> list[verdict_store.Unjudged]:
    if batch.judge is None or batch.state is not State.OPEN:
        return []
    room = most - verdict_store.count_live_verdicts(connection, batch)
    return verdict_store.list_unjudged(connection, batch, limit=min(room, ASKED_AT_ONCE)) if room > 0 else []


def _ask(connection: Connection, batch: Batch, now: datetime, *, most: int) -> int:
    found = _list_next(connection, batch, most=most)
    if not found or batch.judge is None:
        return 0
    answers = {post.id: post for post in post_store.list_posts(connection, [each[3] for each in found])}
    new = _new_request(connection, batch, batch.judge)
    asked = 0
    for number, ask, question_id, answer_id in found:
        subject = {"batch_id": batch.id, "question_id": question_id, "answer_id": answer_id}
        # One that was erased meanwhile is asked about too, and ends at once as an LLM request whose subject is gone.
        topic_id = answers[answer_id].topic_id if answer_id in answers else None
        made = insert_llm_request(connection, replace(new, topic_id=topic_id, input={**new.input, **subject}), now)
        if made is not None:
            verdict_store.insert_verdict(connection, batch.id, number, ask, llm_request_id=made.id)
            asked += 1
    return asked


def choose_judging_model(connection: Connection, judge: Judge) -> ChosenModel | None:
    """The model that judges: the persona's, else the forum's; None when no model is there at all."""
    version = version_store.get_version(connection, judge.persona_version_id)
    return choose_model(
        connection,
        asked_model_id=None,
        persona_model_id=version.model_id,
        fallback_model_ids=version.fallback_model_ids,
        default_model_id=read_settings(connection).default_model_id,
    )


def _new_request(connection: Connection, batch: Batch, judge: Judge) -> NewLlmRequest:
    version = version_store.get_version(connection, judge.persona_version_id)
    chosen = choose_judging_model(connection, judge)
    return NewLlmRequest(
        owner_id=batch.owner_id,
        kind=NAME,
        persona_id=judge.persona_id,
        persona_version_id=version.id,
        backend_id=chosen.backend.id if chosen else None,
        model_id=chosen.model.id if chosen else None,
        model_name=chosen.model.name if chosen else None,
        lane=Lane.LIVE if batch.is_run_now else Lane.NIGHT,
        max_attempts=read_settings(connection).max_attempts,
        parameters=merge({"temperature": 0.0, "max_tokens": REPLY_TOKENS}, version.parameters),
        input={"model_reason": chosen.reason} if chosen else {},
    )


class VerdictKind:
    """Asks the judge of a batch about one answer."""

    name = NAME

    def __init__(self, context: JobContext) -> None:
        self._context = context

    def run(self, job: Job) -> None:
        """Raises BackendError, Hopeless and Interrupted for the worker to settle."""
        with self._context.database.read() as connection:
            bench, text = _read(connection, job.request)
        opinion = hear(self._context, job, bench, text)
        verdict, said = read_verdict(opinion.text)
        opinion.settle(job, lambda connection: verdict_store.update_verdict(connection, job.request.id, verdict, said))


def _read(connection: Connection, request: LlmRequest) -> tuple[Bench, str]:
    """Who judges, and what it is asked. Raises Hopeless when batch, question or answer is gone."""
    bench = read_bench(connection, request)
    try:
        batch = batch_store.get_batch(connection, int(request.input["batch_id"]))
    except NotFound as error:
        raise Hopeless("The batch was deleted while this waited.", cause=Cause.SUBJECT_GONE) from error
    ids = [int(request.input["question_id"]), int(request.input["answer_id"])]
    posts = {post.id: post for post in post_store.list_posts(connection, ids) if not post.is_deleted}
    if len(posts) < len(ids) or batch.judge is None:
        raise Hopeless("The question or its answer was deleted while this waited.", cause=Cause.SUBJECT_GONE)
    return bench, verdict_prompt(batch.judge.rubric, *(posts[post_id].content for post_id in ids))
