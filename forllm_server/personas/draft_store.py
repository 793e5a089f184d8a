"""Rows of ``persona_drafts``: personas that a model writes, and where those that were accepted came from."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from forllm_server.errors import NotFound
from forllm_server.personas.draft_model import Brief, DraftText, PersonaDraft
from forllm_server.personas.tables import persona_drafts, persona_versions

_c = persona_drafts.c
_IS_OPEN = (_c.accepted_at.is_(None), _c.dropped_at.is_(None), _c.replaced_at.is_(None))


def get_draft(connection: Connection, draft_id: int) -> PersonaDraft:
    """The draft, dropped or not; raises NotFound."""
    return _existing(connection.execute(select(persona_drafts).where(_c.id == draft_id)).one_or_none())


def get_draft_to_change(connection: Connection, draft_id: int) -> PersonaDraft:
    """Like :func:`get_draft`, and nobody else changes it before this transaction ends."""
    query = select(persona_drafts).where(_c.id == draft_id).with_for_update()
    return _existing(connection.execute(query).one_or_none())


def list_open_drafts(connection: Connection, *, limit: int, before_id: int | None = None) -> list[PersonaDraft]:
    """A page of those that nobody has decided about, newest first."""
    query = select(persona_drafts).where(*_IS_OPEN).order_by(_c.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(_c.id < before_id)
    return [_draft(row) for row in connection.execute(query)]


def list_drafts_of_group(connection: Connection, group_id: str) -> list[PersonaDraft]:
    """Those that were asked for together, with what was written instead of them; oldest first."""
    query = select(persona_drafts).where(_c.group_id == group_id).order_by(_c.id)
    return [_draft(row) for row in connection.execute(query)]


def count_open_drafts(connection: Connection) -> int:
    """How many nobody has decided about."""
    count: int = connection.execute(select(func.count()).select_from(persona_drafts).where(*_IS_OPEN)).scalar_one()
    return count


def list_open_names(connection: Connection, *, leaving_out: int) -> list[str]:
    """The names of the written drafts that may still become personas, of all but one draft."""
    query = select(_c.name).where(*_IS_OPEN, _c.name != "", _c.id != leaving_out)
    return list(connection.execute(query).scalars())


def list_origins(connection: Connection, persona_id: int) -> dict[int, PersonaDraft]:
    """The drafts that versions of a persona were made of, by the id of the version."""
    query = select(persona_drafts).join(persona_versions, persona_versions.c.id == _c.persona_version_id)
    rows = connection.execute(query.where(persona_versions.c.persona_id == persona_id))
    drafts = [_draft(row) for row in rows]
    return {draft.persona_version_id or 0: draft for draft in drafts}


def list_accepted_persona_ids(connection: Connection, drafts: Collection[PersonaDraft]) -> dict[int, int]:
    """The personas that were made of these drafts, by the id of the draft."""
    query = select(_c.id, persona_versions.c.persona_id).join(
        persona_versions, persona_versions.c.id == _c.persona_version_id
    )
    rows = connection.execute(query.where(_c.id.in_([draft.id for draft in drafts])))
    return {row.id: row.persona_id for row in rows}


def insert_draft(
    connection: Connection,
    *,
    owner_id: int,
    group_id: str,
    number: int,
    total: int,
    brief: Brief,
    previous_id: int | None = None,
    remark: str = "",
    expansion: str = "",
    now: datetime,
) -> PersonaDraft:
    statement = insert(persona_drafts).values(
        owner_id=owner_id,
        group_id=group_id,
        number=number,
        total=total,
        brief=brief.text,
        wished_name=brief.wished_name,
        subforum_id=brief.subforum_id,
        subforum_name=brief.subforum_name,
        subforum_text=brief.subforum_text,
        previous_id=previous_id,
        remark=remark,
        expansion=expansion,
        created_at=now,
    )
    return _draft(connection.execute(statement.returning(persona_drafts)).one())


def update_draft(connection: Connection, draft_id: int, **values: Any) -> None:
    """Change columns."""
    connection.execute(update(persona_drafts).where(_c.id == draft_id).values(**values))


def delete_dropped_drafts(connection: Connection, *, until: datetime) -> int:
    """Erase those that were dropped until then; returns how many."""
    return connection.execute(delete(persona_drafts).where(_c.dropped_at <= until)).rowcount


def _existing(row: Row[Any] | None) -> PersonaDraft:
    if row is None:
        raise NotFound("There is no such draft of a persona. It may have been erased.")
    return _draft(row)


def _draft(row: Row[Any]) -> PersonaDraft:
    return PersonaDraft(
        id=row.id,
        owner_id=row.owner_id,
        group_id=row.group_id,
        number=row.number,
        total=row.total,
        brief=Brief(row.brief, row.wished_name, row.subforum_id, row.subforum_name, row.subforum_text),
        previous_id=row.previous_id,
        remark=row.remark,
        expansion_llm_request_id=row.expansion_llm_request_id,
        expansion=row.expansion,
        llm_request_id=row.llm_request_id,
        answer=row.answer,
        text=DraftText(row.name, row.description, row.instructions),
        model_name=row.model_name,
        created_at=row.created_at,
        written_at=row.written_at,
        replaced_at=row.replaced_at,
        dropped_at=row.dropped_at,
        accepted_at=row.accepted_at,
        persona_version_id=row.persona_version_id,
    )
