"""A summary, written by a worker: in one step, or in several that each take up what the one before wrote.

It is asked for in jobs/summarising.py. What is empty, cut off or not shorter than the posts is never kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection

from forllm_server.backends.base import Backend
from forllm_server.catalog.model import BackendRecord, Model
from forllm_server.errors import Invalid, NotFound
from forllm_server.forum import post_store, topic_store
from forllm_server.forum.model import Post
from forllm_server.jobs.context import JobContext
from forllm_server.jobs.generating import Written, generate_answer
from forllm_server.jobs.prompting import ContextSize, context_of, counter_for, instructions_of
from forllm_server.jobs.subject import generation_request, read_model
from forllm_server.jobs.summarising import NAME, covered_of, is_shown, list_posts_to_sum_up, refuse_nothing
from forllm_server.personas import version_store
from forllm_server.personas.model import PersonaVersion
from forllm_server.prompts.assemble import Assembled, assemble
from forllm_server.prompts.budget import DoesNotFit
from forllm_server.prompts.thread import Turn
from forllm_server.prompts.tokens import DEFAULT_CHARACTERS_PER_TOKEN, TokenCounter
from forllm_server.queue import chunk_store
from forllm_server.queue.job import Hopeless, Job
from forllm_server.queue.model import Cause, LlmRequest
from forllm_server.settings.values import Settings, read_settings
from forllm_server.summaries import summary_store
from forllm_server.summaries.model import NewVersion, Summary, SummaryAuthor, SummaryScope, SummaryVersion
from forllm_server.summaries.wording import (
    Piece,
    Said,
    read_summary,
    room_for_posts,
    steps_of,
    summary_prompt,
    words_for,
)

#: Of the room that a context leaves, what is used at first, and what is tried when the estimate was too high.
_SHARES = (0.8, 0.5, 0.3)
#: What the words around the texts take, in characters, and a word of a summary with the blank behind it.
_FRAME = 750
_CHARACTERS_PER_WORD = 8
MOST_STEPS = 80


@dataclass(frozen=True)
class _Subject:
    """What a run works on, read in one transaction. ``base``: a version that holds, to go on from; ``posts``: all."""

    summary: Summary
    anchor: Post
    title: str
    first: str
    posts: tuple[Post, ...]
    base: SummaryVersion | None
    base_post_ids: frozenset[int]
    version: PersonaVersion
    #: the persona's, filled in
    instructions: str
    record: BackendRecord
    model: Model
    settings: Settings

    @property
    def new_posts(self) -> tuple[Post, ...]:
        """Those that models are shown and the base does not cover."""
        return tuple(post for post in self.posts if is_shown(post) and post.id not in self.base_post_ids)


class SummaryKind:
    """Writes the next version of a summary."""

    name = NAME

    def __init__(self, context: JobContext) -> None:
        self._context = context

    def run(self, job: Job) -> None:
        """Raises BackendError, Hopeless and Interrupted for the worker to settle."""
        with self._context.database.read() as connection:
            subject = _read_subject(connection, job.request)
        backend = self._context.connect(subject.record, subject.settings)
        writing = _Writing(job, subject, backend)
        job.raise_if_interrupted()
        with self._context.ledger.span(subject.record) as span:
            text = writing.write()
        covered_characters = sum(len(post.content) for post in subject.posts if is_shown(post))
        if subject.summary.scope is SummaryScope.WAY and len(text) >= covered_characters:
            raise Hopeless(
                "What the model wrote is no shorter than the posts themselves, so it would be of no use.",
                cause=Cause.ERROR,
            )

        def keep(connection: Connection) -> None:
            _keep(connection, job, subject, text)

        job.succeed(
            keep,
            usage=writing.usage | {"steps": writing.steps} | span.facts(subject.settings),
            finish_reason="stop",
            output_tokens=int(writing.usage.get("completion_tokens") or 0) or job.output_tokens,
        )


@dataclass
class _Writing:
    """One run: the steps, and what they used."""

    job: Job
    subject: _Subject
    backend: Backend
    usage: dict[str, Any] = field(default_factory=dict)
    steps: int = 0
    has_written: bool = False

    def __post_init__(self) -> None:
        parameters = self.job.request.parameters
        self.counter = counter_for(self.subject.model, self.backend)
        self.context = context_of(self.subject.record.kind, self.subject.model, parameters, self.subject.settings)
        self.reply_tokens = int(parameters["max_tokens"])

    def write(self) -> str:
        """The text of the summary. What a context turns out too small for is done in smaller steps."""
        for share in _SHARES:
            try:
                return self._write(share)
            except DoesNotFit as error:
                problem = error
        raise Hopeless(problem.message, cause=Cause.PROMPT_TOO_LONG)

    def _write(self, share: float) -> str:
        room, steps = self._plan(share)
        self.steps = len(steps)
        mark = _fingerprint(self.subject, room)
        done, text = _progress(self.subject.summary, self.job.request.id, mark)
        so_far = text if done else (self.subject.base.content if self.subject.base else "")
        for number, step in enumerate(steps[done:], start=done + 1):
            so_far = self._step(step, so_far, room)
            if number < len(steps):
                progress = {"request_id": self.job.request.id, "mark": mark, "done": number, "text": so_far}
                with self.job.database.transaction() as connection:
                    summary_store.update_progress(connection, self.subject.summary.id, progress)
        return so_far

    def _plan(self, share: float) -> tuple[int, list[tuple[Piece, ...]]]:
        """The room of a step in characters, and the steps. Raises Hopeless."""
        subject = self.subject
        per_token = subject.model.characters_per_token or DEFAULT_CHARACTERS_PER_TOKEN
        free = self.context.tokens - self.reply_tokens
        room = max(int(free * per_token * share) - len(subject.instructions) - _FRAME, 0)
        said = [Said(post.author_name, post.content) for post in subject.new_posts]
        held = len(subject.base.content) if subject.base else 0
        try:
            steps = steps_of(said, room_for_posts(subject.summary.scope, room, subject.first, held))
            if len(steps) > 1:
                held = max(held, words_for(self.reply_tokens) * _CHARACTERS_PER_WORD)
                steps = steps_of(said, room_for_posts(subject.summary.scope, room, subject.first, held))
        except Invalid as error:
            raise Hopeless(error.message, cause=Cause.PROMPT_TOO_LONG) from error
        if len(steps) > MOST_STEPS:
            raise Hopeless(
                f"That would take {len(steps):,} steps with this model, and {MOST_STEPS} are allowed. Ask a model with "
                "a larger context, or sum up less at once.",
                cause=Cause.PROMPT_TOO_LONG,
            )
        return room, steps

    def _step(self, step: Sequence[Piece], so_far: str, room: int) -> str:
        """The summary of what came before and this step; asked for a second time when it was cut off."""
        for is_shorter in (False, True):
            text = summary_prompt(
                self.subject.summary.scope,
                title=self.subject.title,
                first=self.subject.first,
                so_far=so_far,
                step=step,
                first_characters=room // 5,
                words=words_for(self.reply_tokens, is_shorter=is_shorter),
                is_shorter=is_shorter,
            )
            written = self._generate(text)
            _refuse_cut_prompt(written)
            found = read_summary(written.text)
            if found and (written.generation.finish_reason or "stop") == "stop":
                return found
        if not found:
            raise Hopeless("The model wrote nothing that could be used as a summary.", cause=Cause.ERROR)
        raise Hopeless(
            f"The summary was cut off twice at {self.reply_tokens:,} tokens, so it was not kept. Allow the persona "
            f"{self.subject.version.name} a longer reply, or ask another model.",
            cause=Cause.ERROR,
        )

    def _generate(self, text: str) -> Written:
        prompt = _prompt(self.subject, text, self.context, self.counter, self.reply_tokens)
        request = generation_request(self.subject.model, prompt, self.context, self.job.request.parameters)
        if self.has_written:
            # What is shown while it is being written is the present step.
            self.job.begin_with("", 0)
        self.has_written = True
        written = generate_answer(self.job, self.backend, request, prompt=prompt, counter=self.counter, beginning=None)
        self.usage = _added(self.usage, asdict(written.generation.usage))
        return written


def _prompt(subject: _Subject, text: str, context: ContextSize, counter: TokenCounter, reply_tokens: int) -> Assembled:
    return assemble(
        instructions=subject.instructions,
        turns=(Turn(0, "user", text),),
        counter=counter,
        context_tokens=context.tokens,
        context_source=context.source,
        reply_tokens=reply_tokens,
        persona_name=subject.version.name,
    )


def _refuse_cut_prompt(written: Written) -> None:
    if written.generation.truncated_prompt is not None:
        raise Hopeless(
            "The server cut the posts before the model saw them, so the summary was not kept. Tell FORLLM the model's "
            "real context size.",
            cause=Cause.PROMPT_TOO_LONG,
        )


def _read_subject(connection: Connection, request: LlmRequest) -> _Subject:
    record, model = read_model(connection, request)
    summary = summary_store.find_summary(connection, int(request.input.get("summary_id") or 0))
    if summary is None or summary.removed_at is not None:
        raise Hopeless("The summary was removed while this waited.", cause=Cause.SUBJECT_GONE)
    try:
        anchor = post_store.get_post(connection, int(request.input["anchor_post_id"]))
        topic = topic_store.get_topic(connection, anchor.topic_id)
        post_ids = [int(post_id) for post_id in request.input.get("post_ids") or ()]
        posts = list_posts_to_sum_up(connection, summary.scope, anchor, post_ids)
        refuse_nothing(summary.scope, posts)
        root = anchor if summary.scope is SummaryScope.REPLIES else post_store.get_root(connection, topic.id)
    except NotFound as error:
        raise Hopeless("The topic was deleted while this waited.", cause=Cause.SUBJECT_GONE) from error
    except Invalid as error:
        raise Hopeless(error.message, cause=Cause.SUBJECT_GONE) from error
    base, base_post_ids = _base(connection, summary, posts, is_anew=bool(request.input.get("is_anew")))
    version = version_store.get_version(connection, request.persona_version_id or 0)
    settings = read_settings(connection)
    return _Subject(
        summary=summary,
        anchor=anchor,
        title=topic.title,
        first=root.content if is_shown(root) else "",
        posts=tuple(posts),
        base=base,
        base_post_ids=base_post_ids,
        version=version,
        instructions=instructions_of(
            connection, version, settings, subforum_id=topic.subforum_id, topic_title=topic.title
        ),
        record=record,
        model=model,
        settings=settings,
    )


def _base(
    connection: Connection, summary: Summary, posts: Sequence[Post], *, is_anew: bool
) -> tuple[SummaryVersion | None, frozenset[int]]:
    """The version to go on from: the newest of this way that holds, where it leaves posts to take up."""
    if is_anew or summary.scope is not SummaryScope.WAY:
        return None, frozenset()
    shown = {post.id for post in posts if is_shown(post)}
    on_way = {post.id for post in posts}
    versions = [v for v in summary_store.list_versions(connection, summary.id) if v.anchor_post_id in on_way]
    coverage = summary_store.list_coverage(connection, [version.id for version in versions])
    for version in versions:
        covered = frozenset(coverage[version.id].post_ids)
        if not coverage[version.id].is_stale and covered and covered < shown:
            return version, covered
    return None, frozenset()


def _keep(connection: Connection, job: Job, subject: _Subject, text: str) -> None:
    """Keep it as the next version, unless what it is about is gone: then Hopeless."""
    try:
        post_store.get_post(connection, subject.anchor.id)
        summary = summary_store.get_summary_to_change(connection, subject.summary.id)
    except NotFound as error:
        raise Hopeless(
            "The summary or its topic was removed while the model wrote.", cause=Cause.SUBJECT_GONE
        ) from error
    if summary.current_number != subject.summary.current_number:
        raise Hopeless(
            "The summary was changed by hand while the model wrote, so its text was not kept. Make it again if you "
            "want it all the same.",
            cause=Cause.SUBJECT_GONE,
        )
    new = NewVersion(
        content=text,
        author=SummaryAuthor.MODEL,
        owner_id=job.request.owner_id,
        anchor_post_id=subject.anchor.id,
        covered=covered_of(subject.posts),
        llm_request_id=job.request.id,
        persona_version_id=subject.version.id,
        persona_name=subject.version.name,
        model_name=subject.model.name,
        note=f"goes on from version {subject.base.number}" if subject.base else "",
    )
    summary_store.insert_version(connection, subject.summary.id, new, job.now())
    # Earlier steps may have left theirs behind.
    chunk_store.delete_chunks(connection, job.request.id)


def _fingerprint(subject: _Subject, room: int) -> str:
    """The same as long as the steps are the same, and so is what they sum up."""
    posts = [(post.id, post.version, is_shown(post)) for post in subject.posts]
    base = subject.base.id if subject.base else None
    return blake2b(repr((room, posts, base, subject.version.id)).encode(), digest_size=16).hexdigest()


def _progress(summary: Summary, llm_request_id: int, mark: str) -> tuple[int, str]:
    """How many steps an earlier run of this request has done, and what it wrote."""
    held = summary.progress or {}
    if held.get("request_id") != llm_request_id or held.get("mark") != mark:
        return 0, ""
    return int(held["done"]), str(held["text"])


def _added(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, Any]:
    """Two usages as one."""
    whole = dict(one)
    for name, value in two.items():
        known = whole.get(name)
        if isinstance(value, bool) or isinstance(known, bool):
            whole[name] = bool(known) or bool(value)
        elif value is None or known is None:
            whole[name] = value if known is None else known
        else:
            whole[name] = known + value
    return whole
