"""Who can answer in the forum."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class PersonaVersion:
    """A persona as it was at one time; never changed. ``model_id`` None and absent parameters are inherited."""

    id: int
    persona_id: int
    #: 1, 2, 3 … within the persona.
    number: int
    name: str
    instructions: str
    model_id: int | None
    parameters: Mapping[str, Any]
    #: What was changed and why, as the person wrote it.
    note: str
    created_at: datetime
    created_by: int


@dataclass(frozen=True, slots=True)
class Persona:
    """Somebody a model can play. ``version`` is the current one."""

    id: int
    owner_id: int
    name: str
    is_builtin: bool
    created_at: datetime
    deleted_at: datetime | None
    version: PersonaVersion

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None


@dataclass(frozen=True, slots=True)
class PersonaContent:
    """What a person decides about a persona: the part that makes a version."""

    name: str
    instructions: str
    model_id: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Assignment:
    """A persona made available in a subforum."""

    subforum_id: int
    persona_id: int
    persona_name: str
    is_default: bool
    created_at: datetime


class ChoiceReason(StrEnum):
    """Why a persona answers."""

    #: A person asked for this one.
    ASKED = "asked"
    #: It is the default of the subforum.
    SUBFORUM_DEFAULT = "subforum_default"
    #: It is the default of the whole forum.
    GLOBAL_DEFAULT = "global_default"
    #: Nothing else was chosen.
    BUILTIN = "builtin"


@dataclass(frozen=True, slots=True)
class Choice:
    """The persona that will answer, in its current version, and why."""

    persona: Persona
    version: PersonaVersion
    reason: ChoiceReason
