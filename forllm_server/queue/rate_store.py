"""What is learned of models: how fast they work here, and how long their answers are."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, text

from forllm_server.db.types import Id, UtcDateTime
from forllm_server.queue.estimate import Answered, Habit, Rates, habit_of, learn
from forllm_server.queue.tables import llm_requests, model_rates

#: From how many of the last answers a habit is taken.
LAST_ANSWERS = 50

_c = model_rates.c
_r = llm_requests.c
# Built once: they run for every answer, and building a statement costs more than running it.
_FIND = select(_c.prompt_tokens_per_second, _c.generation_tokens_per_second, _c.load_seconds, _c.samples).where(
    _c.model_id == bindparam("id_", type_=Id)
)
_REPLACE = text(
    "INSERT INTO model_rates (model_id, prompt_tokens_per_second, generation_tokens_per_second, load_seconds, "
    "samples, updated_at) VALUES (:model_id, :reading, :writing, :loading, :samples, :now) "
    "ON CONFLICT (model_id) DO UPDATE SET prompt_tokens_per_second = excluded.prompt_tokens_per_second, "
    "generation_tokens_per_second = excluded.generation_tokens_per_second, load_seconds = excluded.load_seconds, "
    "samples = excluded.samples, updated_at = excluded.updated_at"
).bindparams(bindparam("now", type_=UtcDateTime()))
_ANSWERS = (
    select(_r.usage, _r.output_tokens)
    .where(text("status = 'succeeded'"), _r.model_id == bindparam("model_id", type_=Id))
    .limit(LAST_ANSWERS)
)
_ANSWERS_OF_PERSONA = _ANSWERS.where(_r.persona_id == bindparam("persona_id", type_=Id)).order_by(_r.id.desc())
_ANSWERS_OF_MODEL = _ANSWERS.order_by(_r.persona_id.desc(), _r.id.desc())


def find_rates(connection: Connection, model_id: int) -> Rates | None:
    row = connection.execute(_FIND, {"id_": model_id}).first()
    return Rates(*row) if row else None


def list_rates(connection: Connection) -> dict[int, Rates]:
    """The rates of all models that were measured, by model."""
    rows = connection.execute(
        select(
            _c.model_id,
            _c.prompt_tokens_per_second,
            _c.generation_tokens_per_second,
            _c.load_seconds,
            _c.samples,
        )
    )
    return {row.model_id: Rates(*row[1:]) for row in rows}


def replace_rates(connection: Connection, model_id: int, usage: Mapping[str, Any], now: datetime) -> None:
    """Learn from one more answer of a model; see :func:`forllm_server.queue.estimate.learn`."""
    known = find_rates(connection, model_id)
    learned = learn(known, usage)
    if learned is None or learned is known:
        return
    connection.execute(
        _REPLACE,
        {
            "model_id": model_id,
            "reading": learned.prompt_tokens_per_second,
            "writing": learned.generation_tokens_per_second,
            "loading": learned.load_seconds,
            "samples": learned.samples,
            "now": now,
        },
    )


def find_habit(connection: Connection, *, model_id: int, persona_id: int | None) -> Habit | None:
    """What the last answers of the persona on the model were like; if it has none, those of others on the model."""
    rows = connection.execute(_ANSWERS_OF_PERSONA, {"model_id": model_id, "persona_id": persona_id}).all()
    rows = rows or connection.execute(_ANSWERS_OF_MODEL, {"model_id": model_id}).all()
    return habit_of([_answered(row.usage or {}, row.output_tokens) for row in rows])


def list_habits(
    connection: Connection, pairs: Iterable[tuple[int, int | None]]
) -> dict[tuple[int, int | None], Habit | None]:
    """The habits of pairs of model and persona; one bounded query a pair."""
    return {
        (model_id, persona_id): find_habit(connection, model_id=model_id, persona_id=persona_id)
        for model_id, persona_id in set(pairs)
    }


def _answered(usage: Mapping[str, Any], output_tokens: int) -> Answered:
    return Answered(usage.get("prompt_tokens"), usage.get("cached_tokens"), output_tokens)
