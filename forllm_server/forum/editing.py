"""Writing, changing, deleting and restoring posts.

Every rule writes posts before their topic and both before LLM requests, so that two transactions on PostgreSQL never
wait for each other; who posts a reply and asks for an answer to it cannot do it in another order.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from forllm_server.errors import Conflict, NotAllowed, NotFound, TopicLocked
from forllm_server.forum import post_store, revision_store, topic_store, trash_store
from forllm_server.forum.attaching import change_files, kept_files
from forllm_server.forum.attachment_model import FileChange
from forllm_server.forum.model import Answer, AuthorKind, Post
from forllm_server.forum.pending import cancel_for_post
from forllm_server.forum.threading import reply_path
from forllm_server.hooks.telling import tell_hooks
from forllm_server.markup.names import MAX_TEXT_BYTES, clean_text


def clean_content(content: str) -> str:
    """A post's text as it is stored; raises Invalid when it is blank or longer than 256 KiB."""
    return clean_text(content, field="content", max_chars=MAX_TEXT_BYTES)


def add_reply(
    connection: Connection, *, owner_id: int, parent_id: int, content: str, now: datetime, topic_id: int | None = None
) -> Post:
    """A person's reply to a post. With ``topic_id`` the parent must belong to that topic.

    Raises NotFound (no such parent), Conflict (the parent was deleted, or the topic is locked) or Invalid.
    """
    values = {"owner_id": owner_id, "author_kind": AuthorKind.PERSON.value, "content": clean_content(content)}
    return post_store.get_post(connection, _add(connection, parent_id, values, now, topic_id))


def add_answer(connection: Connection, answer: Answer, now: datetime) -> Post:
    """A persona's reply to a post, as :func:`answer_post` makes it."""
    return post_store.get_post(connection, answer_post(connection, answer, now))


def answer_post(connection: Connection, answer: Answer, now: datetime) -> int:
    """A persona's reply to a post, at most once for one LLM request; the new post's id.

    A text beyond 256 KiB is cut there and told by ``finish_reason`` "length". Raises NotFound (no such parent),
    Conflict (the parent was deleted, or the request was answered already) or Invalid (nothing was said).
    """
    text = _fitting(answer.content)
    values = {
        "owner_id": answer.owner_id,
        "author_kind": AuthorKind.PERSONA.value,
        "content": clean_content(text),
        "llm_request_id": answer.llm_request_id,
        "persona_version_id": answer.persona_version_id,
        "persona_name": answer.persona_name,
        "model_name": answer.model_name,
        "parameters": dict(answer.parameters),
        "thinking": clean_content(_fitting(answer.thinking)) if answer.thinking and answer.thinking.strip() else None,
        "finish_reason": answer.finish_reason if text == answer.content else "length",
        "usage": None if answer.usage is None else dict(answer.usage),
        "is_partial": answer.is_partial,
        "question_version": answer.question_version,
    }
    return _add(connection, answer.parent_id, values, now, topic_id=None)


def edit_post(
    connection: Connection,
    post_id: int,
    *,
    editor_id: int,
    content: str | None,
    now: datetime,
    expected_version: int | None = None,
    files: FileChange | None = None,
) -> Post:
    """Give a post another text, other files, or both; what it was before is kept as a revision.

    ``content`` None leaves the text. The same text with the same files changes nothing. ``expected_version`` is the
    version that the editor began with. Raises NotFound, Invalid or Conflict (changed by somebody else meanwhile, or
    deleted); for files also what :func:`forllm_server.forum.attaching.attach_files` raises.
    """
    new_text = None if content is None else clean_content(content)
    post = post_store.get_post_to_change(connection, post_id)
    if post.is_deleted:
        raise Conflict("This post was deleted. Restore it before you edit it.")
    text = post.content if new_text is None else new_text
    kept = kept_files(connection, post_id)
    if files is not None:
        change_files(connection, post_id, files, owner_id=editor_id, now=now)
    if text == post.content and (files is None or kept_files(connection, post_id) == kept):
        return post
    if expected_version is not None and expected_version != post.version:
        raise Conflict(
            "This post was changed while you edited it, so your text is not saved yet. Compare both, then save again.",
            field="content",
        )
    number = post.revision_count + 1
    revision_store.insert_revision(
        connection,
        post_id=post_id,
        number=number,
        content=post.content,
        editor_id=editor_id,
        written_at=post.edited_at or post.created_at,
        replaced_at=now,
        attachments=kept,
    )
    post_store.update_post(connection, post_id, content=text, edited_at=now, revision_count=number)
    topic_store.update_topic(connection, post.topic_id)
    tell_hooks(connection, "post.edited", {"topic_id": post.topic_id, "post_id": post_id}, now)
    return post_store.get_post(connection, post_id)


def delete_post(connection: Connection, post_id: int, now: datetime) -> Post:
    """Put a post into the trash; it keeps its place in the thread, its text is withheld.

    LLM requests that wait to answer it are cancelled. Raises NotFound, or NotAllowed for the first post of a topic.
    """
    post = post_store.get_post_to_change(connection, post_id)
    if post.is_root:
        raise NotAllowed("The first post of a topic cannot be deleted alone. Delete the topic instead.")
    if not post.is_deleted:
        post_store.update_post(connection, post_id, deleted_at=now)
        topic_store.update_for_deleted_post(connection, post.topic_id, post.created_at, is_answer=post.is_by_persona)
        cancel_for_post(connection, post_id, now)
        tell_hooks(connection, "post.deleted", {"topic_id": post.topic_id, "post_id": post_id}, now)
    return post_store.get_post(connection, post_id)


def exclude_post(connection: Connection, post_id: int, *, is_excluded: bool) -> Post:
    """Keep a post from models, or show it to them again: prompts leave it out, except when it is itself asked about.

    What is running already has its prompt. Raises NotFound, or Conflict (deleted).
    """
    post = post_store.get_post_to_change(connection, post_id)
    if post.is_deleted:
        raise Conflict("This post is in the trash. Restore it first.")
    if post.is_excluded != is_excluded:
        post_store.update_excluded(connection, post_id, is_excluded=is_excluded)
        topic_store.update_topic(connection, post.topic_id)
    return post_store.get_post(connection, post_id)


def restore_post(connection: Connection, post_id: int) -> Post:
    """Take a post out of the trash. Raises NotFound when there is none or its text was erased."""
    post = post_store.get_post_to_change(connection, post_id)
    if post.is_deleted:
        if trash_store.is_post_erased(connection, post_id):
            raise NotFound("The text of this post was erased from the trash; it cannot be restored.")
        post_store.update_post(connection, post_id, deleted_at=None)
        topic_store.update_for_new_post(connection, post.topic_id, post.created_at, is_answer=post.is_by_persona)
    return post_store.get_post(connection, post_id)


def _add(connection: Connection, parent_id: int, values: dict[str, Any], now: datetime, topic_id: int | None) -> int:
    place = post_store.update_for_new_reply(connection, parent_id)
    if topic_id is not None and place.topic_id != topic_id:
        raise NotFound("The post to reply to is not in this topic.", field="parent_id")
    if place.is_topic_locked and values["author_kind"] == AuthorKind.PERSON.value:
        raise TopicLocked()
    if place.is_parent_deleted:
        raise Conflict("The post to reply to was deleted. Restore it, or reply to another one.", field="parent_id")
    placed = {
        "topic_id": place.topic_id,
        "parent_id": parent_id,
        "path": reply_path(place.parent_path, parent_id=parent_id, sibling=place.sibling),
        "depth": place.parent_depth + 1,
        "created_at": now,
    }
    post_id = post_store.insert_post(connection, values | placed)
    is_answer = values["author_kind"] == AuthorKind.PERSONA.value
    topic_store.update_for_new_post(connection, place.topic_id, now, is_answer=is_answer)
    facts = {"topic_id": place.topic_id, "post_id": post_id, "parent_id": parent_id}
    answered_post_id = parent_id if is_answer else None
    tell_hooks(connection, "reply.posted", facts, now, new_post_id=post_id, answered_post_id=answered_post_id)
    return post_id


def _fitting(text: str) -> str:
    """The beginning of a model's text that a post can hold: losing its end is better than losing all of it."""
    encoded = text.encode("utf-8", "replace")
    return text if len(encoded) <= MAX_TEXT_BYTES else encoded[:MAX_TEXT_BYTES].decode("utf-8", "ignore")
