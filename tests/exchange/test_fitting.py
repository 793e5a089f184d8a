"""Making texts from elsewhere fit the rules that hold here."""

from hypothesis import given
from hypothesis import strategies as st

from forllm_server.exchange.fitting import NO_TEXT, fitted_instructions, fitted_name, fitted_texts, numbered_name
from forllm_server.forum.editing import clean_content
from forllm_server.markup.names import MAX_TEXT_BYTES, clean_name


@given(st.text(max_size=300))
def test_any_name_becomes_one_that_the_rules_take(text: str) -> None:
    name = fitted_name(text, max_chars=100, otherwise="Topic 1")
    assert clean_name(name, field="name", max_chars=100) == name


def test_a_long_name_is_cut_and_shows_it() -> None:
    assert fitted_name("n" * 500, max_chars=100, otherwise="x") == "n" * 97 + "..."
    assert fitted_name("ﷺ" * 90, max_chars=100, otherwise="x").endswith("...")
    assert numbered_name("n" * 100, 12, max_chars=100) == "n" * 95 + " (12)"


@given(st.text(max_size=300))
def test_any_text_becomes_posts_that_the_rules_take(text: str) -> None:
    for piece in fitted_texts(text):
        assert clean_content(piece)


def test_a_text_that_is_too_large_is_split_without_loss() -> None:
    lines = "".join(f"Zeile {number} äöü\n" for number in range(40_000))
    pieces = fitted_texts(lines)
    assert len(pieces) == 3
    assert "".join(pieces) == lines
    assert all(len(piece.encode()) <= MAX_TEXT_BYTES for piece in pieces)
    one_line = "ü" * MAX_TEXT_BYTES
    assert "".join(fitted_texts(one_line)) == one_line


def test_nothing_visible_becomes_a_word_about_it() -> None:
    assert fitted_texts("") == [NO_TEXT]
    assert fitted_texts(" \n\t") == [NO_TEXT]
    assert fitted_instructions("") == "—"
    assert len(fitted_instructions("i" * 500_000)) == 65_536
