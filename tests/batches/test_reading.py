"""Reading tables: every format, every encoding, and what cannot be read with its row."""

import pytest

from forllm_server.batches.reading import Encoding, Format, decode, format_of, read_table
from forllm_server.errors import Invalid


def problem(text: str, form: Format) -> str:
    with pytest.raises(Invalid) as caught:
        read_table(text, form)
    return caught.value.message


def test_pasted_lines_are_one_column_and_blank_ones_are_none() -> None:
    table = read_table("Why?\n\n  How? \r\nWhen?", Format.LINES)
    assert (table.columns, table.lines) == (("line",), (("Why?",), ("How?",), ("When?",)))


def test_csv_keeps_quotes_commas_line_breaks_and_formulas_as_text() -> None:
    table = read_table('q,n\r\n"a ""b"", c\nd",=1+1\r\n\r\n', Format.CSV)
    assert table.columns == ("q", "n")
    assert table.lines == (('a "b", c\nd', "=1+1"),)


def test_semicolons_are_found_and_said() -> None:
    table = read_table("q;n\na,b;2\n", Format.CSV)
    assert table.lines == (("a,b", "2"),)
    assert "semicolons" in table.note


def test_tabs_jsonl_and_lists() -> None:
    assert read_table("q\tn\na\tb\n", Format.TSV).lines == (("a", "b"),)
    table = read_table('{"q": "a", "n": 2}\n\n{"n": null, "q": [1]}\n', Format.JSONL)
    assert (table.columns, table.lines) == (("q", "n"), (("a", "2"), ("[1]", "")))
    table = read_table("# Mine\n\n- one\n  more\n* [x] two\n3. three\n", Format.MARKDOWN)
    assert table.lines == (("one\nmore",), ("two",), ("three",))
    assert table.note == "1 heading was left out."


@pytest.mark.parametrize(
    ("text", "form", "words"),
    [
        ("q,n\na,b\nc\n", Format.CSV, "Row 3 has 1 value, but the head names 2 (q, n)"),
        ("q,n\na,b,c\n", Format.CSV, "Row 2 has 3 values"),
        ('q,n\na,b\n"open,b\nc,d\n', Format.CSV, "Row 3 has a quote that is never closed"),
        ('q,n\n"a"b,c\n', Format.CSV, "Row 2 cannot be read"),
        ("q,,n\n", Format.CSV, "the name of column 2 is missing"),
        ("q,q\na,b\n", Format.CSV, "names the column “q” twice"),
        ("q,n\n", Format.CSV, "There is no line"),
        ("", Format.CSV, "The first row must name the columns"),
        ("q\n" + "x" * 200_000 + "\n", Format.CSV, "Row 2 has a value of more than"),
        ('{"q": 1}\n{"r": 1}\n', Format.JSONL, "Row 2 lacks “q”"),
        ('{"q": 1}\n{"q": 1, "r": 1}\n', Format.JSONL, "Row 2 has “r”"),
        ('{"q": 1}\n[1]\n', Format.JSONL, "Row 2 is JSON but no object"),
        ('{"q": 1}\n\n{"q"\n', Format.JSONL, "Row 3 is not JSON"),
        ("- a\ntext\n", Format.MARKDOWN, "Row 2 is neither an item"),
        ("a\nb\0c\n", Format.LINES, "Row 2 holds a NUL"),
        ("  \n", Format.LINES, "There is no line"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_row(text: str, form: Format, words: str) -> None:
    assert words in problem(text, form)


def test_encodings_are_found_by_their_first_bytes_or_chosen() -> None:
    assert decode("ä".encode("utf-8-sig")) == "ä"
    assert decode("ä".encode("utf-16")) == "ä"
    assert decode(b"\xfe\xff" + "ä".encode("utf-16-be")) == "ä"
    assert decode("ä".encode("utf-16-le"), Encoding.UTF_16) == "ä"
    assert decode("ä".encode("latin-1"), Encoding.LATIN_1) == "ä"


def test_a_wrong_encoding_is_told_with_its_line_and_never_guessed() -> None:
    with pytest.raises(Invalid) as caught:
        decode("a\nb\nä".encode("latin-1"))
    assert "Line 3 of the file is no UTF-8 text (byte 4)" in caught.value.message
    assert caught.value.field == "encoding"


def test_formats_go_by_the_ending() -> None:
    names = ("a.CSV", "a.tsv", "a.jsonl", "a.md", "a.txt", "a")
    assert [format_of(name).value for name in names] == ["csv", "tsv", "jsonl", "markdown", "lines", "lines"]
