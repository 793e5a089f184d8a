"""Rendering posts once and keeping the result."""

from collections.abc import Sequence
from dataclasses import replace

from forllm_server import log
from forllm_server.db import Database
from forllm_server.errors import Unavailable
from forllm_server.forum import post_store
from forllm_server.forum.model import Post
from forllm_server.markup.render import RENDER_VERSION, render


def ensure_html(database: Database, posts: Sequence[Post]) -> list[Post]:
    """The same posts, each with its ``content_html``; deleted ones stay without.

    What has never been rendered, or by an earlier version of the renderer, is rendered here with no transaction
    open and kept for the next reader. A database that cannot be written costs the next reader, not this one.
    """
    rendered = {post.id: _rendered(post) for post in posts if _needs_html(post)}
    if rendered:
        _keep(database, list(rendered.values()))
    return [rendered.get(post.id, post) for post in posts]


def _needs_html(post: Post) -> bool:
    return not post.is_deleted and (post.content_html is None or post.render_version != RENDER_VERSION)


def _rendered(post: Post) -> Post:
    html = render(post.content, anchor_prefix=f"post-{post.id}").html
    return replace(post, content_html=html, render_version=RENDER_VERSION)


def _keep(database: Database, posts: Sequence[Post]) -> None:
    try:
        with database.transaction() as connection:
            for post in posts:
                post_store.update_html(connection, post, post.content_html or "", post.render_version)
    except Unavailable as error:
        log.event("rendering.postponed", level=log.WARNING, posts=len(posts), reason=error.message)
