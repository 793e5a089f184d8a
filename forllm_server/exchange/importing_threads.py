"""Subforums, topics and posts of an original FORLLM."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from forllm_server.db import Database
from forllm_server.errors import NameTaken
from forllm_server.exchange.fitting import fitted_name, fitted_texts, numbered_name
from forllm_server.exchange.importing_answers import Answered, add_imported_answer
from forllm_server.exchange.ledger import Ledger
from forllm_server.exchange.original_model import OriginalForum, OriginalPost, OriginalSubforum, OriginalTopic
from forllm_server.forum import subforum_store
from forllm_server.forum.editing import add_reply
from forllm_server.forum.subforums import DESCRIPTION_MAX_CHARS, NAME_MAX_CHARS, add_subforum
from forllm_server.forum.topics import TITLE_MAX_CHARS, open_topic
from forllm_server.markup.names import name_key

#: Posts in one transaction: others may write in between.
_BATCH = 200


@dataclass(frozen=True)
class PlacedPost:
    """A post and the one that it hangs below here: its parent, or the first post when the original lost that."""

    post: OriginalPost
    parent_id: int | None


def import_subforums(connection: Connection, forum: OriginalForum, ledger: Ledger) -> None:
    """Add the subforums; one whose name is here already takes the original's topics in."""
    here = {name_key(one.name): one.id for one in subforum_store.list_subforums(connection)}
    for subforum in forum.subforums:
        if ledger.is_known("subforum", subforum.id):
            continue
        with ledger.item(connection, "subforum"):
            name = fitted_name(subforum.name, max_chars=NAME_MAX_CHARS, otherwise=f"Subforum {subforum.id}")
            local_id = here.get(name_key(name))
            if local_id is not None:
                ledger.note(f"The subforum “{name}” is here already: its topics were added there.")
            ledger.add(
                connection,
                "subforum",
                subforum.id,
                local_id or _add_subforum(connection, subforum, name, ledger),
                is_new=local_id is None,
            )


def _add_subforum(connection: Connection, subforum: OriginalSubforum, name: str, ledger: Ledger) -> int:
    description = subforum.description.strip()[:DESCRIPTION_MAX_CHARS]
    for number in range(1, 100):
        wanted = name if number == 1 else numbered_name(name, number, max_chars=NAME_MAX_CHARS)
        try:
            added = add_subforum(
                connection, owner_id=ledger.owner_id, name=wanted, description=description, now=ledger.now
            )
        except NameTaken:
            continue
        return added.id
    raise NameTaken(field="name")


def import_topics(database: Database, forum: OriginalForum, ledger: Ledger, answered: Answered) -> None:
    """Add the topics with their posts, oldest first; posts that came since the last import are added to theirs."""
    posts: dict[int, list[OriginalPost]] = defaultdict(list)
    for post in forum.posts:
        posts[post.topic_id].append(post)
    for topic in forum.topics:
        placed = list(placed_posts(posts[topic.id]))
        if not placed:
            ledger.left_out["topic: it has no posts."] += not ledger.find("topic", topic.id)
            continue
        with database.transaction() as connection:
            root_id = _import_root(connection, topic, placed[0].post, ledger)
        if root_id is not None:
            _import_replies(database, placed, root_id, ledger, answered)


def placed_posts(posts: Iterable[OriginalPost]) -> Iterator[PlacedPost]:
    """The posts of one topic, parents before children and siblings oldest first; the first is the topic's own.

    A parent that is missing, in another topic or among its own descendants is replaced by the first post.
    """
    by_age = sorted(posts, key=lambda post: (post.created_at is None, post.created_at or 0, post.id))
    if not by_age:
        return
    ids = {post.id for post in by_age}
    root = next((post for post in by_age if post.parent_id is None), by_age[0])
    children: dict[int, list[OriginalPost]] = defaultdict(list)
    for post in by_age:
        if post is not root:
            children[post.parent_id if post.parent_id in ids and post.parent_id else root.id].append(post)
    seen: set[int] = set()
    # what hangs in a ring is reached by no walk from the root, so every post is a start in the end
    for start in (root, *by_age):
        if start.id in seen:
            continue
        seen.add(start.id)
        yield PlacedPost(start, None if start is root else root.id)
        waiting = deque([start])
        while waiting:
            parent = waiting.popleft()
            for child in children[parent.id]:
                if child.id not in seen:
                    seen.add(child.id)
                    waiting.append(child)
                    yield PlacedPost(child, parent.id)


def _import_root(connection: Connection, topic: OriginalTopic, root: OriginalPost, ledger: Ledger) -> int | None:
    """The id here of the topic's first post, or None when the topic cannot be taken."""
    subforum_id = ledger.find("subforum", topic.subforum_id)
    if ledger.is_known("topic", topic.id):
        return ledger.find("root", topic.id)
    if subforum_id is None:
        ledger.left_out["topic: its subforum is missing."] += 1
        return None
    with ledger.item(connection, "topic"):
        first, *more = fitted_texts(text_of(root))
        opened, post = open_topic(
            connection,
            owner_id=ledger.owner_id,
            subforum_id=subforum_id,
            title=fitted_name(topic.title, max_chars=TITLE_MAX_CHARS, otherwise="(no title)"),
            content=first,
            now=root.created_at or topic.created_at or ledger.now,
        )
        _add_rest(connection, post.id, more, root, ledger)
        ledger.add(connection, "topic", topic.id, opened.id)
        ledger.add(connection, "root", topic.id, post.id, is_new=False)
        ledger.add(connection, "post", root.id, post.id)
    return ledger.find("root", topic.id)


def _import_replies(
    database: Database, placed: list[PlacedPost], root_id: int, ledger: Ledger, answered: Answered
) -> None:
    unseen = [one for one in placed if not ledger.is_known("post", one.post.id)]
    new = [one for one in unseen if ledger.find("post", one.post.id) is None]
    for start in range(0, len(new), _BATCH):
        with database.transaction() as connection:
            for one in new[start : start + _BATCH]:
                with ledger.item(connection, "post"):
                    parent_id = ledger.find("post", one.parent_id) or root_id
                    ledger.add(connection, "post", one.post.id, _add_post(connection, one, parent_id, ledger, answered))


def _add_post(connection: Connection, placed: PlacedPost, parent_id: int, ledger: Ledger, answered: Answered) -> int:
    post = placed.post
    first, *more = fitted_texts(text_of(post))
    if post.is_by_model:
        post_id = add_imported_answer(connection, post, first, parent_id, ledger, answered)
    else:
        now = post.created_at or ledger.now
        post_id = add_reply(connection, owner_id=ledger.owner_id, parent_id=parent_id, content=first, now=now).id
    _add_rest(connection, post_id, more, post, ledger)
    return post_id


def _add_rest(connection: Connection, post_id: int, pieces: list[str], post: OriginalPost, ledger: Ledger) -> None:
    """What does not fit into one post goes on in replies to it."""
    for piece in pieces:
        now = post.created_at or ledger.now
        post_id = add_reply(connection, owner_id=ledger.owner_id, parent_id=post_id, content=piece, now=now).id


def text_of(post: OriginalPost) -> str:
    """The post's text, with the names of the files that were attached to it."""
    if not post.attachment_names:
        return post.content
    names = "\n".join(f"- `{name.replace('`', '')}`" for name in post.attachment_names)
    return f"{post.content.rstrip()}\n\nAttached in the original:\n\n{names}"
