"""What each topic's night says in a line: asked of a persona as the last work of a night, kept for the Morning page.

A digest that fails hides nothing: the page lists the replies by itself.
"""

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from forllm_server.accounts.local import LOCAL_USER_ID
from forllm_server.catalog.choosing import choose_model
from forllm_server.catalog.model import BackendRecord, ChosenModel, Model
from forllm_server.errors import NotFound
from forllm_server.forum import post_store, topic_store
from forllm_server.jobs.context import JobContext
from forllm_server.jobs.generating import generate_answer
from forllm_server.jobs.own_personas import find_own_persona, make_own_persona
from forllm_server.jobs.prompting import ContextSize, context_of, counter_for, instructions_of
from forllm_server.jobs.subject import generation_request, read_model
from forllm_server.morning import gist_store, report_store
from forllm_server.morning.figures import news_of
from forllm_server.morning.gists import INSTRUCTIONS, PERSONA_NAME, REPLY_TOKENS, Said, gist_prompt, read_gist
from forllm_server.morning.model import Gist, Night, TopicNews
from forllm_server.morning.nights import is_near_end
from forllm_server.morning.report import REPLIES
from forllm_server.personas import version_store
from forllm_server.personas.model import Persona, PersonaVersion
from forllm_server.personas.parameters import merge
from forllm_server.prompts.assemble import Assembled, assemble
from forllm_server.prompts.budget import DoesNotFit
from forllm_server.prompts.thread import Turn
from forllm_server.prompts.tokens import DEFAULT_CHARACTERS_PER_TOKEN
from forllm_server.queue.control import cancel_llm_request
from forllm_server.queue.job import Hopeless, Job
from forllm_server.queue.llm_request_store import find_llm_request, insert_llm_request
from forllm_server.queue.model import Cause, LlmRequest, NewLlmRequest, Status
from forllm_server.settings.values import Settings, read_settings

NAME = "digest"
#: where it is kept which persona writes them
KEY = "morning.digest_persona"
#: Where there is work until the end, digests go first in the last minutes.
BEFORE_THE_END = timedelta(minutes=20)
_PRIORITY = 100
_MOST_TOPICS = 60
_MOST_REPLIES = 20
_MAX_ATTEMPTS = 2
#: of the room that a context leaves, what is used: characters a token are an estimate
_CAREFUL = 0.8


def is_wanted(settings: Settings, chosen: ChosenModel | None) -> bool:
    """Whether gists are asked for: by the setting, and unless told so not of the tiny embedded model."""
    if chosen is None or settings.digest == "off":
        return False
    return settings.digest == "on" or not chosen.backend.is_embedded


def ask(connection: Connection, night: Night, now: datetime, *, has_work: bool) -> int:
    """Ask for a line about each topic with new replies that has none yet, if it is time. Returns how many were asked.

    It is time near the end of the night once nothing else is left to do, and in its last minutes anyway.
    """
    if not is_time(night, now, has_work=has_work):
        return 0
    settings = read_settings(connection)
    replies = report_store.list_replies(connection, night.counts_from, night.counts_until, limit=REPLIES)
    known = gist_store.list_gists(connection, night.day)
    news = [topic for topic in news_of(replies, {}) if topic.topic_id not in known][:_MOST_TOPICS]
    if not news:
        return 0
    persona = find_own_persona(connection, KEY)
    chosen = choose_model(
        connection,
        asked_model_id=None,
        persona_model_id=persona.version.model_id if persona else None,
        fallback_model_ids=persona.version.fallback_model_ids if persona else (),
        default_model_id=settings.default_model_id,
    )
    if chosen is None or not is_wanted(settings, chosen):
        return 0
    persona = persona or make_own_persona(connection, KEY, name=PERSONA_NAME, instructions=INSTRUCTIONS, now=now)
    return sum(_ask(connection, night.day, topic, persona, chosen, settings, now) for topic in news)


def call_off(connection: Connection, day: date, now: datetime) -> None:
    """The night is over: what it did not come to is not asked in the next one."""
    for gist in gist_store.list_gists(connection, day).values():
        request = find_llm_request(connection, gist.llm_request_id or 0)
        if request is not None and request.is_live and request.status is not Status.RUNNING:
            cancel_llm_request(connection, request.id, now)


def is_time(night: Night, now: datetime, *, has_work: bool) -> bool:
    """Whether gists are to be asked for now, as far as the hours tell."""
    if night.ends_at is None or now >= night.ends_at:
        return False
    return (is_near_end(night, now) and not has_work) or now >= night.ends_at - BEFORE_THE_END


def _ask(
    connection: Connection,
    day: date,
    news: TopicNews,
    persona: Persona,
    chosen: ChosenModel,
    settings: Settings,
    now: datetime,
) -> bool:
    if not gist_store.insert_gist(connection, day, news.topic_id, replies=len(news.replies), now=now):
        return False
    inherited = {"temperature": settings.temperature, "max_tokens": REPLY_TOKENS}
    asked = insert_llm_request(
        connection,
        NewLlmRequest(
            owner_id=LOCAL_USER_ID,
            kind=NAME,
            topic_id=news.topic_id,
            persona_id=persona.id,
            persona_version_id=persona.version.id,
            backend_id=chosen.backend.id,
            model_id=chosen.model.id,
            model_name=chosen.model.name,
            priority=_PRIORITY,
            max_attempts=_MAX_ATTEMPTS,
            parameters=merge(inherited, persona.version.parameters),
            input={"day": day.isoformat(), "post_ids": [reply.post_id for reply in news.replies][-_MOST_REPLIES:]},
        ),
        now,
    )
    if asked is not None:
        gist_store.update_asked(connection, day, news.topic_id, asked.id)
    return asked is not None


@dataclass(frozen=True)
class _Subject:
    """What a run works on, read in one transaction."""

    day: date
    topic_id: int
    title: str
    question: str
    replies: tuple[Said, ...]
    version: PersonaVersion
    #: the persona's, filled in
    instructions: str
    record: BackendRecord
    model: Model
    settings: Settings


class DigestKind:
    """Writes the gist of a topic's night."""

    name = NAME

    def __init__(self, context: JobContext) -> None:
        self._context = context

    def run(self, job: Job) -> None:
        """Raises BackendError, Hopeless and Interrupted for the worker to settle."""
        with self._context.database.read() as connection:
            subject = _read_subject(connection, job.request)
        backend = self._context.connect(subject.record, subject.settings)
        counter = counter_for(subject.model, backend)
        context = context_of(subject.record.kind, subject.model, job.request.parameters, subject.settings)
        prompt = _prompt(subject, context, counter=counter, parameters=job.request.parameters)
        request = generation_request(subject.model, prompt, context, job.request.parameters)
        job.raise_if_interrupted()
        with self._context.ledger.span(subject.record) as span:
            written = generate_answer(job, backend, request, prompt=prompt, counter=counter, beginning=None)
        line, disagreement = read_gist(written.text)
        if not line:
            raise Hopeless("The model wrote nothing that could be used as a line.", cause=Cause.ERROR)
        gist = Gist(
            *(subject.day, subject.topic_id, job.request.id, len(subject.replies), line, disagreement),
            model_name=subject.model.name,
            persona_version_id=subject.version.id,
            written_at=job.now(),
        )

        def keep(connection: Connection) -> None:
            gist_store.update_written(connection, gist)

        job.succeed(
            keep,
            usage=asdict(written.generation.usage) | span.facts(subject.settings),
            finish_reason=written.generation.finish_reason or "stop",
            output_tokens=written.generation.usage.completion_tokens or job.output_tokens,
        )


def _read_subject(connection: Connection, request: LlmRequest) -> _Subject:
    record, model = read_model(connection, request)
    try:
        topic = topic_store.get_topic(connection, request.topic_id or 0)
        question = post_store.get_root(connection, topic.id)
    except NotFound as error:
        raise Hopeless("The topic was deleted while this waited.", cause=Cause.SUBJECT_GONE) from error
    posts = post_store.list_posts(connection, request.input.get("post_ids") or [])
    replies = tuple(Said(post.author_name, post.content) for post in posts if not post.is_deleted)
    if not replies:
        raise Hopeless("The replies were deleted while this waited.", cause=Cause.SUBJECT_GONE)
    version = version_store.get_version(connection, request.persona_version_id or 0)
    settings = read_settings(connection)
    return _Subject(
        day=date.fromisoformat(str(request.input["day"])),
        topic_id=topic.id,
        title=topic.title,
        question=question.content,
        replies=replies,
        version=version,
        instructions=instructions_of(
            connection, version, settings, subforum_id=topic.subforum_id, topic_title=topic.title
        ),
        record=record,
        model=model,
        settings=settings,
    )


def _prompt(subject: _Subject, context: ContextSize, **how: Any) -> Assembled:
    reply_tokens = int(how["parameters"]["max_tokens"])
    per_token = subject.model.characters_per_token or DEFAULT_CHARACTERS_PER_TOKEN
    room = int((context.tokens - reply_tokens) * per_token * _CAREFUL) - len(subject.instructions) - 600
    text = gist_prompt(subject.title, subject.question, subject.replies, room_characters=max(room, 0))
    try:
        return assemble(
            instructions=subject.instructions,
            turns=(Turn(0, "user", text),),
            counter=how["counter"],
            context_tokens=context.tokens,
            context_source=context.source,
            reply_tokens=reply_tokens,
            persona_name=subject.version.name,
        )
    except DoesNotFit as error:
        raise Hopeless(error.message, cause=Cause.PROMPT_TOO_LONG) from error
