"""The grid of a batch as its page shows it."""

from dataclasses import dataclass

from sqlalchemy import Connection

from forllm_server.batches import cell_store
from forllm_server.batches.exporting import ExportLine
from forllm_server.batches.model import Batch, Cell, Line, Progress
from forllm_server.batches.template import fill
from forllm_server.jobs.batch_lines import FILTERS, list_shown_lines
from forllm_server.markup.excerpt import excerpt

LINES_PER_PAGE = 100
EXCERPT_CHARACTERS = 160
#: of a reply, for its excerpt
READ_CHARACTERS = 600
#: answers at the same pace for so long are told in hours
_HOUR = 3600

_WORDS = {
    "queued": "in the queue",
    "waiting": "to be tried again",
    "held": "on hold",
    "running": "being answered",
    "succeeded": "answered",
    "failed": "failed",
    "cancelled": "cancelled",
    cell_store.GONE: "erased",
}


@dataclass(frozen=True)
class GridCell:
    """``cell`` None: not asked yet."""

    label: str
    cell: Cell | None
    words: str
    excerpt: str

    @property
    def url(self) -> str:
        """The answer, else the LLM request."""
        if self.cell is None or self.cell.status == cell_store.GONE:
            return ""
        is_answered = self.cell.reply_post_id is not None and self.cell.text is not None
        return f"/posts/{self.cell.reply_post_id}" if is_answered else f"/queue/{self.cell.llm_request_id}"

    @property
    def is_bad(self) -> bool:
        return self.cell is not None and self.cell.status in FILTERS["failed"]


@dataclass(frozen=True)
class GridLine:
    """A line with its question and a cell for each ask."""

    line: Line
    question: str
    cells: tuple[GridCell, ...]


@dataclass(frozen=True)
class Grid:
    """A page of the grid. ``work``: how long what remains will take, in words."""

    shown: str
    progress: Progress
    work: str
    lines: tuple[GridLine, ...]
    next_after: int | None
    after: int


def read_grid(connection: Connection, batch: Batch, *, shown: str, after: int) -> Grid:
    """A page of a batch's grid, in a constant number of statements."""
    found = list_shown_lines(
        connection, batch, shown=shown, after=after, limit=LINES_PER_PAGE + 1, text_characters=READ_CHARACTERS
    )
    lines = found[:LINES_PER_PAGE]
    progress = cell_store.read_progress(connection, batch)
    pace = cell_store.find_pace(connection, batch.id) if progress.remaining else None
    return Grid(
        shown=shown,
        progress=progress,
        work=work_words(progress.remaining, pace),
        lines=tuple(_line(batch, each) for each in lines),
        next_after=lines[-1].line.number if len(found) > LINES_PER_PAGE else None,
        after=after,
    )


def work_words(remaining: int, pace: float | None) -> str:
    """``about 3 h of work left, at the pace of its last answers``; empty when nothing remains."""
    if not remaining:
        return ""
    if pace is None:
        return "how long it takes is known when one has been answered"
    return f"about {seconds_words(remaining * pace)} of work left, at the pace of its last answers"


def seconds_words(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h 20 min``, ``52 h``."""
    if seconds < 100:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    if seconds < _HOUR:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 1440 else f"{minutes // 60} h"


def _line(batch: Batch, each: ExportLine) -> GridLine:
    question = excerpt(fill(batch.template, batch.columns, each.line.values), max_chars=EXCERPT_CHARACTERS)
    cells = tuple(_cell(ask.label, each.cells.get(number)) for number, ask in enumerate(batch.asks))
    return GridLine(each.line, question, cells)


def _cell(label: str, cell: Cell | None) -> GridCell:
    if cell is None:
        return GridCell(label, None, "not asked yet", "")
    shown = cell.text if cell.status == "succeeded" else (cell.detail or "")
    is_deleted = cell.status == "succeeded" and cell.text is None
    words = "answered, the reply is in the trash" if is_deleted else _WORDS[cell.status]
    return GridCell(label, cell, words, excerpt(shown or "", max_chars=EXCERPT_CHARACTERS))
