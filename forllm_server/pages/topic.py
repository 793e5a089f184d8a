"""Topics: the thread with its pending replies, the poll that keeps it fresh, opening, renaming, deleting."""

from flask import Blueprint, Response, g, render_template, request

from forllm_server.activity import note_store, seeing, seen_store
from forllm_server.activity.model import View
from forllm_server.clock import now
from forllm_server.forum import subforum_store, topic_store
from forllm_server.forum.draft_model import DraftKind, DraftPlace
from forllm_server.forum.tagging import split_tags, tag_topic
from forllm_server.forum.topics import delete_topic, open_topic, rename_topic
from forllm_server.pages.asking import read_options
from forllm_server.pages.desk import finish_draft_of_form, read_desk, taken
from forllm_server.pages.form_files import attach_files_of_form, keep_files_of_form
from forllm_server.pages.frame import current_settings
from forllm_server.pages.marks import mark_use
from forllm_server.pages.mentioning import ask_about, tell_asked
from forllm_server.pages.row_html import marks_html, rows_html
from forllm_server.pages.thread import (
    Place,
    pace_of,
    pending_of,
    read_rows,
    read_stretch,
    read_stretch_again,
    unseen_of,
)
from forllm_server.pages.trash import in_trash_words
from forllm_server.queue.version_store import get_versions
from forllm_server.web.current import current, current_user_id
from forllm_server.web.etag import unchanged, with_version
from forllm_server.web.forms import Form, shows_again
from forllm_server.web.fragments import notice, page, see_other

blueprint = Blueprint("topic", __name__)

blueprint.add_app_template_global(marks_html)
blueprint.add_app_template_global(mark_use)
blueprint.add_app_template_global(rows_html)


@blueprint.get("/topics/<int:topic_id>")
def show(topic_id: int) -> Response:
    """A page of the topic as flat rows that know their depth: as a tree, or as it was written."""
    settings = current_settings()
    asked_view = request.args.get("view", "")
    with current().database.read() as connection:
        topic = topic_store.get_topic(connection, topic_id)
        versions = get_versions(connection, topic_id)
        reading = seen_store.get_topic_reading(connection, current_user_id(), topic_id)
        view = asked_view if asked_view in list(View) else reading.view or settings.thread_view
        stretch = read_stretch(connection, topic_id, _place(), settings.posts_per_page, is_flat=view == View.FLAT)
        note = note_store.find_note(connection, current_user_id(), topic_id)
        rows = read_rows(connection, topic, stretch, reading)
    g.subforum_id = topic.subforum_id
    pending = pending_of(rows)
    return page(
        "topic/show.html",
        block="thread",
        topic=topic,
        stretch=stretch,
        rows=rows,
        pending=pending,
        pace=pace_of(rows),
        tag=_tag(topic.version, versions, has_pending=bool(pending)),
        is_branch=request.args.get("branch") is not None,
        reading=reading,
        view=view,
        extra=f"view={asked_view}&" if asked_view else "",
        query=f"?view={asked_view}" if asked_view else "",
        note=note,
        unseen_ids=unseen_of(rows),
    )


@blueprint.get("/topics/<int:topic_id>/updates")
def show_updates(topic_id: int) -> Response:
    """What is different on an open page of the thread: 304 when nothing is, at the cost of two small reads.

    ``from`` and ``until`` say which stretch the page shows, ``known`` the topic's version it was drawn from,
    ``pending`` how many pending rows it has: only then does the rest of the queue matter to it.
    """
    with current().database.read() as connection:
        version = topic_store.get_version(connection, topic_id)
        versions = get_versions(connection, topic_id)
    tag = _tag(version, versions, has_pending=request.args.get("pending", "0") != "0")
    return unchanged(tag) or with_version(_updates(topic_id, version), tag)


def _tag(version: int, versions: tuple[int, int], *, has_pending: bool) -> str:
    own, whole = versions
    return f"{version}.{own}.{whole if has_pending else 0}"


def _updates(topic_id: int, version: int) -> Response:
    form = Form(request.args.to_dict(flat=False))
    with current().database.read() as connection:
        topic = topic_store.get_topic(connection, topic_id)
        reading = seen_store.get_topic_reading(connection, current_user_id(), topic_id)
        stretch = read_stretch_again(
            connection,
            topic_id,
            first_id=form.integer("from", most=2**63 - 1) or 0,
            until=form.text("until"),
            base_depth=form.integer("base") or 0,
            limit=current_settings().posts_per_page,
            is_flat=form.text("view") == View.FLAT,
        )
        rows = read_rows(connection, topic, stretch, reading)
    is_known = form.integer("known", most=2**63 - 1) == version
    text = render_template(
        "topic/_updates.html",
        topic=topic,
        stretch=stretch,
        rows=rows,
        pending=pending_of(rows),
        pace=pace_of(rows),
        is_known=is_known,
    )
    return Response(text, content_type="text/html; charset=utf-8")


@blueprint.get("/subforums/<int:subforum_id>/topics/new")
def show_new(subforum_id: int) -> Response:
    """The form of a new topic."""
    with current().database.read() as connection:
        subforum = subforum_store.get_subforum(connection, subforum_id)
        options = read_options(connection, subforum_id)
        desk = read_desk(connection, DraftPlace(DraftKind.TOPIC, subforum_id))
    g.subforum_id = subforum_id
    return page("topic/new.html", subforum=subforum, options=options, desk=desk)


@blueprint.post("/subforums/<int:subforum_id>/topics/new")
@shows_again(show_new)
def create(subforum_id: int) -> Response:
    """Open a topic, and ask those about its first post who are named in the form or called in the text."""
    form = Form.of_request()
    keep_files_of_form(form)
    with current().database.transaction() as connection:
        topic, post = open_topic(
            connection,
            owner_id=current_user_id(),
            subforum_id=subforum_id,
            title=form.text("title"),
            content=form.text("content"),
            now=now(),
        )
        attach_files_of_form(connection, form, post.id)
        names = split_tags(form.text("tags"))
        if names:
            tag_topic(connection, topic.id, names, now=now())
        seeing.see_posts(connection, current_user_id(), topic.id, [post.id])
        told = ask_about(connection, form, post)
        finish_draft_of_form(connection, form)
    tell_asked(told)
    return taken(see_other(f"/topics/{topic.id}"))


@blueprint.get("/topics/<int:topic_id>/edit")
def show_edit(topic_id: int) -> Response:
    """The form that renames or deletes a topic."""
    with current().database.read() as connection:
        topic = topic_store.get_topic(connection, topic_id)
    g.subforum_id = topic.subforum_id
    return page("topic/edit.html", topic=topic)


@blueprint.post("/topics/<int:topic_id>/edit")
@shows_again(show_edit)
def change(topic_id: int) -> Response:
    """Give a topic another title."""
    title = Form.of_request().text("title")
    with current().database.transaction() as connection:
        rename_topic(connection, topic_id, title=title)
    return see_other(f"/topics/{topic_id}")


@blueprint.post("/topics/<int:topic_id>/delete")
def delete(topic_id: int) -> Response:
    """Put a topic into the trash."""
    with current().database.transaction() as connection:
        topic = topic_store.get_topic(connection, topic_id)
        delete_topic(connection, topic_id, now())
    notice(in_trash_words(f"“{topic.title}”"), undo=f"/trash/topic/{topic_id}/restore")
    return see_other(f"/subforums/{topic.subforum_id}")


def _place() -> Place:
    form = Form(request.args.to_dict(flat=False))
    return Place(
        after=form.text("after", longest=20_000),
        before=form.text("before", longest=20_000),
        at=form.integer("at", least=1, most=2**63 - 1),
        branch=form.integer("branch", least=1, most=2**63 - 1),
    )
