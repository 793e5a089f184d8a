"""What a list of personas shows of each: its uses and how it has done lately, in a fixed number of statements."""

from collections.abc import Collection, Sequence
from datetime import datetime
from statistics import median
from typing import Any

from sqlalchemy import Connection, case, func, select

from forllm_server.db.types import metadata
from forllm_server.personas.model import Overview, Persona, Results, Use
from forllm_server.personas.tables import persona_assignments, persona_pictures, persona_versions
from forllm_server.personas.tag_store import list_tags_of

#: Of so many of its newest replies the median time is taken.
TIMED = 50


def list_overviews(connection: Connection, personas: Sequence[Persona], *, since: datetime) -> list[Overview]:
    """These personas with all that a list shows; results from ``since`` on."""
    ids = [persona.id for persona in personas]
    tags = list_tags_of(connection, ids)
    uses = list_uses(connection, ids)
    results = list_results(connection, ids, since=since)
    pictures = _pictures(connection, ids)
    return [
        Overview(
            persona=persona,
            tags=tags.get(persona.id, ()),
            uses=uses.get(persona.id, ()),
            results=results.get(persona.id, Results()),
            picture_digest=pictures.get(persona.id, ""),
        )
        for persona in personas
    ]


def list_uses(connection: Connection, persona_ids: Collection[int]) -> dict[int, tuple[Use, ...]]:
    """The subforums that these personas are assigned to, by name; those in the trash are left out."""
    subforums = metadata.tables["subforums"]
    own = persona_assignments.c
    query = (
        select(own.persona_id, own.subforum_id, own.is_default, subforums.c.name)
        .join(subforums, subforums.c.id == own.subforum_id)
        .where(own.persona_id.in_(persona_ids), subforums.c.deleted_at.is_(None))
        .order_by(subforums.c.name_key)
    )
    found: dict[int, list[Use]] = {}
    for row in connection.execute(query):
        found.setdefault(row.persona_id, []).append(Use(row.subforum_id, row.name, row.is_default))
    return {persona_id: tuple(uses) for persona_id, uses in found.items()}


def list_results(connection: Connection, persona_ids: Collection[int], *, since: datetime) -> dict[int, Results]:
    """How those of these personas that were asked since then have done."""
    counts = _counts(connection, persona_ids, since)
    medians = _medians(connection, persona_ids, since)
    votes = _votes(connection, persona_ids, since)
    return {
        persona_id: Results(*counts.get(persona_id, (0, 0)), medians.get(persona_id), *votes.get(persona_id, (0, 0)))
        for persona_id in {*counts, *votes}
    }


def _counts(connection: Connection, persona_ids: Collection[int], since: datetime) -> dict[int, tuple[int, int]]:
    requests = metadata.tables["llm_requests"].c
    query = (
        select(
            requests.persona_id,
            func.sum(case((requests.status == "succeeded", 1), else_=0)),
            func.sum(case((requests.status == "failed", 1), else_=0)),
        )
        .where(*_lately(requests, persona_ids, since))
        .group_by(requests.persona_id)
    )
    return {persona_id: (answered, failed) for persona_id, answered, failed in connection.execute(query)}


def _medians(connection: Connection, persona_ids: Collection[int], since: datetime) -> dict[int, float]:
    requests = metadata.tables["llm_requests"].c
    newest = func.row_number().over(partition_by=requests.persona_id, order_by=requests.finished_at.desc())
    timed = (
        select(requests.persona_id, requests.started_at, requests.finished_at, newest.label("place"))
        .where(*_lately(requests, persona_ids, since), requests.status == "succeeded", requests.started_at.is_not(None))
        .subquery()
    )
    found: dict[int, list[float]] = {}
    for row in connection.execute(select(timed).where(timed.c.place <= TIMED)):
        found.setdefault(row.persona_id, []).append((row.finished_at - row.started_at).total_seconds())
    return {persona_id: median(seconds) for persona_id, seconds in found.items()}


def _lately(requests: Any, persona_ids: Collection[int], since: datetime) -> tuple[Any, ...]:
    return requests.persona_id.in_(persona_ids), requests.kind == "reply", requests.finished_at >= since


def _votes(connection: Connection, persona_ids: Collection[int], since: datetime) -> dict[int, tuple[int, int]]:
    votes, posts = metadata.tables["post_votes"], metadata.tables["posts"]
    own = persona_versions.c
    query = (
        select(
            own.persona_id,
            func.sum(case((votes.c.value > 0, 1), else_=0)),
            func.sum(case((votes.c.value < 0, 1), else_=0)),
        )
        .select_from(votes)
        .join(posts, posts.c.id == votes.c.post_id)
        .join(persona_versions, own.id == posts.c.persona_version_id)
        .where(own.persona_id.in_(persona_ids), votes.c.voted_at >= since)
        .group_by(own.persona_id)
    )
    return {persona_id: (up, down) for persona_id, up, down in connection.execute(query)}


def _pictures(connection: Connection, persona_ids: Collection[int]) -> dict[int, str]:
    own = persona_pictures.c
    query = select(own.persona_id, own.digest).where(own.persona_id.in_(persona_ids))
    return {row.persona_id: row.digest for row in connection.execute(query)}
