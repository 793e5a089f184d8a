"""The demo: a small forum with a past, to look at before there is one of one's own."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from forllm_server.accounts.local import LOCAL_USER_ID
from forllm_server.catalog.choosing import choose_model
from forllm_server.catalog.model import Model
from forllm_server.db import Database
from forllm_server.errors import NotAllowed
from forllm_server.exchange.demo_content import PERSONAS, SUBFORUMS
from forllm_server.exchange.demo_model import YOU, DemoAsk, DemoPersona, DemoPost, DemoSubforum, DemoTopic
from forllm_server.exchange.past_answers import post_past_answer
from forllm_server.forum import subforum_store
from forllm_server.forum.editing import add_reply
from forllm_server.forum.model import Answer, Post
from forllm_server.forum.subforums import add_subforum
from forllm_server.forum.topics import open_topic
from forllm_server.hooks.telling import silence
from forllm_server.personas.assigning import assign_persona
from forllm_server.personas.editing import change_persona, create_persona
from forllm_server.personas.model import Persona
from forllm_server.queue import llm_request_store
from forllm_server.queue.model import Cause, LlmRequest, NewLlmRequest, Status
from forllm_server.schedule.planning import add_window, new_window
from forllm_server.schedule.windows import DAYS
from forllm_server.settings.values import read_settings

#: What stands where a reply tells its model: none wrote these.
MODEL_NAME = "written by hand"

_PERSONAS_AGE = timedelta(days=14)
_CHARACTERS_PER_TOKEN = 4


@dataclass
class _Stage:
    """What the demo is made with, and the clock of the story that is told."""

    connection: Connection
    now: datetime
    model: Model | None
    personas: dict[str, Persona] = field(default_factory=dict)
    moment: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.moment = self.now

    def go_on(self, minutes: int) -> datetime:
        # nothing in a forum can lie in the future
        self.moment = min(self.moment + timedelta(minutes=minutes), self.now)
        return self.moment


@silence()
def make_demo(database: Database, now: datetime) -> None:
    """Fill an empty forum: the same for the same ``now``, in one transaction.

    What is asked but not answered stands in the queue, for the models that are really there. Raises NotAllowed when
    the forum has subforums already.
    """
    with database.transaction() as connection:
        if subforum_store.list_subforums(connection):
            raise NotAllowed("This forum has subforums already. Fill an empty one: forllm demo --data FOLDER")
        settings = read_settings(connection)
        chosen = choose_model(
            connection, asked_model_id=None, persona_model_id=None, default_model_id=settings.default_model_id
        )
        stage = _Stage(connection, now, chosen.model if chosen else None)
        for persona in PERSONAS:
            stage.personas[persona.name] = _add_persona(stage, persona)
        for subforum in SUBFORUMS:
            _add_subforum(stage, subforum)
        window = new_window(days=DAYS, start_minute=22 * 60 + 30, end_minute=6 * 60)
        add_window(connection, window, owner_id=LOCAL_USER_ID, now=now)


def _add_persona(stage: _Stage, persona: DemoPersona) -> Persona:
    (instructions, _), *later = persona.versions
    began_at = stage.now - _PERSONAS_AGE
    made = create_persona(
        stage.connection,
        owner_id=LOCAL_USER_ID,
        name=persona.name,
        instructions=instructions,
        parameters=persona.parameters,
        now=began_at,
    )
    for number, (text, note) in enumerate(later, start=1):
        made = change_persona(
            stage.connection,
            made.id,
            editor_id=LOCAL_USER_ID,
            name=persona.name,
            instructions=text,
            parameters=persona.parameters,
            note=note,
            now=began_at + timedelta(days=number),
        )
    return made


def _add_subforum(stage: _Stage, subforum: DemoSubforum) -> None:
    made = add_subforum(
        stage.connection,
        owner_id=LOCAL_USER_ID,
        name=subforum.name,
        description=subforum.description,
        now=stage.now - _PERSONAS_AGE,
    )
    for name, persona in stage.personas.items():
        is_default = name == subforum.default_persona
        assign_persona(
            stage.connection, subforum_id=made.id, persona_id=persona.id, is_default=is_default, now=stage.now
        )
    for topic in subforum.topics:
        _add_topic(stage, made.id, topic)


def _add_topic(stage: _Stage, subforum_id: int, topic: DemoTopic) -> None:
    stage.moment = stage.now - timedelta(hours=topic.hours)
    _, root = open_topic(
        stage.connection,
        owner_id=LOCAL_USER_ID,
        subforum_id=subforum_id,
        title=topic.title,
        content=topic.post.text,
        now=stage.moment,
    )
    _add_below(stage, root, topic.post)


def _add_below(stage: _Stage, post: Post, written: DemoPost) -> None:
    for ask in written.asks:
        _add_unanswered(stage, post, ask)
    for reply in written.replies:
        asked_at = stage.moment
        moment = stage.go_on(reply.minutes)
        if reply.author == YOU:
            added = add_reply(
                stage.connection, owner_id=LOCAL_USER_ID, parent_id=post.id, content=reply.text, now=moment
            )
        else:
            added = _add_answer(stage, post, reply, asked_at)
        _add_below(stage, added, reply)


def _add_answer(stage: _Stage, question: Post, written: DemoPost, asked_at: datetime) -> Post:
    persona = stage.personas[written.author]
    request = _insert(stage, question, persona, Status.HELD, asked_at, model_name=MODEL_NAME)
    answer = Answer(
        llm_request_id=request.id,
        owner_id=LOCAL_USER_ID,
        parent_id=question.id,
        content=written.text,
        persona_version_id=persona.version.id,
        persona_name=persona.name,
        model_name=MODEL_NAME,
        parameters=persona.version.parameters,
        finish_reason="stop",
        usage={
            "prompt_tokens": (len(question.content) + len(persona.version.instructions)) // _CHARACTERS_PER_TOKEN,
            "completion_tokens": len(written.text) // _CHARACTERS_PER_TOKEN,
            "is_estimated": True,
        },
        question_version=question.version,
    )
    return post_past_answer(stage.connection, request, answer, posted_at=stage.moment, finished_at=stage.moment)


def _add_unanswered(stage: _Stage, question: Post, ask: DemoAsk) -> None:
    status = Status.HELD if ask.status is Status.HELD else Status.QUEUED
    persona = stage.personas[ask.persona]
    name = stage.model.name if stage.model else None
    request = _insert(stage, question, persona, status, stage.moment, model_name=name, model=stage.model)
    values: dict[str, object] = {
        "cause": Cause.HELD.value if status is Status.HELD else None,
    }
    if ask.status is Status.FAILED:
        values = {
            "status": Status.FAILED.value,
            "cause": ask.cause.value if ask.cause else None,
            "cause_detail": ask.detail,
            "started_at": stage.moment,
            "finished_at": stage.moment,
            "attempts": 1,
            "run": 1,
        }
    llm_request_store.update_status(stage.connection, request.id, from_statuses=(status,), values=values)


def _insert(
    stage: _Stage,
    question: Post,
    persona: Persona,
    status: Status,
    asked_at: datetime,
    *,
    model_name: str | None,
    model: Model | None = None,
) -> LlmRequest:
    settings = read_settings(stage.connection)
    new = NewLlmRequest(
        owner_id=LOCAL_USER_ID,
        kind="reply",
        topic_id=question.topic_id,
        post_id=question.id,
        persona_id=persona.id,
        persona_version_id=persona.version.id,
        backend_id=model.backend_id if model else None,
        model_id=model.id if model else None,
        model_name=model_name,
        max_attempts=settings.max_attempts,
        parameters={"max_tokens": settings.reply_max_tokens, **persona.version.parameters},
        status=status,
    )
    request = llm_request_store.insert_llm_request(stage.connection, new, asked_at)
    if request is None:
        raise NotAllowed("The demo asks the same thing twice.")
    return request
