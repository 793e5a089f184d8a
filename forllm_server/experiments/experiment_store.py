"""Rows of ``experiments``."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from forllm_server.errors import NotFound
from forllm_server.experiments.model import Experiment, NewExperiment, State
from forllm_server.experiments.tables import experiment_pairs, experiments

_c = experiments.c


def insert_experiment(connection: Connection, new: NewExperiment, pair_count: int, now: datetime) -> Experiment:
    """Add an experiment; nothing of it is asked yet."""
    values = {
        "owner_id": new.owner_id,
        "name": new.name,
        "source": new.source,
        "persona_version_id": new.persona_version_id,
        "persona_words": new.persona_words,
        "model_id": new.model_id,
        "model_words": new.model_words,
        "state": State.DRAFT.value,
        "pair_count": pair_count,
        "left_out": dict(new.left_out),
        "created_at": now,
    }
    experiment_id = connection.execute(insert(experiments).values(values).returning(_c.id)).scalar_one()
    return get_experiment(connection, experiment_id)


def get_experiment(connection: Connection, experiment_id: int) -> Experiment:
    """The experiment, or NotFound."""
    return _existing(connection.execute(select(experiments).where(_c.id == experiment_id)).one_or_none())


def get_experiment_to_change(connection: Connection, experiment_id: int) -> Experiment:
    """Like :func:`get_experiment`, and nobody else changes it before this transaction ends."""
    query = select(experiments).where(_c.id == experiment_id).with_for_update()
    return _existing(connection.execute(query).one_or_none())


def list_experiments(connection: Connection, *, before_id: int | None = None, limit: int) -> list[Experiment]:
    """Newest first, by keyset."""
    query = select(experiments).order_by(_c.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(_c.id < before_id)
    return [_experiment(row) for row in connection.execute(query)]


def list_unfinished_ids(connection: Connection) -> list[int]:
    """The experiments of which something is still to be asked or awaited, the oldest first."""
    query = select(_c.id).where(_c.finished_at.is_(None), _c.state == State.OPEN.value)
    return list(connection.execute(query.order_by(_c.id)).scalars())


def list_finished(connection: Connection, *, since: datetime, until: datetime, limit: int) -> list[Experiment]:
    """Those that came to their end between two moments, the last one first; not those that were cancelled."""
    query = select(experiments).where(_c.finished_at >= since, _c.finished_at < until, _c.state == State.OPEN.value)
    return [_experiment(row) for row in connection.execute(query.order_by(_c.finished_at.desc()).limit(limit))]


def update_experiment(connection: Connection, experiment_id: int, **values: Any) -> None:
    connection.execute(update(experiments).where(_c.id == experiment_id).values(values))


def delete_experiment(connection: Connection, experiment_id: int) -> None:
    """Forget an experiment with its pairs, new answers and votes; NotFound when there is none."""
    connection.execute(delete(experiment_pairs).where(experiment_pairs.c.experiment_id == experiment_id))
    if not connection.execute(delete(experiments).where(_c.id == experiment_id)).rowcount:
        raise NotFound(_GONE)


_GONE = "There is no such experiment. It may have been deleted."


def _existing(row: Row[Any] | None) -> Experiment:
    if row is None:
        raise NotFound(_GONE)
    return _experiment(row)


def _experiment(row: Row[Any]) -> Experiment:
    return Experiment(**{**row._mapping, "state": State(row.state)})
