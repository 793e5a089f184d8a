"""The prompt of a reply: read the thread, count by the model's own measure, lay it out. Also for previews."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from forllm_server.backends.base import Backend
from forllm_server.catalog.model import BackendKind, Model
from forllm_server.forum import post_store, topic_store
from forllm_server.forum.model import Post
from forllm_server.personas import version_store
from forllm_server.personas.model import PersonaVersion
from forllm_server.prompts.assemble import PERSONA_FIRST, THREAD_FIRST, Assembled, assemble
from forllm_server.prompts.thread import NEAREST_ANCESTORS, ThreadPost, Turn, excluded_of, transcript_of, turns_of
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
    custom_instructions: str = ""
    #: what is asked of the persona besides, for this reply alone
    task: str = ""


@dataclass(frozen=True)
class ContextSize:
    """How many tokens the model may see, and where the number comes from (``known``, ``told``, ``guessed``)."""

    tokens: int
    source: str


def read_question(connection: Connection, *, post_id: int, version: PersonaVersion, is_alone: bool = False) -> Question:
    """The thread up to the post asked about; ``is_alone``: that post and nothing else, not even the topic's title."""
    ancestry = post_store.list_ancestors(connection, post_id, nearest=NEAREST_ANCESTORS)
    topic = topic_store.get_topic(connection, ancestry.posts[-1].topic_id)
    version_ids = {post.persona_version_id for post in ancestry.posts if post.persona_version_id is not None}
    versions = version_store.list_versions_by_ids(connection, version_ids) if version_ids else []
    persona_ids = {each.id: each.persona_id for each in versions}
    posts = tuple(_thread_post(post, persona_ids) for post in ancestry.posts)
    custom = read_settings(connection).custom_instructions
    if is_alone:
        return Question("", posts[-1:], 0, version, ancestry.posts[-1].version, custom)
    return Question(topic.title, posts, ancestry.left_out, version, ancestry.posts[-1].version, custom)


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
    """Lay the question out for a context. Raises ``DoesNotFit``."""
    return assemble(
        instructions=question.version.instructions.strip(),
        task=question.task,
        turns=_turns(question, layout),
        counter=counter,
        context_tokens=context.tokens,
        context_source=context.source,
        reply_tokens=int(parameters["max_tokens"]),
        left_out_count=question.left_out_count,
        layout=layout,
        persona_name=question.version.name,
        custom_instructions=question.custom_instructions,
        excluded_post_ids=excluded_of(question.posts),
    )


def _turns(question: Question, layout: str) -> tuple[Turn, ...]:
    if layout == THREAD_FIRST:
        return transcript_of(question.posts, title=question.title, left_out_before=question.left_out_count)
    return turns_of(
        question.posts,
        persona_id=question.version.persona_id,
        title=question.title,
        left_out_before=question.left_out_count,
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
