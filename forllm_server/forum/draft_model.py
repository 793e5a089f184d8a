"""What a draft is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

#: The field of a form that names the files it has.
ATTACHMENTS_FIELD = "attachment_ids"


class DraftKind(StrEnum):
    """What a draft would become."""

    #: A new topic; the target is its subforum.
    TOPIC = "topic"
    #: A reply; the target is the post that it replies to.
    REPLY = "reply"
    #: Another text of a post; the target is that post.
    EDIT = "edit"


@dataclass(frozen=True, slots=True)
class DraftPlace:
    """Where a draft would be sent."""

    kind: DraftKind
    target_id: int


@dataclass(frozen=True, slots=True)
class DraftText:
    """What was typed. ``fields``: the other choices of the form by name; ``post_version``: what an edit began with."""

    content: str
    title: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    post_version: int | None = None

    @property
    def is_blank(self) -> bool:
        return not (self.content.strip() or self.title.strip() or self.fields.get(ATTACHMENTS_FIELD))


@dataclass(frozen=True, slots=True)
class Draft:
    """A text begun and not sent. ``writer`` is the open form that saved it last."""

    id: int
    place: DraftPlace
    text: DraftText
    writer: str
    version: int
    #: Which FORLLM wrote ``fields``; those of another format are left aside, the text is not.
    format: int
    created_at: datetime
    updated_at: datetime
    discarded_at: datetime | None = None
    #: The topic's title, or the subforum's name; empty when the place is gone.
    place_name: str = ""
    #: Whether it can still be sent there.
    is_place_there: bool = True
