"""What stands beside the thread in a prompt: summaries that may stand for a part of it, and other branches."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from forllm_server.forum import post_store
from forllm_server.forum.branches import choose_other_branches
from forllm_server.forum.model import Ancestry
from forllm_server.forum.threading import reply_path
from forllm_server.prompts.ambient import NOTHING, Ambient
from forllm_server.prompts.thread import ALWAYS_WHOLE, StandIn, ThreadPost
from forllm_server.settings.values import Settings
from forllm_server.summaries import summary_store

#: Posts of other branches are looked for among so many of a topic's newest.
_NEWEST = 400


def find_stand_ins(
    connection: Connection, ancestry: Ancestry, parameters: Mapping[str, Any], *, is_for_reply: bool = False
) -> tuple[StandIn, ...]:
    """The summaries of this way that still hold: of each the newest version, and those that reach furthest first."""
    shown = ancestry.posts if is_for_reply else ancestry.posts[:-1]
    if parameters.get("takes_summaries") is False or len(shown) <= ALWAYS_WHOLE:
        return ()
    depths = {post.id: post.depth for post in shown}
    versions = [
        version
        for version in summary_store.list_ways(connection, ancestry.posts[-1].topic_id)
        if version.anchor_post_id in depths
    ]
    coverage = summary_store.list_coverage(connection, [version.id for version in versions])
    found: dict[int, StandIn] = {}
    for version in versions:
        covered = coverage[version.id]
        if version.summary_id in found or covered.is_stale or not covered.post_ids:
            continue
        unread = sum(post.post_id not in depths for post in covered.posts)
        found[version.summary_id] = StandIn(
            version.summary_id, version.number, version.content, covered.post_ids, unread
        )
    anchors = {(version.summary_id, version.number): depths[version.anchor_post_id] for version in versions}
    return tuple(sorted(found.values(), key=lambda each: -anchors[each.summary_id, each.version_number]))


def find_ambient(
    connection: Connection,
    ancestry: Ancestry,
    parameters: Mapping[str, Any],
    settings: Settings,
    *,
    is_for_reply: bool = False,
) -> Ambient:
    """What was said in other branches, as persona and settings want it. Answers to the post asked about are none."""
    wish = parameters.get("ambient") or settings.ambient
    if wish == "off":
        return NOTHING
    asked = ancestry.posts[-1]
    way = asked.path
    if is_for_reply:
        way = reply_path(way, parent_id=asked.id, sibling=asked.child_count + 1)
    chosen = choose_other_branches(
        way,
        post_store.list_newest_places(connection, asked.topic_id, limit=_NEWEST),
        most=settings.ambient_posts,
        most_per_branch=settings.ambient_posts_per_branch,
        is_nearest_first=wish == "nearest",
    )
    posts = {post.id: post for post in post_store.list_posts(connection, chosen)}
    return Ambient(
        tuple(ThreadPost(post_id, posts[post_id].author_name, None, posts[post_id].content) for post_id in chosen),
        settings.ambient_percent,
    )
