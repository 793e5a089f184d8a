"""What an import has brought in so far, and what it will report."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.errors import ForllmError, Unavailable
from forllm_server.exchange import imported_store


@dataclass(frozen=True)
class ImportReport:
    """How an import went. ``added`` and ``known`` count records by kind; ``notes`` are sentences for the person."""

    added: Mapping[str, int]
    known: Mapping[str, int]
    notes: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing new was there."""
        return not sum(self.added.values())

    def lines(self) -> list[str]:
        """The report as text, a line each."""
        lines = [f"{_words(kind)}: {number:,} added" for kind, number in self.added.items() if number]
        lines += [
            f"{_words(kind)}: {number:,} {'was' if number == 1 else 'were'} here already"
            for kind, number in self.known.items()
            if number
        ]
        return (lines or ["Nothing to import."]) + list(self.notes)


@dataclass
class Ledger:
    """The bookkeeping of one import: what came from which record, and the tallies for the report."""

    source: str
    owner_id: int
    now: datetime
    #: what earlier imports brought, by kind and original id
    earlier: Mapping[tuple[str, int], int]
    local_ids: dict[tuple[str, int], int] = field(init=False)
    added: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.local_ids = dict(self.earlier)

    def find(self, kind: str, original_id: int | None) -> int | None:
        """The id here of an original record, or None when it was not imported (yet)."""
        return None if original_id is None else self.local_ids.get((kind, original_id))

    def is_known(self, kind: str, original_id: int) -> bool:
        """Whether an earlier import brought it; counts it for the report."""
        is_known = (kind, original_id) in self.earlier
        self.known[kind] += is_known
        return is_known

    def add(self, connection: Connection, kind: str, original_id: int, local_id: int, *, is_new: bool = True) -> None:
        """Note that the original record is ``local_id`` here; ``is_new`` False: it was matched, not made."""
        imported_store.insert_record(
            connection, source=self.source, kind=kind, original_id=original_id, local_id=local_id, now=self.now
        )
        self.local_ids[kind, original_id] = local_id
        self.added[kind] += is_new

    @contextmanager
    def item(self, connection: Connection, kind: str) -> Iterator[None]:
        """A savepoint for one record: when a rule refuses it, it is left out and the rest goes on."""
        try:
            with connection.begin_nested():
                yield
        except Unavailable:
            raise
        except ForllmError as error:
            self.left_out[f"{kind}: {error.message}"] += 1

    def note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)

    def report(self) -> ImportReport:
        left_out = [
            f"{number} left out ({_words(reason.partition(': ')[0])}): {reason.partition(': ')[2]}"
            for reason, number in self.left_out.items()
        ]
        return ImportReport(dict(self.added), dict(self.known), (*self.notes, *left_out))


def _words(kind: str) -> str:
    if kind.startswith("setting "):
        # One each: its name stays as the settings page has it.
        return kind.replace("_", " ")
    return {"llm_request": "LLM requests", "schedule_window": "schedule windows"}.get(
        kind, f"{kind.replace('_', ' ')}s"
    )
