"""Rows of ``summaries``, their versions, and the posts that these cover. Reads ``posts``, writes nothing there."""

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Integer, Row, Select, and_, bindparam, delete, func, insert, null, select, update

from forllm_server.db.types import metadata
from forllm_server.errors import NotFound
from forllm_server.summaries.covering import PostNow, change_of
from forllm_server.summaries.model import (
    Coverage,
    CoveredPost,
    NewVersion,
    Summary,
    SummaryAuthor,
    SummaryScope,
    SummaryVersion,
)
from forllm_server.summaries.tables import summaries, summary_posts, summary_versions

_s = summaries.c
_v = summary_versions.c
_p = summary_posts.c

#: More than a topic ever has.
_ALL = 2**31 - 1


def get_summary(connection: Connection, summary_id: int) -> Summary:
    """With its current version. Raises NotFound: also when it was removed, or its topic lies in the trash."""
    row = connection.execute(_select().where(_s.id == summary_id, _is_there())).one_or_none()
    if row is None:
        raise NotFound("There is no such summary. It may have been removed.")
    return _summary(row)


def get_summary_to_change(connection: Connection, summary_id: int) -> Summary:
    """Like :func:`get_summary`, and nobody else changes it before this transaction ends."""
    connection.execute(select(_s.id).where(_s.id == summary_id).with_for_update())
    # Read by a statement of its own: it sees what whoever held the row before has written.
    return get_summary(connection, summary_id)


def find_summary(connection: Connection, summary_id: int) -> Summary | None:
    """Also a removed one."""
    row = connection.execute(_select().where(_s.id == summary_id)).one_or_none()
    return _summary(row) if row else None


def list_summaries(
    connection: Connection, topic_id: int, *, with_removed: bool = False, limit: int | None = None
) -> list[Summary]:
    """A topic's, the newest first; those with a version and those that are only asked for."""
    wanted = {"topic": topic_id, "most": _ALL if limit is None else limit}
    return [_summary(row) for row in connection.execute(_of_topic(with_removed=with_removed), wanted)]


@cache
def _of_topic(*, with_removed: bool) -> Select[Any]:
    # Built once: it is asked with every page of every topic.
    query = _select().where(_s.topic_id == bindparam("topic"))
    if not with_removed:
        query = query.where(_s.removed_at.is_(None))
    return query.order_by(_s.id.desc()).limit(bindparam("most", type_=Integer))


def insert_summary(
    connection: Connection, *, owner_id: int, topic_id: int, scope: SummaryScope, anchor_post_id: int, now: datetime
) -> int:
    """A summary without a version; its id."""
    values = {
        "owner_id": owner_id,
        "topic_id": topic_id,
        "scope": scope.value,
        "anchor_post_id": anchor_post_id,
        "created_at": now,
    }
    return int(connection.execute(insert(summaries).values(values).returning(_s.id)).scalar_one())


def update_asked(connection: Connection, summary_id: int, llm_request_id: int) -> None:
    """Note what is to write the next version."""
    values = {"llm_request_id": llm_request_id, "progress": null()}
    connection.execute(update(summaries).where(_s.id == summary_id).values(values))


def update_progress(connection: Connection, summary_id: int, progress: Mapping[str, Any]) -> None:
    """Keep how far a run of several steps has come."""
    connection.execute(update(summaries).where(_s.id == summary_id).values(progress=dict(progress)))


def update_removed(connection: Connection, summary_id: int, removed_at: datetime | None) -> None:
    """Put a summary away, or take it back."""
    connection.execute(update(summaries).where(_s.id == summary_id).values(removed_at=removed_at))


def update_topics(connection: Connection, topic_id: int) -> None:
    """Posts of a topic were moved: its summaries go along with what they hang on."""
    posts = metadata.tables["posts"]
    where = select(posts.c.topic_id).where(posts.c.id == _s.anchor_post_id).scalar_subquery()
    connection.execute(update(summaries).where(_s.topic_id == topic_id).values(topic_id=where))


def delete_erased(connection: Connection) -> int:
    """Forget what was summed up of posts and topics that were erased for good; how many versions."""
    posts, topics = metadata.tables["posts"], metadata.tables["topics"]
    erased = select(_p.version_id).join(posts, posts.c.id == _p.post_id)
    erased = erased.where(_p.is_covered, posts.c.content == "", posts.c.deleted_at.is_not(None))
    connection.execute(delete(summary_posts).where(_p.version_id.in_(erased.subquery().select())))
    # A version always covers posts: one without any has just lost them.
    uncovered = select(_p.version_id).where(_p.version_id == _v.id).exists()
    gone = connection.execute(delete(summary_versions).where(~uncovered)).rowcount
    if gone:
        newest = select(func.coalesce(func.max(_v.number), 0)).where(_v.summary_id == _s.id).scalar_subquery()
        connection.execute(update(summaries).values(current_number=newest))
        dead = select(topics.c.id).where(topics.c.title == "")
        connection.execute(delete(summaries).where(_s.current_number == 0, _s.topic_id.in_(dead)))
    return gone


def insert_version(connection: Connection, summary_id: int, new: NewVersion, now: datetime) -> SummaryVersion:
    """Add a version, which becomes the current one."""
    number = connection.execute(
        select(func.coalesce(func.max(_v.number), 0) + 1).where(_v.summary_id == summary_id)
    ).scalar_one()
    values = {
        "summary_id": summary_id,
        "number": number,
        "content": new.content,
        "author": new.author.value,
        "owner_id": new.owner_id,
        "anchor_post_id": new.anchor_post_id,
        "llm_request_id": new.llm_request_id,
        "persona_version_id": new.persona_version_id,
        "persona_name": new.persona_name,
        "model_name": new.model_name,
        "note": new.note,
        "created_at": now,
    }
    version_id = int(connection.execute(insert(summary_versions).values(values).returning(_v.id)).scalar_one())
    rows = [
        {
            "version_id": version_id,
            "position": position,
            "post_id": post.post_id,
            "post_version": post.post_version,
            "parent_id": post.parent_id,
            "is_covered": post.is_covered,
        }
        for position, post in enumerate(new.covered)
    ]
    connection.execute(insert(summary_posts), rows)
    current = {"current_number": number, "anchor_post_id": new.anchor_post_id, "progress": null()}
    connection.execute(update(summaries).where(_s.id == summary_id).values(current))
    return get_version(connection, summary_id, number)


def get_version(connection: Connection, summary_id: int, number: int) -> SummaryVersion:
    """Raises NotFound."""
    query = select(summary_versions).where(_v.summary_id == summary_id, _v.number == number)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("This summary has no such version.")
    return _version(dict(row._mapping))


def list_versions(connection: Connection, summary_id: int) -> list[SummaryVersion]:
    """The newest first."""
    query = select(summary_versions).where(_v.summary_id == summary_id).order_by(_v.number.desc())
    return [_version(dict(row._mapping)) for row in connection.execute(query)]


def list_ways(connection: Connection, topic_id: int) -> list[SummaryVersion]:
    """All versions of a topic's summaries of ways, the newest of each first."""
    query = (
        select(summary_versions)
        .join(summaries, _s.id == _v.summary_id)
        .where(_s.topic_id == topic_id, _s.scope == SummaryScope.WAY.value, _s.removed_at.is_(None))
        .order_by(_v.summary_id, _v.number.desc())
    )
    return [_version(dict(row._mapping)) for row in connection.execute(query)]


def list_coverage(connection: Connection, version_ids: Collection[int]) -> dict[int, Coverage]:
    """What versions cover, and what has happened to it since; by version."""
    if not version_ids:
        return {}
    posts = metadata.tables["posts"]
    query = (
        select(
            *(_p.version_id, _p.post_id, _p.post_version, _p.is_covered, _p.parent_id, _s.scope, _s.topic_id),
            *(posts.c.version, posts.c.deleted_at, posts.c.is_excluded),
            posts.c.parent_id.label("parent_now"),
            posts.c.topic_id.label("topic_now"),
        )
        .join(posts, posts.c.id == _p.post_id)
        .join(summary_versions, _v.id == _p.version_id)
        .join(summaries, _s.id == _v.summary_id)
        .where(_p.version_id.in_(version_ids))
        .order_by(_p.version_id, _p.position)
    )
    found: dict[int, list[CoveredPost]] = {version_id: [] for version_id in version_ids}
    for row in connection.execute(query):
        covered = CoveredPost(row.post_id, row.post_version, row.is_covered, row.parent_id)
        now = PostNow(row.version, row.deleted_at is not None, row.is_excluded, row.parent_now, row.topic_now)
        change = change_of(covered, now, scope=SummaryScope(row.scope), topic_id=row.topic_id)
        found[row.version_id].append(CoveredPost(row.post_id, row.post_version, row.is_covered, row.parent_id, change))
    return {version_id: Coverage(tuple(covered)) for version_id, covered in found.items()}


def _select() -> Select[Any]:
    current = and_(_v.summary_id == _s.id, _v.number == _s.current_number)
    named = [column.label(f"version_{column.name}") for column in _v]
    return select(*_s, *named).outerjoin_from(summaries, summary_versions, current)


def _is_there() -> Any:
    topics, subforums = metadata.tables["topics"], metadata.tables["subforums"]
    there = (
        select(topics.c.id)
        .join(subforums, subforums.c.id == topics.c.subforum_id)
        .where(topics.c.id == _s.topic_id, topics.c.deleted_at.is_(None), subforums.c.deleted_at.is_(None))
    )
    return and_(_s.removed_at.is_(None), there.exists())


def _summary(row: Row[Any]) -> Summary:
    values = dict(row._mapping)
    own = {column.name: values[column.name] for column in _s}
    own["scope"] = SummaryScope(own["scope"])
    version = {column.name: values[f"version_{column.name}"] for column in _v}
    return Summary(**own, version=_version(version) if version["id"] is not None else None)


def _version(values: Mapping[str, Any]) -> SummaryVersion:
    return SummaryVersion(**({**values} | {"author": SummaryAuthor(values["author"])}))
