"""A batch as CSV, JSON Lines or a Markdown table, piece by piece, so that a long one fits through. Pure.

A value that a spreadsheet would take for a formula (it begins with ``= + - @``, a tab or a carriage return) gets an
apostrophe before it in CSV, as OWASP's page on CSV injection advises; in the other formats it stays as it is.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from forllm_server.batches.model import Batch, Cell, Line


class ExportFormat(StrEnum):
    """How a batch is downloaded. The value is the ending of the file's name."""

    CSV = "csv"
    JSONL = "jsonl"
    MARKDOWN = "md"


MEDIA_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.JSONL: "application/x-ndjson; charset=utf-8",
    ExportFormat.MARKDOWN: "text/markdown; charset=utf-8",
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class ExportLine:
    """A line with its cells; an ask that has no cell was not asked yet."""

    line: Line
    cells: Mapping[int, Cell]


def head_of(batch: Batch, form: ExportFormat) -> str:
    """What stands before the first line."""
    names = _names(batch)
    if form is ExportFormat.CSV:
        return _csv_row(names)
    if form is ExportFormat.MARKDOWN:
        return f"# {_in_one_line(batch.title)}\n\n" + _markdown_row(names) + _markdown_row(["---"] * len(names))
    return ""


def lines_of(batch: Batch, lines: Iterable[ExportLine], form: ExportFormat) -> str:
    """These lines, one after another."""
    if form is ExportFormat.JSONL:
        return "".join(_json_line(batch, each) for each in lines)
    write = _csv_row if form is ExportFormat.CSV else _markdown_row
    return "".join(write(_values(batch, each)) for each in lines)


def _names(batch: Batch) -> list[str]:
    names = ["line", *batch.columns]
    for ask in batch.asks:
        names += [ask.label, f"{ask.label}: state"]
        if batch.checks:
            names.append(f"{ask.label}: checks")
        if batch.judge:
            names.append(f"{ask.label}: verdict")
    return names


def _values(batch: Batch, each: ExportLine) -> list[str]:
    values = [str(each.line.number), *each.line.values]
    for number in range(len(batch.asks)):
        cell = each.cells.get(number)
        values += [(cell.text or "") if cell else "", cell.status if cell else "unasked"]
        if batch.checks:
            values.append(_check_words(cell))
        if batch.judge:
            values.append(cell.verdict_words if cell else "")
    return values


def _check_words(cell: Cell | None) -> str:
    if cell is None or cell.failed_checks is None:
        return ""
    return "fails: " + "; ".join(cell.failed_checks) if cell.failed_checks else "passed"


def _csv_row(values: Sequence[str]) -> str:
    file = io.StringIO()
    csv.writer(file).writerow([f"'{value}" if value.startswith(_FORMULA) else value for value in values])
    return file.getvalue()


def _markdown_row(values: Sequence[str]) -> str:
    return "| " + " | ".join(_in_one_line(value) for value in values) + " |\n"


def _in_one_line(value: str) -> str:
    """As a cell of a Markdown table: no bar ends it, no line break, no HTML of a model's own."""
    text = value.strip().replace("\\", "\\\\").replace("|", "\\|").replace("&", "&amp;").replace("<", "&lt;")
    return "<br>".join(text.splitlines())


def _json_line(batch: Batch, each: ExportLine) -> str:
    answers = []
    for number, ask in enumerate(batch.asks):
        cell = each.cells.get(number)
        judged = {"verdict": cell.verdict if cell else None, "verdict_said": cell.verdict_said if cell else ""}
        answers.append(
            {
                "persona_id": ask.persona_id,
                "persona_version_id": ask.persona_version_id,
                "persona": ask.persona_words,
                "model": ask.model_words,
                "repeat": ask.repeat,
                "state": cell.status if cell else "unasked",
                "text": cell.text if cell else None,
                "post_id": cell.reply_post_id if cell else None,
                "failed_checks": None if cell is None or cell.failed_checks is None else list(cell.failed_checks),
            }
            | (judged if batch.judge else {})
        )
    values = dict(zip(batch.columns, each.line.values, strict=True))
    return json.dumps({"line": each.line.number, "values": values, "answers": answers}, ensure_ascii=False) + "\n"
