"""The prompt of a reply: read the thread, count by the model's own measure, lay it out. Also for previews."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from forllm_server import clock
from forllm_server.backends.base import Backend
from forllm_server.catalog.model import BackendKind, Model
from forllm_server.forum import post_store, subforum_store, topic_store
from forllm_server.forum.model import Post
from forllm_server.jobs.surroundings import find_ambient, find_stand_ins
from forllm_server.personas import version_store
from forllm_server.personas.model import PersonaVersion
from forllm_server.prompts.ambient import NOTHING, Ambient
from forllm_server.prompts.assemble import PERSONA_FIRST, THREAD_FIRST, Assembled, assemble
from forllm_server.prompts.placeholders import fill_in, has_placeholder
from forllm_server.prompts.thread import (
    NEAREST_ANCESTORS,
    StandIn,
    ThreadPost,
    Turn,
    excluded_of,
    transcript_of,
    turns_of,
    with_stand_in,
)
from forllm_server.prompts.tokens import TokenCounter
from forllm_server.settings.values import Settings, read_settings

#: Where a probe of Ollama notes how much a model was trained for, whatever it is loaded with.
TRAINED = "trained_context_tokens"


@dataclass(frozen=True)
class Question:
    """Everything a prompt is made of, read in one go so that no transaction is open while it is counted."""

    title: str
    posts: tuple[ThreadPost, ...]
    left_out_count: int
    version: PersonaVersion
    question_version: int
    #: the persona's, filled in
    instructions: str
    custom_instructions: str = ""
    #: what is asked of the persona besides, for this reply alone
    task: str = ""
    #: summaries that hold, of what stands on this way: the one to be tried first is the first
    stand_ins: tuple[StandIn, ...] = ()
    ambient: Ambient = field(default=NOTHING, repr=False)


@dataclass(frozen=True)
class ContextSize:
    """How many tokens the model may see, and where the number comes from (``known``, ``told``, ``guessed``)."""

    tokens: int
    source: str


def read_question(
    connection: Connection,
    *,
    post_id: int,
    version: PersonaVersion,
    parameters: Mapping[str, Any],
    is_alone: bool = False,
    is_for_reply: bool = False,
) -> Question:
    """The thread up to the post asked about; ``is_alone``: that post and nothing else, not even the topic's title.

    ``parameters``: those that hold for the answer. ``is_for_reply``: a reply that is still being written will be asked
    about, and ``post_id`` is what it answers.
    """
    ancestry = post_store.list_ancestors(connection, post_id, nearest=NEAREST_ANCESTORS)
    asked = ancestry.posts[-1]
    topic = topic_store.get_topic(connection, asked.topic_id)
    version_ids = {post.persona_version_id for post in ancestry.posts if post.persona_version_id is not None}
    versions = version_store.list_versions_by_ids(connection, version_ids) if version_ids else []
    persona_ids = {each.id: each.persona_id for each in versions}
    posts = tuple(_thread_post(post, persona_ids) for post in ancestry.posts)
    settings = read_settings(connection)
    if is_alone:
        instructions = instructions_of(connection, version, settings)
        return Question("", posts[-1:], 0, version, asked.version, instructions, settings.custom_instructions)
    return Question(
        title=topic.title,
        posts=posts,
        left_out_count=ancestry.left_out,
        version=version,
        question_version=asked.version,
        instructions=instructions_of(
            connection, version, settings, subforum_id=topic.subforum_id, topic_title=topic.title
        ),
        custom_instructions=settings.custom_instructions,
        stand_ins=find_stand_ins(connection, ancestry, parameters, is_for_reply=is_for_reply),
        ambient=find_ambient(connection, ancestry, parameters, settings, is_for_reply=is_for_reply),
    )


def instructions_of(
    connection: Connection,
    version: PersonaVersion,
    settings: Settings,
    *,
    subforum_id: int | None = None,
    topic_title: str = "",
) -> str:
    """A persona's instructions, filled in for this day and, where they are told, this place."""
    instructions = version.instructions.strip()
    if not has_placeholder(instructions):
        return instructions
    subforum = subforum_store.find_subforum(connection, subforum_id) if subforum_id is not None else None
    return fill_in(
        instructions,
        today=clock.now().astimezone(settings.zone).date(),
        persona=version.name,
        subforum=subforum.name if subforum else "",
        topic=topic_title,
    )


def _thread_post(post: Post, persona_ids: Mapping[int, int]) -> ThreadPost:
    persona_id = persona_ids.get(post.persona_version_id) if post.persona_version_id is not None else None
    return ThreadPost(post.id, post.author_name, persona_id, post.content, post.is_deleted, post.is_excluded)


def build_prompt(
    question: Question,
    *,
    counter: TokenCounter,
    context: ContextSize,
    parameters: Mapping[str, Any],
    layout: str = PERSONA_FIRST,
) -> Assembled:
    """Lay the question out for a context. Raises ``DoesNotFit``.

    What does not fit is left out, or given as a summary where there is one that fits and still holds.
    """
    how = _How(counter, context, int(parameters["max_tokens"]), layout)
    plain = _laid_out(question, how, _turns(question, layout, question.left_out_count), question.left_out_count)
    if plain.breakdown.is_complete:
        return plain
    for stand_in in question.stand_ins:
        left_out = max(question.left_out_count - stand_in.unread_count, 0)
        turns = with_stand_in(_turns(question, layout, 0), stand_in, left_out=left_out)
        shortened = _laid_out(question, how, turns, left_out)
        if shortened.breakdown.summary is not None:
            return shortened
    return plain


@dataclass(frozen=True)
class _How:
    counter: TokenCounter
    context: ContextSize
    reply_tokens: int
    layout: str


def _laid_out(question: Question, how: _How, turns: Sequence[Turn], left_out_count: int) -> Assembled:
    return assemble(
        instructions=question.instructions,
        task=question.task,
        turns=turns,
        counter=how.counter,
        context_tokens=how.context.tokens,
        context_source=how.context.source,
        reply_tokens=how.reply_tokens,
        left_out_count=left_out_count,
        layout=how.layout,
        persona_name=question.version.name,
        custom_instructions=question.custom_instructions,
        excluded_post_ids=excluded_of(question.posts),
        ambient=question.ambient,
    )


def _turns(question: Question, layout: str, left_out: int) -> tuple[Turn, ...]:
    if layout == THREAD_FIRST:
        return transcript_of(question.posts, title=question.title, left_out_before=left_out)
    return turns_of(
        question.posts, persona_id=question.version.persona_id, title=question.title, left_out_before=left_out
    )


def context_of(kind: BackendKind, model: Model, parameters: Mapping[str, Any], settings: Settings) -> ContextSize:
    """The context a request really gets.

    Ollama loads a model with the context it is told to, so a persona may wish for any size up to what the model was
    trained for. Other servers have a fixed one: a wish can only make it smaller.
    """
    wished = parameters.get("context_tokens")
    if kind is BackendKind.OLLAMA and wished:
        trained = model.details.get(TRAINED) or wished
        return ContextSize(min(int(wished), int(trained)), "known")
    if model.context_tokens is None:
        return ContextSize(int(wished or settings.default_context_tokens), "told" if wished else "guessed")
    tokens = min(int(wished), model.context_tokens) if wished else model.context_tokens
    return ContextSize(tokens, model.context_source.value)


def counter_for(model: Model, backend: Backend | None = None) -> TokenCounter:
    """Counts by the backend's tokenizer where it has one; without a backend (a preview) by what was learned."""
    if backend is None:
        return TokenCounter(model.characters_per_token)
    return TokenCounter(model.characters_per_token, lambda text: backend.count_tokens(model.name, text))
