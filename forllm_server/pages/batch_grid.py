"""The grid of a batch as its page shows it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.batches import cell_store, verdict_store
from forllm_server.batches.exporting import ExportLine
from forllm_server.batches.model import UNDECIDED, Batch, Cell, Line, Progress, Verdict
from forllm_server.batches.template import fill
from forllm_server.jobs.batch_forecast import foretell_batch
from forllm_server.jobs.batch_lines import FILTERS, list_shown_lines
from forllm_server.jobs.standing import list_obstacles
from forllm_server.markup.excerpt import excerpt
from forllm_server.queue.model import Status

LINES_PER_PAGE = 100
EXCERPT_CHARACTERS = 160
#: of a reply, for its excerpt
READ_CHARACTERS = 600

_IN_LINE = (Status.QUEUED, Status.WAITING)
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

_VERDICT_WORDS = {
    Verdict.PASS: "pass",
    Verdict.FAIL: "fail",
    Verdict.UNREADABLE: "unreadable",
    Verdict.AWAITED: "is asked",
    Verdict.MISSING: "gave no verdict",
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

    @property
    def verdict_words(self) -> str:
        """``the judge: pass``; empty where nobody judges."""
        return f"the judge: {_VERDICT_WORDS[self.cell.verdict]}" if self.cell and self.cell.verdict else ""

    @property
    def verdict_url(self) -> str:
        """What the judge was asked, where it did not decide."""
        is_open = self.cell is not None and self.cell.verdict in UNDECIDED
        return f"/queue/{self.cell.verdict_llm_request_id}" if self.cell and is_open else ""


@dataclass(frozen=True)
class GridLine:
    """A line with its question and a cell for each ask."""

    line: Line
    question: str
    cells: tuple[GridCell, ...]


@dataclass(frozen=True)
class Grid:
    """A page of the grid. ``work``: when what remains will be done, in words. ``obstacles``: how many cells wait for
    something else than their turn, and for what."""

    shown: str
    progress: Progress
    work: str
    obstacles: list[tuple[int, str]]
    lines: tuple[GridLine, ...]
    next_after: int | None
    after: int


def read_grid(connection: Connection, batch: Batch, *, shown: str, after: int, now: datetime) -> Grid:
    """A page of a batch's grid, in a constant number of statements."""
    found = list_shown_lines(
        connection, batch, shown=shown, after=after, limit=LINES_PER_PAGE + 1, text_characters=READ_CHARACTERS
    )
    lines = found[:LINES_PER_PAGE]
    progress = cell_store.read_progress(connection, batch)
    foretold = foretell_batch(connection, batch, progress, now)
    return Grid(
        shown=shown,
        progress=progress,
        work=foretold.words if foretold else "",
        obstacles=list_obstacles(connection, _ids_in_line(connection, batch), now),
        lines=tuple(_line(batch, each) for each in lines),
        next_after=lines[-1].line.number if len(found) > LINES_PER_PAGE else None,
        after=after,
    )


def _ids_in_line(connection: Connection, batch: Batch) -> list[int]:
    ids = cell_store.list_llm_request_ids(connection, batch.id, _IN_LINE)
    return ids + verdict_store.list_verdict_request_ids(connection, batch.id, _IN_LINE) if batch.judge else ids


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
