"""The pure parts: splitting lines, thinking, addresses, and what servers say."""

import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forllm_server.backends import refusals
from forllm_server.backends.addresses import openai_url, root_url
from forllm_server.backends.faults import AnswerTooLarge, BadAddress
from forllm_server.backends.lines import EventParser, LineSplitter
from forllm_server.backends.thinking import CharacterMender, ThinkingSplitter, mend

NOW = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)


def cut(data: str, places: list[int]) -> list[str]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def split_thinking(pieces: list[str]) -> tuple[str, str]:
    splitter, text, thinking = ThinkingSplitter(), "", ""
    for chunk in [*(chunk for piece in pieces for chunk in splitter.feed(piece)), *splitter.end()]:
        if chunk.is_text_so_far_thinking:
            text, thinking = "", thinking + text
        text, thinking = text + chunk.text, thinking + chunk.thinking
    return text, thinking


@pytest.mark.parametrize(
    ("said", "text", "thinking"),
    [
        ("Plain.", "Plain.", ""),
        ("<think>a</think>b", "b", "a"),
        (" \n<think>\na\n</think>\n\nb", "b", "\na\n"),
        ("<thinking>a</thinking>b", "b", "a"),
        ("a</think>b", "b", "a"),
        ("<think>a", "", "a"),
        ("<thin", "<thin", ""),
        ("<b>bold</b> < 3", "<b>bold</b> < 3", ""),
        ("Use `</think>` to end.", "Use `</think>` to end.", ""),
        ("```\n<think>a</think>\n```\nb", "```\n<think>a</think>\n```\nb", ""),
        ("<think>a</think>b</think>c", "b</think>c", "a"),
        ("x </thin", "x </thin", ""),
    ],
)
@given(places=st.lists(st.integers(0, 60), max_size=6))
def test_thinking_is_split_wherever_the_pieces_end(said: str, text: str, thinking: str, places: list[int]) -> None:
    assert split_thinking(cut(said, places)) == (text, thinking)


@given(st.text(), st.lists(st.integers(0, 200), max_size=8))
def test_no_character_is_lost_by_the_splitter(said: str, places: list[int]) -> None:
    text, thinking = split_thinking(cut(said, places))
    assert text + thinking == said


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_lines_are_the_same_however_the_bytes_come(data: bytes, places: list[int]) -> None:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    splitter = LineSplitter(1000)
    lines = [line for start, end in itertools.pairwise(edges) for line in splitter.feed(data[start:end])]
    lines += splitter.end()
    whole = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    expected = [line.decode("utf-8", "replace") for line in whole]
    assert lines == (expected if expected[-1] else expected[:-1])


def test_a_line_or_an_event_that_is_too_long_is_cut() -> None:
    splitter, events = LineSplitter(10), EventParser(10)
    assert list(splitter.feed(b"0123456789")) == []
    with pytest.raises(AnswerTooLarge):
        list(splitter.feed(b"0"))
    assert list(events.feed("data: 01234")) == []
    with pytest.raises(AnswerTooLarge):
        list(events.feed("data: 56789"))


def test_events_are_joined_and_comments_are_signs_of_life() -> None:
    events = EventParser(100)
    lines = [": ping", "data: a", "data:b", "", "id: 1", "data", "", "data: last"]
    assert [data for line in lines for data in events.feed(line)] == ["", "a\nb", "", ""]
    assert list(events.end()) == ["last"]


@given(st.text(st.characters(codec=None, categories=None), max_size=30), st.lists(st.integers(0, 30), max_size=4))
def test_mended_text_can_always_be_stored(text: str, places: list[int]) -> None:
    mender = CharacterMender()
    pieces = [mender.feed(piece) for piece in cut(text, places)] + [mender.end()]
    "".join(pieces).encode("utf-8")
    assert "".join(pieces) == mend(text)
    assert "\x00" not in mend(text)


@pytest.mark.parametrize(
    ("typed", "root", "base"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080", "http://127.0.0.1:8080/v1"),
        (" HTTP://[::1]:1234/v1/ ", "http://[::1]:1234", "http://[::1]:1234/v1"),
        ("https://api.example.org/openai/v1", "https://api.example.org/openai", "https://api.example.org/openai/v1"),
        ("https://example.org/v1beta/openai", "https://example.org/v1beta/openai", "https://example.org/v1beta/openai"),
        ("http://localhost:11434/api/chat", "http://localhost:11434", "http://localhost:11434/v1"),
    ],
)
def test_addresses_are_taken_as_people_type_them(typed: str, root: str, base: str) -> None:
    assert (root_url(typed), openai_url(typed)) == (root, base)


@pytest.mark.parametrize(
    "typed",
    ["", "  ", "ftp://host", "http://", "http://host:port", "http://host:99999", "http://me:pw@host", "file:///etc"],
)
def test_an_address_that_cannot_be_is_refused_at_its_field(typed: str) -> None:
    with pytest.raises(BadAddress) as caught:
        root_url(typed)
    assert caught.value.field == "base_url"
    assert "pw" not in caught.value.message


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("-3", 0.0),
        ("86400", 900.0),
        ("inf", 900.0),
        ("nan", None),
        ("Fri, 20 Nov 2026 21:01:00 GMT", 60.0),
        ("Fri, 13 Nov 2037 08:00:00 GMT", 900.0),
        ("soon", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_capped(value: str | None, seconds: float | None) -> None:
    assert refusals.retry_after_seconds(value, NOW) == seconds


def test_what_a_server_says_is_shown_without_key_and_markup() -> None:
    said = refusals.scrub(
        "<b>Key abc123xyz is wrong</b>\n<script>alert(1)</script>\x1b[31m Bearer zzzzzzzzz", "abc123xyz"
    )
    assert said == "Key [key] is wrong [31m [key]"
    assert len(refusals.scrub("x" * 10_000, None)) == 300


@pytest.mark.parametrize(
    ("status", "error", "code", "is_permanent"),
    [
        (400, {"type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 8}, "context_exceeded", True),
        (400, "the input length exceeds the context length", "context_exceeded", True),
        (400, {"message": "bad", "code": "content_filter"}, "content_filtered", True),
        (403, None, "key_refused", True),
        (404, "", "model_missing", True),
        (404, 'model "x" not found', "model_missing", True),
        (422, {"message": "no"}, "refused", True),
        (429, {"message": "You exceeded your current quota", "code": "insufficient_quota"}, "refused", True),
        (429, {}, "busy", False),
        (500, "fault", "server_error", False),
        (501, "fault", "refused", True),
        (502, "", "busy", False),
        (301, "", "redirected", True),
    ],
)
def test_a_status_is_permanent_or_not(status: int, error: object, code: str, is_permanent: bool) -> None:
    fault = refusals.from_status(status, error)
    assert (fault.code, fault.permanent) == (code, is_permanent)
