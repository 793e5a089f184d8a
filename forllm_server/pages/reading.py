"""Reading a topic: what was seen, where to go on, watching and muting, the view, votes, and all about one post."""

from flask import Blueprint, Response

from forllm_server.activity import bookmark_store, keeping, quote_store, seeing, seen_store, vote_store
from forllm_server.activity.model import Attention, View, Votes
from forllm_server.clock import now
from forllm_server.errors import Invalid
from forllm_server.forum import post_store, topic_store
from forllm_server.forum.editing import exclude_post
from forllm_server.pages.details import details_of
from forllm_server.personas.version_store import list_versions_by_ids
from forllm_server.queue.llm_request_store import find_llm_request
from forllm_server.settings.values import read_settings
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form
from forllm_server.web.fragments import notice, page, see_other

blueprint = Blueprint("reading", __name__)


@blueprint.post("/posts/<int:post_id>/exclusion")
def exclude(post_id: int) -> Response:
    """Keep a post from models, or show it to them again."""
    is_excluded = Form.of_request().flag("is_excluded")
    with current().database.transaction() as connection:
        exclude_post(connection, post_id, is_excluded=is_excluded)
    if is_excluded:
        notice("Models do not see this post from now on, unless they are asked about it itself.")
    else:
        notice("Models see this post again.")
    return see_other(f"/posts/{post_id}")


@blueprint.post("/topics/<int:topic_id>/seen")
def see(topic_id: int) -> Response:
    """Mark posts as seen: those named in ``post_ids`` (numbers with commas between them), or without it all.

    The page's script sends what came into sight and needs no answer; the button of a page without scripts sends all
    that the page shows, and is led back.
    """
    form = Form.of_request()
    with current().database.transaction() as connection:
        if form.has("post_ids"):
            seeing.see_posts(connection, current_user_id(), topic_id, _ids(form.text("post_ids", longest=20_000)))
        else:
            seeing.see_topic(connection, current_user_id(), topic_id)
    if form.flag("is_quiet"):
        return Response(status=204)
    return see_other(f"/topics/{topic_id}")


@blueprint.get("/topics/<int:topic_id>/unread")
def show_unread(topic_id: int) -> Response:
    """Lead to the first post that was not seen, in the order in which the topic is read."""
    with current().database.read() as connection:
        topic_store.get_topic(connection, topic_id)
        reading = seen_store.get_topic_reading(connection, current_user_id(), topic_id)
        view = reading.view or View(read_settings(connection).thread_view)
        found = seen_store.find_first_unread(
            connection, current_user_id(), topic_id, reading.until_post_id, is_flat=view is View.FLAT
        )
    if found is None:
        notice("You have seen everything here.")
        return see_other(f"/topics/{topic_id}")
    return see_other(f"/posts/{found.id}")


@blueprint.post("/topics/<int:topic_id>/attention")
def attend(topic_id: int) -> Response:
    """Watch a topic, mute it, or neither."""
    wanted = Form.of_request().text("attention")
    if wanted not in ("", *Attention):
        raise Invalid("Watch a topic, mute it, or neither.", field="attention")
    with current().database.transaction() as connection:
        seeing.attend(connection, current_user_id(), topic_id, Attention(wanted) if wanted else None)
    return see_other(f"/topics/{topic_id}")


@blueprint.post("/topics/<int:topic_id>/view")
def choose_view(topic_id: int) -> Response:
    """Read a topic as a tree or flat, now and from now on."""
    view = View(Form.of_request().choice("view", [*View]))
    with current().database.transaction() as connection:
        seeing.choose_view(connection, current_user_id(), topic_id, view)
    return see_other(f"/topics/{topic_id}")


@blueprint.post("/posts/<int:post_id>/up")
def vote_up(post_id: int) -> Response:
    """Vote for a post; a second time takes it back."""
    return _vote(post_id, 1)


@blueprint.post("/posts/<int:post_id>/down")
def vote_down(post_id: int) -> Response:
    """Vote against a post; a second time takes it back."""
    return _vote(post_id, -1)


@blueprint.get("/posts/<int:post_id>/details")
def show_details(post_id: int) -> Response:
    """All about a post that its line leaves out, and all that can be done with it."""
    with current().database.read() as connection:
        post = post_store.get_post(connection, post_id)
        topic = topic_store.get_topic(connection, post.topic_id)
        llm_request = find_llm_request(connection, post.llm_request_id) if post.llm_request_id else None
        versions = list_versions_by_ids(connection, {post.persona_version_id} if post.persona_version_id else set())
        bookmark = bookmark_store.find_bookmark_of_post(connection, current_user_id(), post_id)
        quoting = quote_store.list_quoting(connection, [post_id]).get(post_id, ())
    return page(
        "reading/details.html",
        block="details",
        post=post,
        topic=topic,
        bookmark=bookmark,
        quoting=quoting,
        details=details_of(post, llm_request, versions[0] if versions else None),
        note_max_chars=keeping.NOTE_MAX_CHARS,
    )


def _vote(post_id: int, value: int) -> Response:
    with current().database.transaction() as connection:
        post = post_store.get_post(connection, post_id)
        before = vote_store.list_votes(connection, current_user_id(), [post_id]).get(post_id, Votes())
        keeping.vote(connection, current_user_id(), post.id, 0 if before.own == value else value, now())
    return see_other(f"/posts/{post_id}")


def _ids(text: str) -> list[int]:
    words = [word for word in text.split(",") if word]
    if len(words) > seeing.MOST_AT_ONCE or not all(word.isascii() and word.isdigit() for word in words):
        raise Invalid(f"Name at most {seeing.MOST_AT_ONCE} posts, as numbers with commas between.", field="post_ids")
    return [int(word) for word in words if len(word) < 19]
