"""Keeping what is typed and not yet sent, from however many forms, tabs and devices at once.

A form writes over a draft only when it wrote it last itself, or knows its latest version. Otherwise its text becomes
a draft of its own beside it: two tabs that write at the same place never cost a word.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from forllm_server.errors import Conflict, Invalid, NotFound
from forllm_server.forum import draft_store
from forllm_server.forum.draft_model import Draft, DraftPlace, DraftText

#: Grows when the meaning of ``fields`` changes.
FORMAT = 1
#: More than a post may have, in characters: who has written too much wants to shorten it, not to lose it.
LONGEST_CONTENT = 1_000_000
LONGEST_TITLE = 10_000
#: The most drafts that one person keeps.
MOST_DRAFTS = 1_000
#: How long a discarded draft can be taken back.
DISCARDED_DAYS = 30

_WRITER = re.compile(r"[0-9a-f]{8,32}")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Saved:
    """A draft that was saved. ``is_beside``: another form had written on, so that this text became one of its own."""

    draft: Draft
    is_beside: bool


def save_draft(
    connection: Connection,
    place: DraftPlace,
    text: DraftText,
    *,
    owner_id: int,
    writer: str,
    now: datetime,
    draft_id: int | None = None,
    known_version: int | None = None,
) -> Saved | None:
    """Keep a text; None when it is blank: then the form's own draft is discarded.

    Raises NotFound (no such place), Invalid (too long) or Conflict (too many drafts).
    """
    clean = _clean(text)
    writer = clean_writer(writer)
    if draft_id is None and writer:
        own = draft_store.find_draft_of_writer(connection, place, writer, owner_id=owner_id)
        draft_id = own.id if own else None
    if clean.is_blank:
        if draft_id is not None:
            finish_draft(connection, draft_id, owner_id=owner_id, writer=writer, known_version=known_version)
        return None
    if draft_id is not None:
        is_written = draft_store.update_draft(
            connection,
            draft_id,
            clean,
            owner_id=owner_id,
            writer=writer,
            known_version=known_version,
            format=FORMAT,
            now=now,
        )
        if is_written:
            return Saved(draft_store.get_draft(connection, draft_id, owner_id=owner_id), is_beside=False)
    _refuse_what_cannot_be_kept(connection, place, owner_id)
    draft_store.delete_discarded_drafts(connection, until=now - timedelta(days=DISCARDED_DAYS))
    new_id = draft_store.insert_draft(
        connection, place, clean, owner_id=owner_id, writer=writer, format=FORMAT, now=now
    )
    return Saved(draft_store.get_draft(connection, new_id, owner_id=owner_id), is_beside=draft_id is not None)


def change_draft(
    connection: Connection,
    draft_id: int,
    changes: Mapping[str, Any],
    *,
    owner_id: int,
    known_version: int | None,
    now: datetime,
) -> Draft:
    """Change the title, content or fields of a draft. Raises NotFound, Invalid or Conflict (another version)."""
    draft = get_kept_draft(connection, draft_id, owner_id=owner_id)
    clean = _clean(replace(draft.text, **changes))
    version = draft.version if known_version is None else known_version
    is_written = draft_store.update_draft(
        connection, draft_id, clean, owner_id=owner_id, writer="", known_version=version, format=FORMAT, now=now
    )
    if not is_written:
        raise Conflict(f"The draft was written on meanwhile; its version is {draft.version}.", field="version")
    return draft_store.get_draft(connection, draft_id, owner_id=owner_id)


def get_kept_draft(connection: Connection, draft_id: int, *, owner_id: int) -> Draft:
    """The draft; raises NotFound when there is none or it was discarded."""
    draft = draft_store.get_draft(connection, draft_id, owner_id=owner_id)
    if draft.discarded_at is not None:
        raise NotFound("This draft was discarded.")
    return draft


def discard_draft(connection: Connection, draft_id: int, *, owner_id: int, now: datetime) -> None:
    """Put a draft aside for good, unless it is taken back within DISCARDED_DAYS. Raises NotFound."""
    get_kept_draft(connection, draft_id, owner_id=owner_id)
    draft_store.update_discarded(connection, draft_id, owner_id=owner_id, discarded_at=now)


def restore_draft(connection: Connection, draft_id: int, *, owner_id: int) -> Draft:
    """Take a discarded draft back. Raises NotFound."""
    draft_store.update_discarded(connection, draft_id, owner_id=owner_id, discarded_at=None)
    return draft_store.get_draft(connection, draft_id, owner_id=owner_id)


def finish_draft(
    connection: Connection, draft_id: int | None, *, owner_id: int, writer: str, known_version: int | None = None
) -> None:
    """Its text was sent: the draft goes, unless another form has written on."""
    if draft_id is not None:
        own = clean_writer(writer)
        draft_store.delete_draft(connection, draft_id, owner_id=owner_id, writer=own, known_version=known_version)


def finish_draft_of_writer(connection: Connection, place: DraftPlace, *, owner_id: int, writer: str) -> None:
    """Like :func:`finish_draft`, for a form that was sent before it heard the id of its draft."""
    own = clean_writer(writer)
    found = draft_store.find_draft_of_writer(connection, place, own, owner_id=owner_id) if own else None
    if found is not None:
        finish_draft(connection, found.id, owner_id=owner_id, writer=own)


def clean_writer(writer: str) -> str:
    """The name of a form, 8 to 32 hexadecimal digits; empty when it is anything else."""
    return writer if _WRITER.fullmatch(writer) else ""


def _clean(text: DraftText) -> DraftText:
    for name, value, longest in (("content", text.content, LONGEST_CONTENT), ("title", text.title, LONGEST_TITLE)):
        if len(value) > longest:
            raise Invalid(
                f"The draft’s {name} has {len(value):,} characters; at most {longest:,} are kept.", field=name
            )
    content = text.content.replace("\r\n", "\n").replace("\r", "\n")
    return replace(
        text, content=_UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", content), title=_UNSTORABLE.sub("", text.title)
    )


def _refuse_what_cannot_be_kept(connection: Connection, place: DraftPlace, owner_id: int) -> None:
    if not draft_store.has_target(connection, place):
        raise NotFound("There is no such place to write to.", field="target_id")
    if draft_store.count_drafts(connection, owner_id=owner_id) >= MOST_DRAFTS:
        raise Conflict(f"{MOST_DRAFTS:,} drafts are kept already. Discard some under Drafts.")
