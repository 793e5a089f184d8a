"""What is taken as a name or a text, and in what form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forllm_server.errors import Invalid
from forllm_server.markup.names import MAX_TEXT_BYTES, clean_name, clean_text, name_key


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Night   watch\t\n ", "Night watch"),
        ("ﬁne ＡＢＣ", "fine ABC"),
        ("ad\u202emin\u2066\u200b\ufeff\x07", "admin"),
        ("a\u200db", "ab"),
        ("👩\u200d💻 dev", "👩\u200d💻 dev"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("a\u2028b", "a b"),
        ("x\ud800y", "xy"),
        ("<b>&amp;", "<b>&amp;"),
    ],
)
def test_a_name_is_one_line_of_drawn_characters(typed: str, kept: str) -> None:
    assert clean_name(typed, field="name", max_chars=80) == kept


@pytest.mark.parametrize("typed", ["", "   ", "\n\t", "\u200b\u202e", "\u3164", "\u2800", "\x00"])
def test_a_blank_name_is_refused(typed: str) -> None:
    with pytest.raises(Invalid, match="There is no name yet") as refused:
        clean_name(typed, field="name", max_chars=80)
    assert refused.value.field == "name"


def test_a_long_name_is_refused_with_numbers() -> None:
    with pytest.raises(
        Invalid, match=r"The topic title is 1,205 characters long; at most 200 fit\. Shorten it by 1,005"
    ):
        clean_name("x" * 1205, field="topic_title", max_chars=200)


@pytest.mark.parametrize("other", ["ADMIN", "ａｄｍｉｎ", " admin ", "ad\u200bmin", "ad\u200dmin", "Admin\u202e"])
def test_names_that_look_the_same_have_the_same_key(other: str) -> None:
    assert name_key(other) == name_key("admin")


def test_keys_fold_case_and_spaces_but_not_letters() -> None:
    assert name_key("Straße  zwei") == name_key("STRASSE ZWEI")
    assert name_key("résumé") != name_key("resume")


@given(st.text(max_size=40))
def test_cleaning_a_name_twice_changes_nothing(typed: str) -> None:
    try:
        once = clean_name(typed, field="name", max_chars=100)
    except Invalid:
        return
    assert clean_name(once, field="name", max_chars=100) == once
    assert name_key(once) == name_key(name_key(once))
    once.encode()


def test_a_text_keeps_everything_but_line_ends_nul_and_lone_surrogates() -> None:
    assert clean_text("    a\r\nb\rc\x00\ud800 \t\u202e\n", field="content") == "    a\nb\nc\ufffd\ufffd \t\u202e\n"


@pytest.mark.parametrize("typed", ["", " \n\t ", "\u200b"])
def test_a_blank_text_is_refused(typed: str) -> None:
    with pytest.raises(Invalid, match="There is no text yet") as refused:
        clean_text(typed, field="content", max_chars=10)
    assert refused.value.field == "content"


def test_a_text_that_is_too_long_is_refused_with_numbers() -> None:
    with pytest.raises(Invalid, match="12 characters long; at most 10 fit"):
        clean_text("x" * 12, field="content", max_chars=10)
    with pytest.raises(Invalid, match="262,145 bytes; at most 262,144"):
        clean_text("é" * (MAX_TEXT_BYTES // 2) + "x", field="content")
