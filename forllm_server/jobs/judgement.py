"""What a judge thinks of two replies: asked of a persona when a person wants it, kept apart from the person's votes."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.catalog.choosing import choose_model
from forllm_server.errors import Invalid
from forllm_server.forum import post_store
from forllm_server.jobs.context import JobContext
from forllm_server.jobs.judging import Bench, hear, read_bench
from forllm_server.personas import persona_store
from forllm_server.personas.model import Persona
from forllm_server.personas.parameters import merge
from forllm_server.queue.job import Hopeless, Job
from forllm_server.queue.llm_request_store import insert_llm_request
from forllm_server.queue.model import Cause, LlmRequest, NewLlmRequest
from forllm_server.settings.values import Settings, read_settings
from forllm_server.votes import judgement_store, pair_store
from forllm_server.votes.judging import REPLY_TOKENS, judge_prompt, read_verdict
from forllm_server.votes.model import Pair

NAME = "judgement"
#: So many pairs are asked about at once; each of them twice.
MOST_PAIRS = 25


def find_judge(connection: Connection, settings: Settings) -> Persona | None:
    """The persona that judges; None when the setting names none, or it was deleted."""
    if settings.judge_persona_id is None:
        return None
    persona = persona_store.find_persona(connection, settings.judge_persona_id)
    return None if persona is None or persona.is_deleted else persona


def ask(connection: Connection, owner_id: int, now: datetime) -> int:
    """Ask the judge about the next pairs, each in either order. Returns how many pairs. Raises Invalid without a judge
    or a model."""
    settings = read_settings(connection)
    judge = find_judge(connection, settings)
    if judge is None:
        raise Invalid("There is no judge. Choose a persona for it in the settings.")
    chosen = choose_model(
        connection,
        asked_model_id=None,
        persona_model_id=judge.version.model_id,
        default_model_id=settings.default_model_id,
    )
    if chosen is None:
        raise Invalid("There is no model that could judge. Connect one first.")
    judgement_store.delete_abandoned(connection, judge.version.id)
    pairs = pair_store.list_pairs_to_judge(connection, owner_id, judge.version.id, limit=MOST_PAIRS)
    new = NewLlmRequest(
        owner_id=owner_id,
        kind=NAME,
        persona_id=judge.id,
        persona_version_id=judge.version.id,
        backend_id=chosen.backend.id,
        model_id=chosen.model.id,
        model_name=chosen.model.name,
        parameters=merge({"temperature": 0.0, "max_tokens": REPLY_TOKENS}, judge.version.parameters),
    )
    for pair in pairs:
        for is_low_first in (True, False):
            _ask(connection, new, pair, now, is_low_first=is_low_first)
    return len(pairs)


def _ask(connection: Connection, new: NewLlmRequest, pair: Pair, now: datetime, *, is_low_first: bool) -> None:
    order = [pair.low_id, pair.high_id] if is_low_first else [pair.high_id, pair.low_id]
    subject = {"question_id": pair.question_id, "post_ids": order}
    asked = insert_llm_request(connection, replace(new, topic_id=pair.topic_id, input=subject), now)
    if asked is not None:
        judgement_store.insert_judgement(
            connection,
            pair,
            llm_request_id=asked.id,
            judge_version_id=new.persona_version_id or 0,
            judge_model_name=new.model_name or "",
            is_low_first=is_low_first,
        )


@dataclass(frozen=True)
class _Subject:
    """What a run works on, read in one transaction. ``first`` and ``second``: the answers as they are shown."""

    question: str
    first: str
    second: str
    is_low_first: bool
    bench: Bench


class JudgementKind:
    """Asks a judge which of two replies is better, in one order."""

    name = NAME

    def __init__(self, context: JobContext) -> None:
        self._context = context

    def run(self, job: Job) -> None:
        """Raises BackendError, Hopeless and Interrupted for the worker to settle."""
        with self._context.database.read() as connection:
            subject = _read_subject(connection, job.request)
        text = judge_prompt(subject.question, subject.first, subject.second)
        opinion = hear(self._context, job, subject.bench, text)
        choice, reason = read_verdict(opinion.text, is_low_first=subject.is_low_first)

        def keep(connection: Connection) -> None:
            judgement_store.update_judged(connection, job.request.id, choice, reason, job.now())

        opinion.settle(job, keep)


def _read_subject(connection: Connection, request: LlmRequest) -> _Subject:
    bench = read_bench(connection, request)
    ids = [int(request.input["question_id"]), *(int(post_id) for post_id in request.input["post_ids"])]
    posts = {post.id: post for post in post_store.list_posts(connection, ids) if not post.is_deleted}
    if len(posts) < len(ids):
        raise Hopeless("The question or a reply was deleted while this waited.", cause=Cause.SUBJECT_GONE)
    question, first, second = (posts[post_id] for post_id in ids)
    return _Subject(question.content, first.content, second.content, first.id < second.id, bench)
