"""A persona that a model writes, before a person makes it one."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Brief:
    """What is asked for: ``text`` is the person's own; the texts of a subforum are as they were when it was asked."""

    text: str
    wished_name: str = ""
    subforum_id: int | None = None
    subforum_name: str = ""
    subforum_text: str = ""

    @property
    def is_for_subforum(self) -> bool:
        """Whether experts for a subforum are asked for."""
        return bool(self.subforum_name)

    @property
    def words(self) -> str:
        """What it is about, in short."""
        if not self.is_for_subforum:
            return self.text
        return f"for {self.subforum_name}{': ' if self.text else ''}{self.text}"


@dataclass(frozen=True, slots=True)
class DraftText:
    """What was read from a model's answer."""

    name: str
    description: str
    instructions: str


@dataclass(frozen=True, slots=True)
class PersonaDraft:
    """One row of ``persona_drafts``. ``number`` of ``total``: of those that were asked for together.

    ``previous_id`` is the draft that this one is written instead of, ``remark`` what the person said about that one.
    ``llm_request_id`` is the step that is to be done, or was done last; ``answer`` is what the model wrote, word for
    word, and ``text`` what was read from it: both are empty until ``written_at``.
    """

    id: int
    owner_id: int
    group_id: str
    number: int
    total: int
    brief: Brief
    previous_id: int | None
    remark: str
    expansion_llm_request_id: int | None
    expansion: str
    llm_request_id: int | None
    answer: str
    text: DraftText
    model_name: str
    created_at: datetime
    written_at: datetime | None
    replaced_at: datetime | None
    dropped_at: datetime | None
    accepted_at: datetime | None
    persona_version_id: int | None

    @property
    def is_written(self) -> bool:
        return self.written_at is not None

    @property
    def is_accepted(self) -> bool:
        return self.accepted_at is not None

    @property
    def is_dropped(self) -> bool:
        return self.dropped_at is not None

    @property
    def is_replaced(self) -> bool:
        """Whether another one was asked for instead of it."""
        return self.replaced_at is not None

    @property
    def is_open(self) -> bool:
        """Whether somebody is still to decide about it."""
        return not (self.is_accepted or self.is_dropped or self.is_replaced)

    @property
    def label(self) -> str:
        """Its name, or what it is called until it has one."""
        return self.text.name or self.brief.wished_name or "A new persona"

    @property
    def note(self) -> str:
        """What the persona's first version says of where it comes from."""
        return f"Written by {self.model_name}. {self.text.description}".strip()
