"""Posts: permanent links, replying, asking, editing with history, deleting to the trash."""

from flask import Blueprint, Response, g, request

from forllm_server.activity.seeing import see_posts
from forllm_server.clock import now
from forllm_server.errors import Conflict
from forllm_server.forum import post_store, revision_store, topic_store
from forllm_server.forum.attaching import kept_files
from forllm_server.forum.draft_model import DraftKind, DraftPlace
from forllm_server.forum.editing import add_reply, delete_post, edit_post, restore_post
from forllm_server.forum.model import Post, Topic
from forllm_server.forum.quoting import quote_post
from forllm_server.forum.rendering import ensure_html
from forllm_server.forum.reverting import restore_revision
from forllm_server.jobs.partial_reply import post_partial_reply
from forllm_server.pages.asking import ask_from_form, asked_words, group_url, read_options
from forllm_server.pages.changes import DiffLine, diff_hunks, diff_lines
from forllm_server.pages.database import database
from forllm_server.pages.desk import finish_draft_of_form, read_desk, taken
from forllm_server.pages.edits import edits_of
from forllm_server.pages.form_files import attach_files_of_form, file_change_of_form, keep_files_of_form, tell_removed
from forllm_server.pages.frame import current_settings, name_form
from forllm_server.pages.mentioning import ask_about, tell_asked
from forllm_server.pages.trash import in_trash_words
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form, shows_again, was_entered
from forllm_server.web.fragments import is_fragment_request, notice, page, see_other

blueprint = Blueprint("post", __name__)

blueprint.add_app_template_global(diff_hunks)


@blueprint.get("/posts/<int:post_id>")
def show(post_id: int) -> Response:
    """The permanent link: leads to the page of the thread that shows the post."""
    with current().database.read() as connection:
        post = post_store.get_post(connection, post_id)
        count = post_store.count_posts(connection, post.topic_id)
    place = "" if count <= current_settings().posts_per_page else f"?at={post.id}"
    return see_other(f"/topics/{post.topic_id}{place}#post-{post.id}")


@blueprint.get("/posts/<int:post_id>/reply")
def show_reply(post_id: int) -> Response:
    """The form of a reply: a page of its own, or put in below the post."""
    return _show_form("post/reply.html", post_id)


@blueprint.post("/posts/<int:post_id>/reply")
@shows_again(show_reply)
def create_reply(post_id: int) -> Response:
    """Reply to a post, and ask those about it who are named in the form or called in the text."""
    form = Form.of_request()
    keep_files_of_form(form)
    with current().database.transaction() as connection:
        post = add_reply(
            connection, owner_id=current_user_id(), parent_id=post_id, content=form.text("content"), now=now()
        )
        attach_files_of_form(connection, form, post.id)
        # What one has just written oneself is not news.
        see_posts(connection, current_user_id(), post.topic_id, [post.id])
        told = ask_about(connection, form, post, is_new=True)
        finish_draft_of_form(connection, form)
    tell_asked(told)
    return taken(see_other(f"/posts/{post.id}"))


@blueprint.get("/posts/<int:post_id>/ask")
def show_ask(post_id: int) -> Response:
    """The form that asks a persona to reply to a post."""
    return _show_form("post/ask.html", post_id)


@blueprint.post("/posts/<int:post_id>/ask")
@shows_again(show_ask)
def create_llm_request(post_id: int) -> Response:
    """Queue a reply by a persona."""
    with current().database.transaction() as connection:
        asked = ask_from_form(connection, Form.of_request(), post_id)
    current().wake_worker()
    group = group_url(asked)
    notice(asked_words(asked), kind="asked", undo=f"{group}/cancellation" if group else "")
    return see_other(f"/posts/{post_id}")


@blueprint.post("/queue/<int:llm_request_id>/partial-reply")
def create_partial_reply(llm_request_id: int) -> Response:
    """Post what a failed or cancelled request had written, marked partial; then to it."""
    with current().database.transaction() as connection:
        post = post_partial_reply(connection, llm_request_id, now())
    notice("The partial text stands in the thread now, marked as such.")
    return see_other(f"/posts/{post.id}")


@blueprint.get("/posts/<int:post_id>/edit")
def show_edit(post_id: int) -> Response:
    """The form that changes a post's text. Over a newer text, both are shown and what was typed is kept."""
    topic, post = _read(post_id)
    with current().database.read() as connection:
        desk = read_desk(connection, DraftPlace(DraftKind.EDIT, post_id), own_text=post.content)
    clash = _clash(post)
    begun = desk.draft.text.post_version if desk.draft is not None else None
    # After a clash the newer text has been seen: saving again is meant.
    version = Form.of_request().text("version") if was_entered() and not clash else begun or post.version
    return page("post/edit.html", topic=topic, post=post, desk=desk, clash=clash, version=version)


def _clash(post: Post) -> list[DiffLine]:
    """What is different between the post as it is by now and the text that could not be saved over it."""
    if not (was_entered() and isinstance(g.get("form_problem"), Conflict)) or post.is_deleted:
        return []
    return diff_lines(post.content, Form.of_request().text("content"))


@blueprint.post("/posts/<int:post_id>/edit")
@shows_again(show_edit)
def change(post_id: int) -> Response:
    """Give a post another text, and ask those who are called in it newly. A newer text is not overwritten."""
    form = Form.of_request()
    keep_files_of_form(form)
    files = file_change_of_form(form)
    with current().database.transaction() as connection:
        before = post_store.get_post(connection, post_id)
        post = edit_post(
            connection,
            post_id,
            editor_id=current_user_id(),
            content=form.text("content"),
            now=now(),
            expected_version=form.integer("version", least=1),
            files=files,
        )
        told = ask_about(connection, form, post, earlier_text=before.content)
        finish_draft_of_form(connection, form)
    tell_asked(told)
    tell_removed(files.removed)
    return taken(see_other(f"/posts/{post_id}"))


@blueprint.get("/posts/<int:post_id>/history")
def show_history(post_id: int) -> Response:
    """The earlier texts of a post, each with what was changed after it."""
    topic, post = _read(post_id)
    with current().database.read() as connection:
        revisions = revision_store.list_revisions(connection, post_id)
        files = kept_files(connection, post_id)
    return page("post/history.html", topic=topic, post=post, edits=edits_of(post, files, revisions))


@blueprint.post("/posts/<int:post_id>/history/<int:number>/restore")
def restore_text(post_id: int, number: int) -> Response:
    """Give a post an earlier text again."""
    with current().database.transaction() as connection:
        restored = restore_revision(connection, post_id, number=number, editor_id=current_user_id(), now=now())
    notice("The earlier text is back with its files; what it replaced is in the history.")
    if restored.lost:
        notice(f"Erased since then, so not back: {', '.join(each.name for each in restored.lost)}.", kind="warning")
    return see_other(f"/posts/{post_id}")


@blueprint.get("/posts/<int:post_id>/delete")
def show_delete(post_id: int) -> Response:
    """Ask before a post goes into the trash."""
    topic, post = _read(post_id)
    (shown,) = ensure_html(database(), [post])
    return page("post/delete.html", topic=topic, post=shown)


@blueprint.post("/posts/<int:post_id>/delete")
def delete(post_id: int) -> Response:
    """Put a post into the trash; answers to it stay."""
    with current().database.transaction() as connection:
        post = delete_post(connection, post_id, now())
    notice(in_trash_words("The post"), undo=f"/trash/post/{post_id}/restore")
    return see_other(f"/topics/{post.topic_id}")


@blueprint.post("/posts/<int:post_id>/restore")
def restore(post_id: int) -> Response:
    """Take a post out of the trash."""
    with current().database.transaction() as connection:
        restore_post(connection, post_id)
    notice("The post is back in its place.")
    return see_other(f"/posts/{post_id}")


def _show_form(template: str, post_id: int) -> Response:
    topic, post = _read(post_id)
    quote = quote_post(post) if request.args.get("quote") else ""
    with current().database.read() as connection:
        options = read_options(connection, topic.subforum_id)
        desk = read_desk(connection, DraftPlace(DraftKind.REPLY, post_id), added=quote)
    if is_fragment_request():
        name_form(str(post_id))
        shown = post
    else:
        (shown,) = ensure_html(database(), [post])
    is_fragment = is_fragment_request()
    return page(template, block="form", topic=topic, post=shown, options=options, desk=desk, is_fragment=is_fragment)


def _read(post_id: int) -> tuple[Topic, Post]:
    with current().database.read() as connection:
        post = post_store.get_post(connection, post_id)
        topic = topic_store.get_topic(connection, post.topic_id)
    g.subforum_id = topic.subforum_id
    return topic, post
