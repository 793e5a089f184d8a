"""Atom feeds of everything, a subforum, a topic or a persona, under an address that only its owner knows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from flask import Blueprint, Response, request
from markupsafe import Markup
from sqlalchemy import Connection

from forllm_server.clock import now
from forllm_server.errors import NotFound, Unavailable
from forllm_server.forum import post_store, subforum_store, topic_store
from forllm_server.forum.rendering import ensure_html
from forllm_server.morning import feed_store
from forllm_server.morning.feed_store import FeedPost
from forllm_server.notify.atom import CONTENT_TYPE, Entry, Feed, tag, to_xml
from forllm_server.notify.feed_tokens import find_owner_of, find_token, forum_mark
from forllm_server.pages.database import database
from forllm_server.personas.persona_store import get_persona
from forllm_server.web.current import current, current_user_id
from forllm_server.web.etag import unchanged, with_version
from forllm_server.web.snapshot import page_read

blueprint = Blueprint("feed", __name__)

ENTRIES = 50
#: pages that have a feed of their own, by their address
_OWN = re.compile(r"/(subforums|topics|personas)/(\d{1,18})")


@dataclass(frozen=True)
class _Part:
    """A part of the forum with its newest posts."""

    title: str
    path: str
    posts: Sequence[FeedPost]


@blueprint.get("/feeds/<token>/all.atom")
def show_all(token: str) -> Response:
    """The newest posts of the forum."""
    with current().database.read() as connection:
        _check(connection, token)
        posts = feed_store.list_newest(connection, limit=ENTRIES)
    return _answer(_Part("FORLLM", "/", posts))


@blueprint.get("/feeds/<token>/subforums/<int:subforum_id>.atom")
def show_subforum(token: str, subforum_id: int) -> Response:
    """The newest posts of a subforum."""
    with current().database.read() as connection:
        _check(connection, token)
        subforum = subforum_store.get_subforum(connection, subforum_id)
        posts = feed_store.list_newest_of_subforum(connection, subforum_id, limit=ENTRIES)
    return _answer(_Part(subforum.name, f"/subforums/{subforum_id}", posts))


@blueprint.get("/feeds/<token>/topics/<int:topic_id>.atom")
def show_topic(token: str, topic_id: int) -> Response:
    """The newest posts of a topic."""
    with current().database.read() as connection:
        _check(connection, token)
        topic = topic_store.get_topic(connection, topic_id)
        posts = feed_store.list_newest_of_topic(connection, topic_id, limit=ENTRIES)
    return _answer(_Part(topic.title, f"/topics/{topic_id}", posts))


@blueprint.get("/feeds/<token>/personas/<int:persona_id>.atom")
def show_persona(token: str, persona_id: int) -> Response:
    """The newest posts of a persona."""
    with current().database.read() as connection:
        _check(connection, token)
        persona = get_persona(connection, persona_id)
        posts = feed_store.list_newest_of_persona(connection, persona_id, limit=ENTRIES)
    return _answer(_Part(persona.name, f"/personas/{persona_id}", posts))


@blueprint.app_template_global()
def feed_link() -> Markup:
    """What the head of a page says of its feed, for its owner's eyes; nothing while the feeds are switched off."""
    own = _OWN.fullmatch(request.path)
    if own is None and request.path not in ("/", "/morning"):
        return Markup()
    try:
        with page_read() as connection:
            token = find_token(connection, current_user_id(), current().secret_key)
    except Unavailable:
        token = None
    if token is None:
        return Markup()
    part = f"{own[1]}/{own[2]}" if own else "all"
    link = Markup('<link rel="alternate" type="application/atom+xml" title="{}" href="/feeds/{}/{}.atom">')
    return link.format("What is new here" if own else "Everything new", token, part)


def _check(connection: Connection, token: str) -> None:
    """Raises NotFound for a token that is nobody's, in the words of any address that leads nowhere."""
    if find_owner_of(connection, token, current().secret_key) is None:
        raise NotFound()


def _answer(part: _Part) -> Response:
    """304 when nothing of it is different, without reading a single text."""
    version = _version(part)
    known = unchanged(version)
    if known is not None:
        return known
    response = Response(to_xml(_feed(part)), content_type=CONTENT_TYPE)
    response.headers["Cache-Control"] = "private, no-cache"
    return with_version(response, version)


def _version(part: _Part) -> str:
    parts = (part, request.host_url)
    return blake2b(repr(parts).encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()


def _feed(part: _Part) -> Feed:
    mark, base = forum_mark(current().secret_key), request.host_url.rstrip("/")
    about = {each.post_id: each for each in part.posts}
    with current().database.read() as connection:
        found = post_store.list_posts(connection, list(about)) if about else []
    entries = [
        Entry(
            id=tag(mark, "post", post.id),
            title=f"{post.author_name}: {about[post.id].topic_title}",
            url=f"{base}/posts/{post.id}",
            author=post.author_name,
            published_at=post.created_at,
            updated_at=about[post.id].updated_at,
            html=post.content_html or "",
            category=about[post.id].subforum_name,
        )
        for post in sorted(ensure_html(database(), found), key=lambda post: -post.id)
    ]
    return Feed(
        id=tag(mark, *filter(None, part.path.split("/"))) if part.path != "/" else tag(mark, "all"),
        title=part.title,
        own_url=request.base_url,
        page_url=f"{base}{part.path}",
        updated_at=now().replace(hour=0, minute=0, second=0, microsecond=0),
        entries=entries,
    )
