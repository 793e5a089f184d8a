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
    #: The models to ask when the one before them is not there, in order.
    fallback_model_ids: tuple[int, ...] = ()

    @property
    def content(self) -> "PersonaContent":
        """What a person decided of it."""
        return PersonaContent(self.name, self.instructions, self.model_id, self.parameters, self.fallback_model_ids)


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
    #: What an imported character card held besides.
    card: Mapping[str, Any] | None = None

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
    fallback_model_ids: tuple[int, ...] = ()


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


@dataclass(frozen=True, slots=True)
class Use:
    """A subforum that a persona is assigned to."""

    subforum_id: int
    subforum_name: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class Results:
    """How a persona has done lately. ``median_seconds``: from a reply's start to its end; None without replies."""

    answered: int = 0
    failed: int = 0
    median_seconds: float | None = None
    votes_up: int = 0
    votes_down: int = 0


@dataclass(frozen=True, slots=True)
class Overview:
    """A persona as a list shows it."""

    persona: Persona
    tags: tuple[str, ...]
    uses: tuple[Use, ...]
    results: Results
    #: names its uploaded picture; empty: it has its drawn mark
    picture_digest: str = ""
