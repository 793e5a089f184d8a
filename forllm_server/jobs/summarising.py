"""Asking for summaries: of the way to a post, of a topic, of replies; by a person, or because a thread grew long.

What is summed up is read when the model begins (jobs/summary.py); here it is only made sure that there is something.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from forllm_server.accounts.local import LOCAL_USER_ID
from forllm_server.catalog.choosing import choose_model
from forllm_server.catalog.model import ChosenModel
from forllm_server.errors import Invalid, NotFound
from forllm_server.forum import post_store, topic_store
from forllm_server.forum.answer_store import list_replies
from forllm_server.forum.model import Post
from forllm_server.jobs.own_personas import find_own_persona, make_own_persona
from forllm_server.jobs.prompting import context_of
from forllm_server.personas.model import Persona
from forllm_server.personas.parameters import merge
from forllm_server.queue.control import run_llm_request_now
from forllm_server.queue.llm_request_store import find_llm_request, get_llm_request, insert_llm_request
from forllm_server.queue.model import Lane, LlmRequest, NewLlmRequest, Status
from forllm_server.settings.values import Settings, read_settings
from forllm_server.summaries import summary_store
from forllm_server.summaries.editing import edit_summary
from forllm_server.summaries.model import CoveredPost, Summary, SummaryScope, SummaryVersion
from forllm_server.summaries.wording import INSTRUCTIONS, PERSONA_NAME, reply_tokens_for

NAME = "summary"
#: where it is kept which persona writes them
KEY = "summaries.persona"
#: More posts than this are not summed up in one go.
MOST_POSTS = 2_000
MOST_REPLIES = 100
FEWEST_POSTS = 2
_MAX_ATTEMPTS = 2
#: One that failed or was called off is not asked for again by itself for so long.
_PAUSE = timedelta(hours=20)


@dataclass(frozen=True)
class Wanted:
    """What is to be summed up. ``post_ids``: the chosen replies; none: all of them.

    ``is_anew``: from the posts alone, not from the version that is there. ``near_model_id``: a model that is loaded
    anyway, asked where the persona has none of its own.
    """

    owner_id: int
    scope: SummaryScope
    anchor_post_id: int
    post_ids: tuple[int, ...] = ()
    is_run_now: bool = False
    is_anew: bool = False
    near_model_id: int | None = None


@dataclass(frozen=True)
class AskedSummary:
    """The summary, what writes it, and whether this call asked for it."""

    summary_id: int
    request: LlmRequest
    is_new: bool


class NothingToSumUp(Invalid):
    """There is nothing to sum up."""

    code = "nothing_to_sum_up"


def ask_summary(connection: Connection, wanted: Wanted, now: datetime) -> AskedSummary:
    """Queue a summary; one that is being written is not asked for twice.

    Raises NotFound, NothingToSumUp, and Invalid when it is too much or there is no model.
    """
    anchor = post_store.get_post(connection, wanted.anchor_post_id)
    # Nobody else asks for one of this topic before this transaction ends.
    topic_store.get_topic_to_change(connection, anchor.topic_id)
    covered = list_posts_to_sum_up(connection, wanted.scope, anchor, wanted.post_ids)
    refuse_nothing(wanted.scope, covered)
    known = find_summary_of(connection, wanted, anchor)
    if known is not None:
        # Summaries are locked before LLM requests, and these before their versions.
        known = summary_store.get_summary_to_change(connection, known.id)
    asked = _find_live(connection, known)
    if known is not None and asked is not None:
        if wanted.is_run_now and asked.lane is Lane.NIGHT and asked.status is not Status.RUNNING:
            asked = run_llm_request_now(connection, asked.id, now)
        return AskedSummary(known.id, asked, is_new=False)
    settings = read_settings(connection)
    persona = find_own_persona(connection, KEY)
    chosen = choose(connection, persona, settings, wanted.near_model_id)
    if chosen is None:
        raise Invalid("There is no model that could sum it up. Connect one first.")
    persona = persona or make_own_persona(connection, KEY, name=PERSONA_NAME, instructions=INSTRUCTIONS, now=now)
    summary_id = known.id if known else _insert(connection, wanted, anchor, now)
    return _queue(connection, replace(wanted, anchor_post_id=anchor.id), summary_id, anchor, persona, chosen, now)


def ask_again(
    connection: Connection, summary_id: int, *, owner_id: int, now: datetime, is_run_now: bool = False
) -> AskedSummary:
    """Have a summary written anew from its posts. Raises as :func:`ask_summary`."""
    summary = summary_store.get_summary(connection, summary_id)
    chosen = chosen_replies(connection, summary) if summary.scope is SummaryScope.REPLIES else ()
    wanted = Wanted(owner_id, summary.scope, summary.anchor_post_id, chosen, is_run_now=is_run_now, is_anew=True)
    return ask_summary(connection, wanted, now)


def ask_for_long_way(
    connection: Connection, way: Sequence[int], anchor_post_id: int, *, near_model_id: int, now: datetime
) -> AskedSummary | None:
    """Ask for the summary of a way that no longer fits, unless a person has said or shown that none is wanted.

    ``way``: the ids of the posts on it. None also when one that holds reaches as far, or the last one failed lately.
    """
    settings = read_settings(connection)
    chosen = choose(connection, find_own_persona(connection, KEY), settings, near_model_id)
    if not is_wanted(settings, chosen):
        return None
    topic_id = post_store.get_post(connection, anchor_post_id).topic_id
    every = summary_store.list_summaries(connection, topic_id, with_removed=True)
    on_way = [each for each in every if each.scope is SummaryScope.WAY and each.anchor_post_id in way]
    if any(each.removed_at is not None for each in on_way):
        return None
    for summary in on_way:
        last = find_llm_request(connection, summary.llm_request_id or 0)
        ended_at = last.finished_at if last is not None and last.status is not Status.SUCCEEDED else None
        if ended_at is not None and now - ended_at < _PAUSE:
            return None
        is_far = way.index(summary.anchor_post_id) >= way.index(anchor_post_id)
        if is_far and summary.version is not None and not _is_stale(connection, summary):
            return None
    wanted = Wanted(LOCAL_USER_ID, SummaryScope.WAY, anchor_post_id, near_model_id=near_model_id)
    return ask_summary(connection, wanted, now)


def is_wanted(settings: Settings, chosen: ChosenModel | None) -> bool:
    """Whether long threads are summed up by themselves: unless told so not by the tiny embedded model."""
    if chosen is None or settings.summaries == "off":
        return False
    return settings.summaries == "on" or not chosen.backend.is_embedded


def list_posts_to_sum_up(
    connection: Connection, scope: SummaryScope, anchor: Post, post_ids: Sequence[int] = ()
) -> list[Post]:
    """The posts in the order of the thread, also those that models are not shown. Raises NotFound and Invalid."""
    if scope is SummaryScope.WAY:
        if anchor.depth > MOST_POSTS:
            raise Invalid(f"{anchor.depth:,} posts lead there; at most {MOST_POSTS:,} are summed up. Choose one above.")
        return [post for post in post_store.list_ancestors(connection, anchor.id).posts if not post.is_root]
    if scope is SummaryScope.TOPIC:
        posts = post_store.list_page(connection, anchor.topic_id, limit=MOST_POSTS + 1)
        if len(posts) > MOST_POSTS:
            raise Invalid(
                f"This topic has more than {MOST_POSTS:,} posts, more than are summed up in one go. Sum up the way to "
                "a post instead."
            )
        return posts
    return _replies(connection, anchor, post_ids)


def refuse_nothing(scope: SummaryScope, posts: Sequence[Post]) -> None:
    """Raises NothingToSumUp when models are shown fewer than two of the posts."""
    shown = sum(is_shown(post) for post in posts)
    if shown >= FEWEST_POSTS:
        return
    where = {
        SummaryScope.WAY: "between the first post and this one, itself included",
        SummaryScope.TOPIC: "in this topic",
        SummaryScope.REPLIES: "among the chosen replies",
    }[scope]
    number = "no post that models are shown" if not shown else "only one post that models are shown"
    raise NothingToSumUp(f"There is nothing to sum up: there is {number} {where}.", field="post_ids")


def is_shown(post: Post) -> bool:
    """Whether models are shown a post."""
    return not post.is_deleted and not post.is_excluded


def covered_of(posts: Sequence[Post]) -> tuple[CoveredPost, ...]:
    """The posts as a version keeps them."""
    return tuple(CoveredPost(post.id, post.version, is_shown(post), post.parent_id) for post in posts)


def find_summary_of(connection: Connection, wanted: Wanted, anchor: Post) -> Summary | None:
    """The summary that is to get another version: of a way the one that already covers the most of it."""
    every = summary_store.list_summaries(connection, anchor.topic_id)
    same = [each for each in every if each.scope is wanted.scope]
    if wanted.scope is SummaryScope.TOPIC:
        return next(iter(same), None)
    if wanted.scope is SummaryScope.WAY:
        depths = {post.id: post.depth for post in post_store.list_ancestors(connection, anchor.id).posts}
        on_way = [each for each in same if each.anchor_post_id in depths]
        return max(on_way, key=lambda each: depths[each.anchor_post_id], default=None)
    chosen = {post.id for post in _replies(connection, anchor, wanted.post_ids)}
    of_same = (each for each in same if each.anchor_post_id == anchor.id)
    return next((each for each in of_same if set(chosen_replies(connection, each)) == chosen), None)


def chosen_replies(connection: Connection, summary: Summary) -> tuple[int, ...]:
    """Which replies a summary is about, also while its first version is being written."""
    if summary.version is not None:
        coverage = summary_store.list_coverage(connection, [summary.version.id])
        return tuple(post.post_id for post in coverage[summary.version.id].posts)
    request = find_llm_request(connection, summary.llm_request_id or 0)
    return tuple(int(post_id) for post_id in request.input.get("post_ids") or ()) if request else ()


def choose(
    connection: Connection, persona: Persona | None, settings: Settings, near_model_id: int | None
) -> ChosenModel | None:
    """Which model writes it: the persona's, else one that is loaded anyway, else the forum's."""
    return choose_model(
        connection,
        asked_model_id=None,
        persona_model_id=persona.version.model_id if persona else None,
        fallback_model_ids=persona.version.fallback_model_ids if persona else (),
        default_model_id=near_model_id or settings.default_model_id,
    )


def _replies(connection: Connection, anchor: Post, post_ids: Sequence[int]) -> list[Post]:
    if len(set(post_ids)) > MOST_REPLIES:
        raise Invalid(f"At most {MOST_REPLIES} replies are summed up together. Choose fewer.", field="post_ids")
    if not post_ids:
        return list_replies(connection, anchor.id, limit=MOST_REPLIES)
    posts = post_store.list_posts(connection, set(post_ids))
    if len(posts) < len(set(post_ids)) or any(post.parent_id != anchor.id for post in posts):
        raise Invalid("Choose replies to this very post.", field="post_ids")
    return posts


def _find_live(connection: Connection, known: Summary | None) -> LlmRequest | None:
    request = find_llm_request(connection, known.llm_request_id or 0) if known else None
    return request if request is not None and request.is_live else None


def _insert(connection: Connection, wanted: Wanted, anchor: Post, now: datetime) -> int:
    return summary_store.insert_summary(
        connection,
        owner_id=wanted.owner_id,
        topic_id=anchor.topic_id,
        scope=wanted.scope,
        anchor_post_id=anchor.id,
        now=now,
    )


def _queue(
    connection: Connection,
    wanted: Wanted,
    summary_id: int,
    anchor: Post,
    persona: Persona,
    chosen: ChosenModel,
    now: datetime,
) -> AskedSummary:
    settings = read_settings(connection)
    context = context_of(chosen.backend.kind, chosen.model, persona.version.parameters, settings)
    inherited = {"temperature": settings.temperature, "max_tokens": reply_tokens_for(context.tokens)}
    subject: dict[str, Any] = {
        "summary_id": summary_id,
        "scope": wanted.scope.value,
        "anchor_post_id": anchor.id,
        "is_anew": wanted.is_anew,
    }
    if wanted.scope is SummaryScope.REPLIES:
        subject["post_ids"] = [post.id for post in _replies(connection, anchor, wanted.post_ids)]
    asked = insert_llm_request(
        connection,
        NewLlmRequest(
            owner_id=wanted.owner_id,
            kind=NAME,
            # Without a post of its own: the thread shows what will become a reply, and this will not.
            topic_id=anchor.topic_id,
            persona_id=persona.id,
            persona_version_id=persona.version.id,
            backend_id=chosen.backend.id,
            model_id=chosen.model.id,
            model_name=chosen.model.name,
            lane=Lane.LIVE if wanted.is_run_now else Lane.NIGHT,
            max_attempts=_MAX_ATTEMPTS,
            parameters=merge(inherited, persona.version.parameters),
            input=subject,
        ),
        now,
    )
    if asked is None:
        raise NotFound("The summary could not be queued. Try again.")
    summary_store.update_asked(connection, summary_id, asked.id)
    return AskedSummary(summary_id, get_llm_request(connection, asked.id), is_new=True)


def _is_stale(connection: Connection, summary: Summary) -> bool:
    if summary.version is None:
        return True
    return summary_store.list_coverage(connection, [summary.version.id])[summary.version.id].is_stale


def write_by_hand(
    connection: Connection,
    summary_id: int,
    *,
    content: str,
    editor_id: int,
    now: datetime,
    expected_number: int | None = None,
) -> SummaryVersion:
    """Keep a person's text as a summary of the posts as they are now. Raises as :func:`edit_summary`."""
    summary = summary_store.get_summary_to_change(connection, summary_id)
    if summary.version is None:
        # Asked for, and not written, or not well enough to be kept.
        anchor = post_store.get_post(connection, summary.anchor_post_id)
        chosen = chosen_replies(connection, summary)
        covered_now = covered_of(list_posts_to_sum_up(connection, summary.scope, anchor, chosen))
    else:
        coverage = summary_store.list_coverage(connection, [summary.version.id])[summary.version.id]
        ids = [post.post_id for post in coverage.posts]
        by_id = {post.id: post for post in post_store.list_posts(connection, ids)}
        covered_now = covered_of([by_id[post_id] for post_id in ids if post_id in by_id])
    return edit_summary(
        connection,
        summary_id,
        content=content,
        editor_id=editor_id,
        covered_now=covered_now,
        now=now,
        expected_number=expected_number,
    )
