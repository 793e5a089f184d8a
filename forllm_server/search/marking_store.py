"""What was searched for, marked in the texts that are shown. PostgreSQL does that in its statement, SQLite here.

The texts go into an index of their own, in memory. The great one looks every word up anew for each text that it marks,
and behind the beginning of a word stand thousands of words: twenty texts took it seconds.
"""

import atexit
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

#: Stand around what was searched for.
MATCH_BEGINS, MATCH_ENDS = "\x02", "\x03"
SNIPPET_TOKENS = 34
#: How the index divides texts into words and what it makes of them; search/tables.py has made the great one so.
TOKENS = "porter unicode61 remove_diacritics 2"

_INDEX = f"CREATE VIRTUAL TABLE shown USING fts5(title, content, tokenize='{TOKENS}')"
_MARKED = (
    f"SELECT rowid, highlight(shown, 0, '{MATCH_BEGINS}', '{MATCH_ENDS}'),"
    f" snippet(shown, 1, '{MATCH_BEGINS}', '{MATCH_ENDS}', '…', {SNIPPET_TOKENS}) FROM shown WHERE shown MATCH ?"
)


@dataclass(frozen=True, slots=True)
class Document:
    """What is searched of a post; ``title`` is empty for a reply."""

    post_id: int
    title: str
    content: str


@dataclass
class Marker:
    """An index in memory that is empty between two uses."""

    _lock: Lock = field(default_factory=Lock)
    _connection: sqlite3.Connection | None = None

    def mark(self, expression: str, documents: Sequence[Document]) -> dict[int, tuple[str, str]]:
        """Title and the part of the text around what was found, both with marks, by post; in FTS5's language."""
        rows = [(document.post_id, document.title, document.content) for document in documents]
        with self._lock:
            connection = self._connection = self._connection or self._opened()
            connection.execute("BEGIN")
            try:
                connection.executemany("INSERT INTO shown (rowid, title, content) VALUES (?, ?, ?)", rows)
                return {post_id: (title, text) for post_id, title, text in connection.execute(_MARKED, (expression,))}
            finally:
                connection.execute("ROLLBACK")

    def close(self) -> None:
        """Give the memory back."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.execute(_INDEX)
        return connection


MARKER = Marker()
atexit.register(MARKER.close)
