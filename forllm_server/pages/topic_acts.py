"""What is done with a topic as a whole: pinning, locking, moving, merging; and splitting a branch off."""

import re

from flask import Blueprint, Response, g, request

from forllm_server.activity.carrying import carry_note, carry_posts, carry_topic, read_before
from forllm_server.clock import now
from forllm_server.errors import Invalid, TopicMoved
from forllm_server.forum import post_store, topic_store
from forllm_server.forum.arranging import lock_topic, merge_topic, move_topic, pin_topic, split_post
from forllm_server.forum.model import Topic, TopicKin
from forllm_server.forum.rearranging import rejoin_topic, unmerge_topic
from forllm_server.pages import topic
from forllm_server.pages.words import counted
from forllm_server.summaries.summary_store import update_topics
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form, shows_again
from forllm_server.web.fragments import notice, page, see_other
from forllm_server.web.snapshot import page_read

blueprint = Blueprint("topic_acts", __name__)

#: How many topics are offered to merge into; any other is named by its address.
OFFERED = 50
_POST = re.compile(r"(?:/posts/|#post-|^\s*#)(\d{1,18})\b")
_ID = re.compile(r"[0-9]{1,18}")
_BIGGEST_ID = 2**63 - 1
_TOPIC = re.compile(r"/topics/(\d{1,18})\b")


@blueprint.post("/topics/<int:topic_id>/pin")
@shows_again(topic.show_edit)
def pin(topic_id: int) -> Response:
    """Let a topic stand first in its subforum, or no longer."""
    is_pinned = Form.of_request().flag("is_pinned")
    with current().database.transaction() as connection:
        pin_topic(connection, topic_id, is_pinned=is_pinned)
    notice("It stands first in its subforum now." if is_pinned else "It stands in its place again.")
    return see_other(f"/topics/{topic_id}")


@blueprint.post("/topics/<int:topic_id>/lock")
def lock(topic_id: int) -> Response:
    """Let a topic take no more posts and questions, or take them again."""
    is_locked = Form.of_request().flag("is_locked")
    with current().database.transaction() as connection:
        lock_topic(connection, topic_id, is_locked=is_locked)
    notice("Locked. What was asked before is still answered." if is_locked else "It takes posts and questions again.")
    return see_other(f"/topics/{topic_id}")


@blueprint.post("/topics/<int:topic_id>/move")
@shows_again(topic.show_edit)
def move(topic_id: int) -> Response:
    """Put a topic into another subforum."""
    subforum_id = Form.of_request().integer("subforum_id", least=1, most=2**63 - 1) or 0
    with current().database.transaction() as connection:
        before = read_before(connection, current_user_id(), topic_id)
        earlier = topic_store.get_topic(connection, topic_id)
        moved = move_topic(connection, topic_id, subforum_id=subforum_id)
        carry_topic(connection, current_user_id(), before)
    undo = f"/topics/{topic_id}/return?to={earlier.subforum_id}{'&pinned=1' if earlier.is_pinned else ''}"
    if moved.subforum_id != earlier.subforum_id:
        notice(f"It is in “{moved.subforum_name}” now. Every link to it leads there.", undo=undo)
    return see_other(f"/topics/{topic_id}")


@blueprint.post("/topics/<int:topic_id>/return")
def take_back_move(topic_id: int) -> Response:
    """Put a topic back where it was before it was moved."""
    asked = Form(request.args.to_dict(flat=False))
    with current().database.transaction() as connection:
        before = read_before(connection, current_user_id(), topic_id)
        subforum_id = asked.integer("to", least=1, most=_BIGGEST_ID) or 0
        moved = move_topic(connection, topic_id, subforum_id=subforum_id)
        carry_topic(connection, current_user_id(), before)
        if asked.flag("pinned") and topic_store.count_pinned(connection, subforum_id) < topic_store.MOST_PINNED:
            pin_topic(connection, topic_id, is_pinned=True)
    notice(f"It is back in “{moved.subforum_name}”.")
    return see_other(f"/topics/{topic_id}")


@blueprint.get("/topics/<int:topic_id>/merge")
def show_merge(topic_id: int) -> Response:
    """The form that hangs a topic below a post of another one."""
    with current().database.read() as connection:
        merged = topic_store.get_topic(connection, topic_id)
        offered = topic_store.list_topics(connection, merged.subforum_id, limit=OFFERED)
    g.subforum_id = merged.subforum_id
    return page("topic/merge.html", topic=merged, offered=[one for one in offered if one.id != topic_id])


@blueprint.post("/topics/<int:topic_id>/merge")
@shows_again(show_merge)
def merge(topic_id: int) -> Response:
    """Hang a topic below the post, or the topic's first post, that was named."""
    target = Form.of_request().text("target", longest=2_000)
    with current().database.transaction() as connection:
        was_pinned = topic_store.get_topic(connection, topic_id).is_pinned
        before = read_before(connection, current_user_id(), topic_id)
        post, topic_of_post = _POST.search(target), _TOPIC.search(target)
        if post is not None:
            into_post_id = int(post[1])
        elif topic_of_post is not None:
            into_post_id = post_store.get_root(connection, int(topic_of_post[1])).id
        else:
            raise Invalid("Paste the address of a topic, or of a post in it: /topics/12, /posts/34.", field="target")
        moved = merge_topic(connection, topic_id, into_post_id=into_post_id, now=now())
        to_topic_id = moved.first.topic_id
        carry_posts(connection, current_user_id(), before, to_topic_id=to_topic_id, post_ids=moved.post_ids)
        update_topics(connection, before.topic_id)
        carry_note(connection, current_user_id(), before, to_topic_id=to_topic_id, now=now())
    undo = f"/topics/{topic_id}/unmerge?tags={','.join(map(str, moved.tag_ids))}{'&pinned=1' if was_pinned else ''}"
    words = f"{counted(len(moved.post_ids), 'post is', 'posts are')} here now, and the old address leads here, too."
    notice(words, undo=undo)
    return see_other(f"/posts/{moved.first.id}")


@blueprint.post("/topics/<int:topic_id>/unmerge")
def take_back_merge(topic_id: int) -> Response:
    """Make a merged topic one again, with all that was replied in it since. A note stays where it was added."""
    asked = Form(request.args.to_dict(flat=False))
    tag_ids = [int(word) for word in asked.text("tags", longest=1_000).split(",") if _ID.fullmatch(word)]
    with current().database.transaction() as connection:
        first = post_store.get_post(connection, topic_store.get_first_of_merged(connection, topic_id))
        before = read_before(connection, current_user_id(), first.topic_id)
        moved = unmerge_topic(connection, topic_id, tag_ids=tag_ids, is_pinned=asked.flag("pinned"))
        carry_posts(connection, current_user_id(), before, to_topic_id=topic_id, post_ids=moved.post_ids)
        update_topics(connection, before.topic_id)
    notice("It is a topic of its own again.")
    return see_other(f"/topics/{topic_id}")


@blueprint.get("/posts/<int:post_id>/split")
def show_split(post_id: int) -> Response:
    """The form that makes a branch a topic of its own."""
    with current().database.read() as connection:
        post = post_store.get_post(connection, post_id)
        whole = topic_store.get_topic(connection, post.topic_id)
    g.subforum_id = whole.subforum_id
    return page("topic/split.html", topic=whole, post=post)


@blueprint.post("/posts/<int:post_id>/split")
@shows_again(show_split)
def split(post_id: int) -> Response:
    """Make a post and what hangs on it a topic of its own."""
    title = Form.of_request().text("title")
    with current().database.transaction() as connection:
        before = read_before(connection, current_user_id(), post_store.get_post(connection, post_id).topic_id)
        moved = split_post(connection, post_id, title=title)
        to_topic_id = moved.first.topic_id
        carry_posts(connection, current_user_id(), before, to_topic_id=to_topic_id, post_ids=moved.post_ids)
        update_topics(connection, before.topic_id)
    words = f"{counted(len(moved.post_ids), 'post is', 'posts are')} a topic of their own now."
    notice(words, undo=f"/topics/{to_topic_id}/rejoin?sibling={moved.sibling}")
    return see_other(f"/topics/{to_topic_id}")


@blueprint.post("/topics/<int:topic_id>/rejoin")
def take_back_split(topic_id: int) -> Response:
    """Hang a branch that was split off where it hung before."""
    sibling = Form(request.args.to_dict(flat=False)).integer("sibling", least=1)
    with current().database.transaction() as connection:
        before = read_before(connection, current_user_id(), topic_id)
        moved = rejoin_topic(connection, topic_id, sibling=sibling, now=now())
        to_topic_id = moved.first.topic_id
        carry_posts(connection, current_user_id(), before, to_topic_id=to_topic_id, post_ids=moved.post_ids)
        carry_note(connection, current_user_id(), before, to_topic_id=to_topic_id, now=now())
        update_topics(connection, before.topic_id)
    notice("It hangs where it hung before.")
    return see_other(f"/posts/{moved.first.id}")


@blueprint.app_template_global()
def kin_of(shown: Topic) -> list[TopicKin]:
    """What a topic was split off from, what was split off from it, and what was merged into it."""
    with page_read() as connection:
        return topic_store.list_kin(connection, shown.id)


def follow(error: TopicMoved) -> Response:
    """The address of a topic that was merged into another one leads to its first post; a poll just hears of it."""
    if request.endpoint == "topic.show_updates":
        title = "Merged into another topic"
        return page("errors/show.html", block="problem", status=404, title=title, detail=error.message, http_status=404)
    address = f"/posts/{error.facts['post_id']}"
    return Response(status=301, headers={"Location": address}) if request.method == "GET" else see_other(address)


for followed in (blueprint, topic.blueprint):
    followed.register_error_handler(TopicMoved, follow)
