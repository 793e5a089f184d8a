"""Tables as people have them: pasted lines, CSV, TSV, JSON Lines and Markdown lists. Pure.

Nothing is guessed silently and nothing is left out: what cannot be read is refused with the number of its row.
"""

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from forllm_server.errors import Invalid, TooLarge

MOST_LINES = 100_000
MOST_COLUMNS = 100
#: of a file, in bytes
LARGEST_FILE_BYTES = 64 * 2**20
LONGEST_COLUMN_NAME = 100


class Format(StrEnum):
    """How a table is written."""

    LINES = "lines"  #: every line that is not blank is one; its column is ``line``
    CSV = "csv"  #: a head and rows, with commas or semicolons between
    TSV = "tsv"  #: a head and rows, with tabs between
    JSONL = "jsonl"  #: an object on every line
    MARKDOWN = "markdown"  #: a list; its column is ``item``


class Encoding(StrEnum):
    """How the letters of a file are stored."""

    AUTO = "auto"  #: as its first bytes say, else UTF-8
    UTF_8 = "utf-8"
    UTF_16 = "utf-16"
    LATIN_1 = "latin-1"  #: never found out, always chosen: every file can be read as it, rightly or not


@dataclass(frozen=True)
class Table:
    """``lines`` have a value for each of ``columns``. ``note``: what a person should know about how it was read."""

    columns: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    note: str = ""


_BY_ENDING = {
    "csv": Format.CSV,
    "tsv": Format.TSV,
    "tab": Format.TSV,
    "jsonl": Format.JSONL,
    "ndjson": Format.JSONL,
    "md": Format.MARKDOWN,
    "markdown": Format.MARKDOWN,
}
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ITEM = re.compile(r"^(?:[-*+]|\d{1,9}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?(.*)$")


def format_of(file_name: str) -> Format:
    """By the ending of a file's name; plain lines for any other."""
    return _BY_ENDING.get(file_name.rpartition(".")[2].lower(), Format.LINES)


def decode(raw: bytes, encoding: Encoding = Encoding.AUTO) -> str:
    """The text of a file. Raises Invalid with the line where its bytes are no such text, TooLarge."""
    if len(raw) > LARGEST_FILE_BYTES:
        raise TooLarge(f"The file is larger than {LARGEST_FILE_BYTES // 2**20} MB. Split it.", field="file")
    bom, name = next(((bom, name) for bom, name in _BOMS if raw.startswith(bom)), (b"", "utf-8"))
    if encoding is Encoding.LATIN_1:
        bom, name = b"", "latin-1"
    elif encoding is Encoding.UTF_16 and not name.startswith("utf-16"):
        bom, name = b"", "utf-16-le"
    elif encoding is Encoding.UTF_8:
        bom, name = (bom if name == "utf-8" else b""), "utf-8"
    body = raw[len(bom) :]
    try:
        return body.decode(name)
    except UnicodeDecodeError as error:
        row = body[: error.start].count(b"\n") + 1
        raise Invalid(
            f"Line {row:,} of the file is no {name.upper()} text (byte {error.start + len(bom):,}). "
            "Choose the encoding that it was saved in, such as Latin-1, or save it as UTF-8.",
            field="encoding",
        ) from error


def read_table(text: str, form: Format) -> Table:
    """The table in a text. Raises Invalid (text) with the number of the row that cannot be read."""
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        row = text[: text.index("\0")].count("\n") + 1
        raise _wrong(row, "holds a NUL character: the file is not text, or is in another encoding, such as UTF-16")
    table = _READERS[form](text)
    if not table.lines:
        raise Invalid("There is no line to ask about.", field="text")
    return table


def _wrong(row: int, what: str) -> Invalid:
    return Invalid(f"Row {row:,} {what}.", field="text", row=row)


def _bounded(lines: Iterator[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    found: list[tuple[str, ...]] = []
    for line in lines:
        if len(found) == MOST_LINES:
            raise Invalid(f"A batch has {MOST_LINES:,} lines at most. Split the table.", field="text")
        found.append(line)
    return tuple(found)


def _read_lines(text: str) -> Table:
    return Table(("line",), _bounded((line.strip(),) for line in text.splitlines() if line.strip()))


def _read_csv(text: str) -> Table:
    head = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = ";" if head.count(";") > head.count(",") else ","
    table = _read_separated(text, delimiter)
    return Table(table.columns, table.lines, "Read with semicolons between the columns." if delimiter == ";" else "")


def _read_separated(text: str, delimiter: str) -> Table:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows = _rows(reader)
    _, head = next(rows, (1, []))
    columns = _columns([name.strip() for name in head], 1)

    def lines() -> Iterator[tuple[str, ...]]:
        for row, values in rows:
            if len(values) != len(columns):
                raise _wrong(
                    row,
                    f"has {len(values)} {'value' if len(values) == 1 else 'values'}, but the head names "
                    f"{len(columns)} ({', '.join(columns)}). Fill in what is missing, or put quotes around what holds "
                    f"a {_SEPARATORS[delimiter]}",
                )
            yield tuple(values)

    return Table(columns, _bounded(lines()))


_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}


def _rows(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the number of the line that it begins on."""
    while True:
        row = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                raise _wrong(row, "has a quote that is never closed") from error
            if "field larger" in str(error):
                raise _wrong(
                    row, f"has a value of more than {csv.field_size_limit():,} characters; a quote may not be closed"
                ) from error
            raise _wrong(row, f"cannot be read: {error}") from error
        if values:
            yield row, values


def _columns(names: Sequence[str], row: int) -> tuple[str, ...]:
    if not names:
        raise Invalid("The first row must name the columns.", field="text")
    if len(names) > MOST_COLUMNS:
        raise _wrong(row, f"names {len(names):,} columns; {MOST_COLUMNS} are possible")
    for place, name in enumerate(names, 1):
        if not name:
            raise _wrong(row, f"names the columns, and the name of column {place} is missing")
        if len(name) > LONGEST_COLUMN_NAME or "{" in name or "}" in name:
            raise _wrong(row, f"names the columns, and “{name[:40]}” is too long for a name or holds braces")
        if name in names[: place - 1]:
            raise _wrong(row, f"names the column “{name}” twice")
    return tuple(names)


def _read_jsonl(text: str) -> Table:
    columns: tuple[str, ...] = ()

    def lines() -> Iterator[tuple[str, ...]]:
        nonlocal columns
        for row, line in enumerate(text.split("\n"), 1):
            if not line.strip():
                continue
            found = _object(line, row)
            columns = columns or _columns([str(name) for name in found], row)
            missing = [name for name in columns if name not in found]
            surplus = [name for name in found if name not in columns]
            if missing or surplus:
                what = f"lacks “{missing[0]}”" if missing else f"has “{surplus[0]}”"
                raise _wrong(row, f"{what}, unlike the first one: all objects need the same names")
            yield tuple(_as_text(found[name]) for name in columns)

    bounded = _bounded(lines())
    return Table(columns, bounded)


def _object(line: str, row: int) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _wrong(row, "is not JSON; every line must be one object, such as {“question”: “Why?”}") from error
    if not isinstance(found, dict):
        raise _wrong(row, "is JSON but no object; every line must be one, such as {“question”: “Why?”}")
    return found


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _read_markdown(text: str) -> Table:
    items: list[list[str]] = []
    skipped = 0
    for row, line in enumerate(text.splitlines(), 1):
        found = _ITEM.match(line)
        if found:
            items.append([found[1]])
        elif items and line[:1] in (" ", "\t") and line.strip():
            items[-1].append(line.strip())
        elif line.startswith("#"):
            skipped += 1
        elif line.strip():
            raise _wrong(row, "is neither an item of a list, such as “- Why?”, nor indented below one")
    lines = _bounded(("\n".join(item).strip(),) for item in items if any(item))
    note = f"{skipped} {'heading was' if skipped == 1 else 'headings were'} left out." if skipped else ""
    return Table(("item",), lines, note)


_READERS = {
    Format.LINES: _read_lines,
    Format.CSV: _read_csv,
    Format.TSV: lambda text: _read_separated(text, "\t"),
    Format.JSONL: _read_jsonl,
    Format.MARKDOWN: _read_markdown,
}
