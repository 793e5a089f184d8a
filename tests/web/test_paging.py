"""Cursors and page sizes."""

import base64
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forllm_server.web.paging import Malformed, decode_cursor, encode_cursor

NOON = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)


def made_of(json: str) -> str:
    return base64.urlsafe_b64encode(json.encode()).decode().rstrip("=")


def test_a_cursor_gives_back_what_it_was_made_of() -> None:
    cursor = encode_cursor(NOON, 7, "ä/?", b"\x00\xff")
    assert decode_cursor(cursor, datetime, int, str, bytes) == (NOON, 7, "ä/?", b"\x00\xff")
    assert cursor.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_cursor_is_the_first_page(nothing: str | None) -> None:
    assert decode_cursor(nothing, int) is None


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "!!!!",
        "é",
        "AAAA",
        made_of("7"),
        made_of("[]"),
        made_of("[1,2]"),
        made_of('["1"]'),
        made_of("[true]"),
        made_of("[1.5]"),
        made_of(f"[{2**63}]"),
        made_of("[" * 100_000),
        made_of("[" + "9" * 5_000 + "]"),
        encode_cursor(5) + "é",
    ],
)
def test_a_tampered_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Malformed) as caught:
        decode_cursor(cursor, int)
    assert caught.value.field == "after"


@pytest.mark.parametrize(
    ("json", "kind"),
    [('["zz"]', bytes), ("[5]", bytes), ('["2026-11-20"]', datetime), ("[5]", datetime), ('["\\u0000"]', str)],
)
def test_each_part_must_be_of_its_kind(json: str, kind: type) -> None:
    with pytest.raises(Malformed):
        decode_cursor(made_of(json), kind)


@given(st.text(max_size=60))
def test_no_text_at_all_is_a_fault(text: str) -> None:
    with suppress(Malformed):
        assert decode_cursor(text, datetime, int) is None or text
