"""The lines of a batch, narrowed to some, and as a file.

A file is read a part at a time: no transaction is open while a part travels.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager

from sqlalchemy import Connection

from forllm_server.batches import batch_store, cell_store
from forllm_server.batches.exporting import ExportFormat, ExportLine, head_of, lines_of
from forllm_server.batches.model import UNDECIDED, Batch, Cell, Verdict

LINES_AT_ONCE = 200

#: What lines can be narrowed to, and the states of cells that this means.
FILTERS: Mapping[str, tuple[str, ...]] = {
    "all": (),
    "answered": ("succeeded",),
    "waiting": ("queued", "waiting", "held"),
    "running": ("running",),
    "failed": ("failed", cell_store.GONE),
    "cancelled": ("cancelled",),
    "checks": (),
    "rejected": (),
    "undecided": (),
}
#: What the judge says of the answers that these show.
_VERDICTS: Mapping[str, tuple[Verdict, ...]] = {"rejected": (Verdict.FAIL,), "undecided": UNDECIDED}


def pieces_of(
    read: Callable[[], AbstractContextManager[Connection]], batch: Batch, form: ExportFormat
) -> Iterator[str]:
    """The text of the file, piece by piece. ``read`` opens a connection to read from."""
    yield head_of(batch, form)
    after = 0
    while True:
        with read() as connection:
            lines = list_export_lines(connection, batch, after=after, limit=LINES_AT_ONCE)
        if not lines:
            return
        yield lines_of(batch, lines, form)
        after = lines[-1].line.number


def list_export_lines(connection: Connection, batch: Batch, *, after: int, limit: int) -> list[ExportLine]:
    """The lines after the number ``after`` with their cells and whole answers."""
    return list_shown_lines(connection, batch, shown="all", after=after, limit=limit)


def list_shown_lines(
    connection: Connection, batch: Batch, *, shown: str, after: int, limit: int, text_characters: int | None = None
) -> list[ExportLine]:
    """Like :func:`list_export_lines`, of the lines that the filter ``shown`` (see :data:`FILTERS`) lets through."""
    if shown == "all":
        lines = batch_store.list_lines(connection, batch.id, after=after, limit=limit)
    else:
        numbers = cell_store.list_numbers(
            connection,
            batch.id,
            statuses=FILTERS[shown],
            verdicts=_VERDICTS.get(shown, ()),
            fails_checks=shown == "checks",
            after=after,
            limit=limit,
        )
        lines = batch_store.list_lines_of(connection, batch.id, numbers)
    by_line: dict[int, dict[int, Cell]] = {}
    for cell in cell_store.list_cells(
        connection, batch.id, [line.number for line in lines], text_characters=text_characters
    ):
        by_line.setdefault(cell.number, {})[cell.ask] = cell
    return [ExportLine(line, by_line.get(line.number, {})) for line in lines]
