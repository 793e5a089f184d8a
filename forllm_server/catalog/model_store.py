"""Rows of ``models``."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, case, insert, select, update

from forllm_server.catalog.model import BackendKind, ContextSource, KnownModel, ListedModel, Model
from forllm_server.catalog.tables import backends, models
from forllm_server.errors import NotFound

#: How much one new measurement moves the learned ratio: the last ten or so answers decide.
_RATIO_WEIGHT = 0.2


def get_model(connection: Connection, model_id: int) -> Model:
    """The model, available or not; raises NotFound."""
    model = find_model(connection, model_id)
    if model is None:
        raise NotFound("There is no such model.")
    return model


def find_model(connection: Connection, model_id: int) -> Model | None:
    row = connection.execute(_BY_ID, {"id_": model_id}).one_or_none()
    return None if row is None else _model(row)


# Built once: every question asks for it, and putting the statement together takes longer than executing it.
_BY_ID = select(models).where(models.c.id == bindparam("id_"))


def list_models_of(connection: Connection, backend_id: int) -> list[Model]:
    """Every model this backend was ever seen to have, by name."""
    rows = connection.execute(select(models).where(models.c.backend_id == backend_id).order_by(models.c.name))
    return [_model(row) for row in rows]


def list_models(connection: Connection, *, is_available: bool | None = None) -> list[ListedModel]:
    """The models of all backends that are not deleted, by backend then name, in one query.

    ``is_available=True`` keeps the ones that may be asked: seen by the last probe, on an enabled backend.
    """
    query = _listed().where(backends.c.deleted_at.is_(None))
    if is_available is True:
        query = query.where(models.c.is_available.is_(True), backends.c.is_enabled.is_(True))
    elif is_available is False:
        query = query.where(models.c.is_available.is_(False) | backends.c.is_enabled.is_(False))
    return [_listed_model(row) for row in connection.execute(query)]


def list_models_ever(connection: Connection) -> list[ListedModel]:
    """Every model that was ever there, also of backends that were deleted, by backend and name."""
    return [_listed_model(row) for row in connection.execute(_listed())]


def list_known_models(connection: Connection) -> list[KnownModel]:
    """What every model that was ever seen is called, those of deleted backends too; the one seen last comes last."""
    rows = connection.execute(
        select(
            models.c.name,
            models.c.label,
            models.c.backend_id,
            backends.c.name,
            (models.c.is_available & backends.c.deleted_at.is_(None)),
        )
        .join(backends, backends.c.id == models.c.backend_id)
        .order_by(models.c.last_seen_at, models.c.id)
    )
    return [KnownModel(*row) for row in rows]


def find_first_available(connection: Connection, *, is_embedded: bool) -> Model | None:
    """The available model of the oldest enabled backend that is (or is not) the embedded one."""
    is_that_kind = (
        (backends.c.kind == BackendKind.EMBEDDED) if is_embedded else (backends.c.kind != BackendKind.EMBEDDED)
    )
    row = connection.execute(
        select(models)
        .join(backends, backends.c.id == models.c.backend_id)
        .where(models.c.is_available.is_(True), backends.c.is_enabled.is_(True), backends.c.deleted_at.is_(None))
        .where(is_that_kind)
        .order_by(backends.c.id, models.c.name)
        .limit(1)
    ).one_or_none()
    return None if row is None else _model(row)


def insert_model(connection: Connection, values: dict[str, Any]) -> Model:
    return _model(connection.execute(insert(models).values(**values).returning(models)).one())


def update_model(connection: Connection, model_id: int, values: dict[str, Any]) -> Model:
    """Change columns of a model; raises NotFound."""
    row = connection.execute(
        update(models).where(models.c.id == model_id).values(**values).returning(models)
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such model.")
    return _model(row)


def update_all_unavailable(connection: Connection, backend_id: int, *, except_names: Collection[str] = ()) -> int:
    """Mark the backend's models as gone, all but those named; how many that were."""
    result = connection.execute(
        update(models)
        .where(models.c.backend_id == backend_id, models.c.is_available.is_(True))
        .where(models.c.name.not_in(list(except_names)))
        .values(is_available=False)
    )
    return result.rowcount


def update_characters_per_token(connection: Connection, model_id: int, ratio: float) -> None:
    """Learn from one counted prompt: an exponentially weighted mean of characters per token.

    ``ratio`` is the characters sent divided by the tokens that the server counted. Values outside 0.2-20 are
    a server's mistake (a cached prompt counted as nothing) and are not learned.
    """
    if not 0.2 <= ratio <= 20:
        return
    learned = models.c.characters_per_token
    blended = learned * (1 - _RATIO_WEIGHT) + ratio * _RATIO_WEIGHT
    connection.execute(
        update(models)
        .where(models.c.id == model_id)
        .values(characters_per_token=case((learned.is_(None), ratio), else_=blended))
    )


def _listed() -> Select[Any]:
    return (
        select(
            models,
            backends.c.name.label("backend_name"),
            backends.c.kind.label("backend_kind"),
            backends.c.is_enabled.label("is_backend_enabled"),
        )
        .join(backends, backends.c.id == models.c.backend_id)
        .order_by(backends.c.id, models.c.name)
    )


def _listed_model(row: Row[Any]) -> ListedModel:
    values = dict(row._mapping)
    backend_name = values.pop("backend_name")
    backend_kind = BackendKind(values.pop("backend_kind"))
    is_backend_enabled = values.pop("is_backend_enabled")
    return ListedModel(_from_mapping(values), backend_name, backend_kind, is_backend_enabled)


def _model(row: Row[Any]) -> Model:
    return _from_mapping(dict(row._mapping))


def _from_mapping(values: dict[str, Any]) -> Model:
    values["context_source"] = ContextSource(values["context_source"])
    values["details"] = values["details"] or {}
    return Model(**values)
