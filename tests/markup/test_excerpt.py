"""The first words of a post, for lists."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forllm_server.markup.excerpt import excerpt


@pytest.mark.parametrize(
    ("source", "plain"),
    [
        ("# Title\n\nText", "Title Text"),
        ("**bold** _it_ ~~gone~~ `code` snake_case_name", "bold it gone code snake_case_name"),
        ("[link](https://a.example 'x') ![alt](/a.png)", "link alt"),
        ("[![badge](a)](b)", "badge"),
        ("> quoted\n> more", "quoted more"),
        ("- [x] done\n- open\n1. one", "done open one"),
        ("```py\nx = 1\n```\nafter", "x = 1 after"),
        ("|a|b|\n|-|-|\n|1|2|", "a b 1 2"),
        ("<https://a.example> \\*not\\* &amp; x[^1]", "https://a.example *not* & x"),
        ("2 * 3 = 6 < 7", "2  3 = 6 < 7".replace("  ", " ")),
        ("", ""),
    ],
)
def test_an_excerpt_is_the_text_without_its_marks(source: str, plain: str) -> None:
    assert excerpt(source, max_chars=100) == plain


def test_a_long_text_ends_after_a_whole_word() -> None:
    assert excerpt("several words in a row", max_chars=16) == "several words…"


def test_an_emoji_is_not_cut_apart() -> None:
    assert excerpt("👩\u200d💻👩\u200d💻👩\u200d💻", max_chars=6) == "👩\u200d💻…"


@given(st.text(max_size=300), st.integers(1, 60))
def test_an_excerpt_fits_is_one_line_and_can_be_stored(source: str, max_chars: int) -> None:
    short = excerpt(source, max_chars=max_chars)
    assert len(short) <= max_chars
    assert "\n" not in short
    short.encode()


@pytest.mark.parametrize("mark", ["[", "[a](", "`", "_", "> ", "\t", "![[", "<http://", "|", "- "])
def test_an_excerpt_of_marks_is_quick(mark: str) -> None:
    began = time.process_time()
    excerpt(mark * 100_000, max_chars=2000)
    assert time.process_time() - began < 0.5
