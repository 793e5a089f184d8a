"""The rows of a thread: posts, and the replies that are not there yet in the places where they will be. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from forllm_server.activity.model import Votes
from forllm_server.discussions.model import Part, StepKind
from forllm_server.discussions.wording import part_words
from forllm_server.forum.attachment_model import Attachment
from forllm_server.forum.model import Post
from forllm_server.jobs.repetition import REPETITION
from forllm_server.jobs.standing import Standing
from forllm_server.markup.likeness import agreement_words
from forllm_server.pages.discussion_rows import Ranking, ranking_of
from forllm_server.pages.marks import hue_class
from forllm_server.pages.naming import model_words
from forllm_server.personas.model import PersonaVersion
from forllm_server.queue.model import LlmRequest, Partial, Status

#: how far rows stand in at most; deeper ones say whom they answer
DEEPEST = 8
#: how long something cancelled stays in the thread when it had written nothing
CANCELLED_STAYS = timedelta(hours=1)
#: so many answers of personas to one post are worth a look beside each other
WORTH_COMPARING = 2
#: of so many, all but the first are folded to a line
WORTH_FOLDING = 3
#: of more, only so many are looked at for what they have in common
_LOOKED_AT = 12
#: a text of more lines than that, on a screen of usual width, is folded
LONG_LINES = 100
_LINE_CHARS = 90


@dataclass(frozen=True)
class Fact:
    """Something about how a post came to be, perhaps with a page of its own."""

    text: str
    url: str = ""


@dataclass(frozen=True)
class Comparison:
    """The answers of personas to one post. ``agreement``: what they have in common, in words."""

    number: int
    agreement: str


@dataclass(frozen=True)
class PostRow:
    """A post as the thread shows it. ``stamp`` changes whenever the row would look different."""

    post: Post
    depth: int
    stamp: str
    hue: str
    is_persona: bool
    persona_url: str
    version_label: str
    #: which model wrote it, as pages call it
    model: str
    #: written by the model that is there to try things with
    is_tiny: bool
    facts: tuple[Fact, ...]
    #: whom it answers, where standing in does not show it
    answering: str
    continues_url: str
    is_cut: str
    #: not seen by the reader before
    is_unseen: bool
    votes: Votes
    #: the posts that quote it
    quoting: tuple[int, ...]
    #: how many lines it has, about, where it is folded for its length; else 0
    long_lines: int
    files: tuple[Attachment, ...]
    #: how the opinions were ranked, under the answer of a council's chair
    ranking: Ranking | None = None
    #: the answers to it, where there are several
    compared: Comparison | None = None
    #: one of several answers, shown by a line until it is opened
    is_folded: bool = False

    @property
    def key(self) -> str:
        return f"post-{self.post.id}"

    @property
    def is_new(self) -> bool:
        """Whether it looks unread: what one wrote oneself never does."""
        return self.is_unseen and self.is_persona


@dataclass(frozen=True)
class PendingRow:
    """A reply that was asked for and is not there."""

    llm_request: LlmRequest
    standing: Standing
    depth: int
    stamp: str
    hue: str
    name: str
    version_label: str
    text: str
    is_thinking: bool
    next_url: str
    #: what it is for in a debate or a council
    part: Fact | None = None

    @property
    def key(self) -> str:
        return f"pending-{self.llm_request.id}"


@dataclass(frozen=True)
class Surroundings:
    """What the rows of a page are made of besides its posts."""

    versions: Mapping[int, PersonaVersion]
    requests: Sequence[LlmRequest]
    standings: Mapping[int, Standing]
    partials: Mapping[int, Partial]
    now: datetime
    base_depth: int = 0
    is_flat: bool = False
    #: answered on this page, but not on it
    parents: Mapping[int, Post] = field(default_factory=dict)
    unseen: frozenset[int] = frozenset()
    bookmarked: frozenset[int] = frozenset()
    votes: Mapping[int, Votes] = field(default_factory=dict)
    quoting: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    tiny_models: frozenset[str] = frozenset()
    files: Mapping[int, tuple[Attachment, ...]] = field(default_factory=dict)
    #: by LLM request: the debate or council that it is a step of
    parts: Mapping[int, Part] = field(default_factory=dict)


def thread_rows(posts: Sequence[Post], around: Surroundings) -> list[PostRow | PendingRow]:
    """The rows of a page in thread order. A pending reply stands after all that has been answered to its question."""
    by_id = {post.id: post for post in posts}
    waiting: dict[int, list[LlmRequest]] = {}
    for request in sorted(around.requests, key=lambda request: request.id):
        if request.post_id in by_id and _is_shown(request, around):
            waiting.setdefault(request.post_id or 0, []).append(request)
    answers = _answers(posts)
    folded = frozenset[int]() if around.is_flat else _folded(by_id, answers)
    rows: list[PostRow | PendingRow] = []
    open_posts: list[Post] = []
    for post in posts:
        # As it was written, what is still to be written comes after everything.
        while open_posts and open_posts[-1].depth >= post.depth and not around.is_flat:
            rows += _pending_rows(open_posts.pop(), waiting, around)
        is_below_parent = bool(rows) and rows[-1].key == f"post-{post.parent_id}"
        compared = _compare(answers.get(post.id, ()))
        row = _post_row(post, by_id, around, is_below_parent=is_below_parent, compared=compared)
        rows.append(_fold(row) if post.id in folded and not _is_chairs(post, around) else row)
        open_posts.append(post)
    rest = open_posts if around.is_flat else reversed(open_posts)
    return rows + [row for post in rest for row in _pending_rows(post, waiting, around)]


def _answers(posts: Sequence[Post]) -> dict[int, list[Post]]:
    """The answers of personas on the page, by the post that they answer."""
    answers: dict[int, list[Post]] = {}
    for post in posts:
        if post.is_by_persona and not post.is_deleted and post.parent_id is not None:
            answers.setdefault(post.parent_id, []).append(post)
    return answers


def _folded(by_id: Mapping[int, Post], answers: Mapping[int, Sequence[Post]]) -> frozenset[int]:
    """All but the first of several answers, below their question. One that was answered itself is a conversation."""
    several = (each for parent_id, each in answers.items() if parent_id in by_id and len(each) >= WORTH_FOLDING)
    return frozenset(post.id for each in several for post in each[1:] if not post.child_count)


def _fold(row: PostRow) -> PostRow:
    return replace(row, is_folded=True, stamp=f"{row.stamp}.f")


def _compare(answers: Sequence[Post]) -> Comparison | None:
    if len(answers) < WORTH_COMPARING:
        return None
    return Comparison(len(answers), agreement_words([post.content for post in answers[:_LOOKED_AT]]))


def _is_shown(request: LlmRequest, around: Surroundings) -> bool:
    if request.status is not Status.CANCELLED:
        return True
    is_fresh = request.finished_at is not None and around.now - request.finished_at < CANCELLED_STAYS
    return is_fresh or request.id in around.partials


def _pending_rows(post: Post, waiting: Mapping[int, list[LlmRequest]], around: Surroundings) -> list[PendingRow]:
    return [_pending_row(request, post, around) for request in waiting.get(post.id, ())]


def _pending_row(request: LlmRequest, question: Post, around: Surroundings) -> PendingRow:
    version = around.versions.get(request.persona_version_id or 0)
    partial = around.partials.get(request.id)
    standing = around.standings[request.id]
    name = version.name if version else "A persona"
    text = partial.text if partial else ""
    return PendingRow(
        llm_request=request,
        standing=standing,
        depth=0 if around.is_flat else min(question.depth + 1 - around.base_depth, DEEPEST),
        stamp=f"{request.status}.{request.run}.{standing.label}.{standing.sentence}.{len(text)}",
        hue=hue_class(name),
        name=name,
        version_label=f"v{version.number}" if version else "",
        text=text,
        is_thinking=request.status is Status.RUNNING and bool(partial and partial.thinking and not text),
        next_url=f"/posts/{question.id}",
        part=_part(request.id, around),
    )


def _post_row(
    post: Post,
    by_id: Mapping[int, Post],
    around: Surroundings,
    *,
    is_below_parent: bool,
    compared: Comparison | None,
) -> PostRow:
    version = around.versions.get(post.persona_version_id or 0)
    parent = by_id.get(post.parent_id or 0) or around.parents.get(post.parent_id or 0)
    depth = 0 if around.is_flat else post.depth - around.base_depth
    votes = around.votes.get(post.id, Votes())
    quoting = around.quoting.get(post.id, ())
    is_kept = post.id in around.bookmarked
    files = around.files.get(post.id, ()) if not post.is_deleted else ()
    is_placed = is_below_parent or (depth <= DEEPEST and not around.is_flat)
    return PostRow(
        post=post,
        depth=max(0, min(depth, DEEPEST)),
        stamp=_stamp(
            post,
            parent,
            f"{votes.up}.{votes.down}",
            str(len(quoting)),
            "b" if is_kept else "",
            f"{compared.number}-{compared.agreement}" if compared else "",
            "f".join(str(file.id) for file in files),
        ),
        hue=hue_class(post.author_name) if post.is_by_persona else "",
        is_persona=post.is_by_persona,
        persona_url=f"/personas/{version.persona_id}/versions/{version.number}" if version else "",
        version_label=f"v{version.number}" if version else "",
        model=model_words(post.model_name),
        is_tiny=post.is_by_persona and post.model_name in around.tiny_models,
        facts=_facts(post, parent, _part(post.llm_request_id, around), is_kept=is_kept),
        answering="" if is_placed or post.is_root else _name_of(parent),
        # Where standing in ends: further down each post says itself whom it answers.
        continues_url=f"/topics/{post.topic_id}?branch={post.id}" if depth == DEEPEST and post.child_count else "",
        is_cut=_cut_words(post),
        is_unseen=post.id in around.unseen,
        votes=votes,
        quoting=quoting,
        long_lines=_long_lines(post.content),
        files=files,
        ranking=_ranking(post, around),
        compared=compared,
    )


def _stamp(post: Post, parent: Post | None, *more: str) -> str:
    own = f"{post.version}.{post.render_version}.{parent.version if parent else 0}"
    rest = ".".join(more)
    return f"{own}.{rest}" if rest.strip("0.") else own


def _long_lines(content: str) -> int:
    # Most are told by this alone, without being cut into lines.
    if content.count("\n") + 1 + len(content) // _LINE_CHARS <= LONG_LINES:
        return 0
    lines = sum(1 + len(line) // _LINE_CHARS for line in content.removesuffix("\n").split("\n"))
    return lines if lines > LONG_LINES else 0


def _part(llm_request_id: int | None, around: Surroundings) -> Fact | None:
    """Which step of which debate or council it is."""
    found = around.parts.get(llm_request_id or 0)
    if found is None:
        return None
    return Fact(part_words(found.discussion, found.step), f"/discussions/{found.discussion.id}")


def _is_chairs(post: Post, around: Surroundings) -> bool:
    """Whether it is what a council came to, and not one answer among others."""
    found = around.parts.get(post.llm_request_id or 0)
    return found is not None and found.step.kind is StepKind.ANSWER


def _ranking(post: Post, around: Surroundings) -> Ranking | None:
    found = around.parts.get(post.llm_request_id or 0)
    if found is None or not _is_chairs(post, around):
        return None
    return ranking_of(found.discussion, found.steps, post.content)


def _name_of(parent: Post | None) -> str:
    return parent.author_name if parent else "an earlier post"


def _facts(post: Post, parent: Post | None, part: Fact | None, *, is_kept: bool) -> tuple[Fact, ...]:
    """What is worth knowing without asking; the rest is behind "More"."""
    facts = [part] if part is not None else []
    usage = post.usage or {}
    how = f"/queue/{post.llm_request_id}" if post.llm_request_id else ""
    if usage.get("completion_tokens"):
        facts.append(Fact(f"{usage['completion_tokens']:,} tokens", how))
    if usage.get("is_complete_thread") is False:
        facts.append(Fact("did not see all of the thread", how))
    if usage.get("truncated_prompt"):
        facts.append(Fact("its prompt was cut by the server", how))
    if post.edited_at is not None and post.revision_count:
        facts.append(Fact("edited", f"/posts/{post.id}/history"))
    if post.question_version is not None and parent is not None and parent.version > post.question_version:
        facts.append(Fact("question edited since", f"/posts/{parent.id}/history"))
    if post.is_excluded:
        facts.append(Fact("kept from models"))
    if is_kept:
        facts.append(Fact("bookmarked", "/bookmarks"))
    return tuple(facts)


def _cut_words(post: Post) -> str:
    if post.is_partial:
        return "A text that was broken off and kept."
    if post.finish_reason == REPETITION:
        return "The model said the same again and again, and was stopped; what came after the second time is left out."
    return "The model reached the longest reply allowed." if post.finish_reason == "length" else ""
