"""Summaries: asking for one, reading it with its versions, writing it by hand, removing it."""

from itertools import pairwise

from flask import Blueprint, Response, g

from forllm_server.clock import now
from forllm_server.errors import Conflict
from forllm_server.forum import post_store, topic_store
from forllm_server.forum.answer_store import list_replies
from forllm_server.forum.model import Topic
from forllm_server.jobs.summarising import (
    MOST_REPLIES,
    AskedSummary,
    Wanted,
    ask_again,
    ask_summary,
    is_shown,
    write_by_hand,
)
from forllm_server.markup.excerpt import excerpt
from forllm_server.markup.render import render
from forllm_server.pages.changes import DiffLine, diff_lines
from forllm_server.pages.summary_view import SummaryView, author_words, posts_words, read_views, summary_words, views_of
from forllm_server.summaries import summary_store
from forllm_server.summaries.editing import remove_summary, restore_version, take_back
from forllm_server.summaries.model import SummaryScope
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form, shows_again, was_entered
from forllm_server.web.fragments import notice, page, see_other
from forllm_server.web.snapshot import page_read

blueprint = Blueprint("summary", __name__)

blueprint.add_app_template_global(author_words)
blueprint.add_app_template_global(summary_words)

_BIGGEST_ID = 2**63 - 1
_EXCERPT_CHARACTERS = 110
_SHOWN_ON_TOPIC = 3
#: Versions that are compared with the one before: each comparison takes time, and a long thread has a version a night.
_COMPARED = 10


@blueprint.app_template_global()
def summaries_of(topic: Topic) -> list[SummaryView]:
    """What a topic's page shows of its summaries."""
    with page_read() as connection:
        return read_views(connection, topic.id, now(), limit=_SHOWN_ON_TOPIC)


@blueprint.get("/topics/<int:topic_id>/summaries")
def show_topic(topic_id: int) -> Response:
    """All summaries of a topic, and asking for one of the whole."""
    with current().database.read() as connection:
        topic = topic_store.get_topic(connection, topic_id)
        root = post_store.get_root(connection, topic_id)
        views = read_views(connection, topic_id, now())
    g.subforum_id = topic.subforum_id
    return page("summary/list.html", topic=topic, root=root, views=views)


@blueprint.post("/topics/<int:topic_id>/summaries")
@shows_again(show_topic)
def create_of_topic(topic_id: int) -> Response:
    """Ask for a summary of all posts of a topic."""
    is_run_now = Form.of_request().flag("is_run_now")
    with current().database.transaction() as connection:
        root = post_store.get_root(connection, topic_id)
        wanted = Wanted(current_user_id(), SummaryScope.TOPIC, root.id, is_run_now=is_run_now)
        asked = ask_summary(connection, wanted, now())
    return _asked(asked)


@blueprint.get("/posts/<int:post_id>/summarise")
def show_new(post_id: int) -> Response:
    """The form that asks for a summary of the way to a post, or of replies to it."""
    with current().database.read() as connection:
        post = post_store.get_post(connection, post_id)
        topic = topic_store.get_topic(connection, post.topic_id)
        replies = [reply for reply in list_replies(connection, post_id, limit=MOST_REPLIES) if is_shown(reply)]
    g.subforum_id = topic.subforum_id
    offered = [(reply, excerpt(reply.content, max_chars=_EXCERPT_CHARACTERS)) for reply in replies]
    ticked = Form.of_request().words("post_ids") if was_entered() else [str(reply.id) for reply in replies]
    return page("summary/new.html", topic=topic, post=post, replies=offered, ticked=ticked)


@blueprint.post("/posts/<int:post_id>/summarise")
@shows_again(show_new)
def create(post_id: int) -> Response:
    """Ask for a summary."""
    form = Form.of_request()
    scope = SummaryScope(form.choice("scope", (SummaryScope.WAY, SummaryScope.REPLIES), default=SummaryScope.REPLIES))
    chosen = form.integers("post_ids", most=_BIGGEST_ID) if scope is SummaryScope.REPLIES else []
    with current().database.transaction() as connection:
        wanted = Wanted(current_user_id(), scope, post_id, tuple(chosen), is_run_now=form.flag("is_run_now"))
        asked = ask_summary(connection, wanted, now())
    return _asked(asked)


@blueprint.get("/summaries/<int:summary_id>")
def show(summary_id: int) -> Response:
    """The summary, what it covers, and all of its versions, the newest with what each changed."""
    topic, view = _read(summary_id)
    with current().database.read() as connection:
        versions = summary_store.list_versions(connection, summary_id)
        posts = post_store.list_posts(connection, view.coverage.post_ids)
    newest = versions[: _COMPARED + 1]
    changes: list[list[DiffLine] | None] = [
        diff_lines(earlier.content, version.content) for version, earlier in pairwise(newest)
    ]
    changes += [None] * (len(versions) - len(changes))
    return page(
        "summary/show.html",
        topic=topic,
        view=view,
        versions=list(zip(versions, changes, strict=True)),
        posts=[(post, excerpt(post.content, max_chars=_EXCERPT_CHARACTERS)) for post in posts],
    )


@blueprint.get("/summaries/<int:summary_id>/versions/<int:number>")
def show_version(summary_id: int, number: int) -> Response:
    """One version as it is, with what it covers: where a prompt that held it leads."""
    topic, view = _read(summary_id)
    with current().database.read() as connection:
        version = summary_store.get_version(connection, summary_id, number)
        coverage = summary_store.list_coverage(connection, [version.id])[version.id]
        posts = post_store.list_posts(connection, coverage.post_ids)
    return page(
        "summary/version.html",
        topic=topic,
        view=view,
        version=version,
        html=render(version.content, anchor_prefix=f"summary-{summary_id}").html,
        covers=posts_words(coverage),
        posts=[(post, excerpt(post.content, max_chars=_EXCERPT_CHARACTERS)) for post in posts],
    )


@blueprint.get("/summaries/<int:summary_id>/edit")
def show_edit(summary_id: int) -> Response:
    """The form that changes a summary by hand; over a newer version both are shown and what was typed is kept."""
    topic, view = _read(summary_id)
    present = view.version.content if view.version else ""
    clash: list[DiffLine] = []
    if was_entered() and isinstance(g.get("form_problem"), Conflict):
        clash = diff_lines(present, Form.of_request().text("content"))
    number = Form.of_request().text("number") if was_entered() and not clash else view.summary.current_number
    return page("summary/edit.html", topic=topic, view=view, clash=clash, number=number)


@blueprint.post("/summaries/<int:summary_id>/edit")
@shows_again(show_edit)
def change(summary_id: int) -> Response:
    """Keep a person's text as the next version."""
    form = Form.of_request()
    with current().database.transaction() as connection:
        write_by_hand(
            connection,
            summary_id,
            content=form.text("content"),
            editor_id=current_user_id(),
            now=now(),
            expected_number=form.integer("number", least=0),
        )
    return see_other(f"/summaries/{summary_id}")


@blueprint.post("/summaries/<int:summary_id>/versions/<int:number>/restore")
def restore(summary_id: int, number: int) -> Response:
    """Take an earlier version again."""
    with current().database.transaction() as connection:
        restore_version(connection, summary_id, number, editor_id=current_user_id(), now=now())
    notice(f"The text of version {number} is the present one again.")
    return see_other(f"/summaries/{summary_id}")


@blueprint.post("/summaries/<int:summary_id>/renewal")
@shows_again(show)
def renew(summary_id: int) -> Response:
    """Have it written anew from the posts as they are now."""
    is_run_now = Form.of_request().flag("is_run_now")
    with current().database.transaction() as connection:
        asked = ask_again(connection, summary_id, owner_id=current_user_id(), now=now(), is_run_now=is_run_now)
    return _asked(asked)


@blueprint.post("/summaries/<int:summary_id>/delete")
def remove(summary_id: int) -> Response:
    """Put a summary away."""
    with current().database.transaction() as connection:
        summary = remove_summary(connection, summary_id, now())
    notice("The summary is removed; models get the posts alone.", undo=f"/summaries/{summary_id}/return")
    return see_other(f"/topics/{summary.topic_id}")


@blueprint.post("/summaries/<int:summary_id>/return")
def bring_back(summary_id: int) -> Response:
    """Let a removed summary stand again."""
    with current().database.transaction() as connection:
        take_back(connection, summary_id)
    notice("The summary is back.")
    return see_other(f"/summaries/{summary_id}")


def _asked(asked: AskedSummary) -> Response:
    current().wake_worker()
    if asked.is_new:
        notice("Queued: the summary will stand here.", undo=f"/queue/{asked.request.id}/cancellation")
    else:
        notice("It is being written already.")
    return see_other(f"/summaries/{asked.summary_id}")


def _read(summary_id: int) -> tuple[Topic, SummaryView]:
    with current().database.read() as connection:
        summary = summary_store.get_summary(connection, summary_id)
        topic = topic_store.get_topic(connection, summary.topic_id)
        (view,) = views_of(connection, [summary], now())
    g.subforum_id = topic.subforum_id
    return topic, view
