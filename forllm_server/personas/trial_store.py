"""Rows of ``persona_trials``: what drafts of personas answered when they were tried."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from forllm_server.personas.tables import persona_trials

_c = persona_trials.c


@dataclass(frozen=True)
class Trial:
    """The answer to a trial."""

    llm_request_id: int
    text: str
    thinking: str
    created_at: datetime


def find_trial(connection: Connection, llm_request_id: int) -> Trial | None:
    row = connection.execute(select(persona_trials).where(_c.llm_request_id == llm_request_id)).one_or_none()
    return Trial(**row._mapping) if row else None


def insert_trial(connection: Connection, trial: Trial) -> None:
    connection.execute(
        insert(persona_trials).values(
            llm_request_id=trial.llm_request_id, text=trial.text, thinking=trial.thinking, created_at=trial.created_at
        )
    )
