"""The language of searches."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forllm_server.errors import Invalid
from forllm_server.search.query import (
    LONGEST_QUERY,
    MOST_TERMS,
    Filter,
    FilterName,
    Query,
    is_day,
    parse,
    quoted,
    tokens_of,
    with_open_end,
)

#: Texts that are made of what means something, put together in every wrong way.
SHREDS = st.lists(
    st.sampled_from(
        [*"\"*-():+^{'\\&|!%?_ \0🦆é日\ud800", "zfs", "OR", "NOT", "AND", "NEAR(", "in:", "is:failed", "before:2026-13"]
    ),
    max_size=40,
).map("".join)


def wanted(query: Query) -> list[list[str]]:
    return [[" ".join(term.tokens) + "*" * term.is_prefix for term in any_of] for any_of in query.wanted]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("two disks", [["two"], ["disks"]]),
        ('"two disks"', [["two disks"]]),
        ("“two disks”", [["two disks"]]),
        ('disk"two', [["disk"], ["two"]]),
        ('"never ends', [["never ends"]]),
        ("mirr* ab*", [["mirr*"], ["ab"]]),
        ('"two dis"*', [["two dis*"]]),
        ("a OR b c OR d OR e", [["a", "b"], ["c", "d", "e"]]),
        ("OR a OR OR b OR", [["a", "b"]]),
        ("a or b", [["a"], ["or"], ["b"]]),
        ("a OR in:x b", [["a"], ["b"]]),
        ("config.py foo_bar", [["config py"], ["foo bar"]]),
        ("10:30 std::vector http://x.y/z", [["10 30"], ["std vector"], ["http x y z"]]),
        ("Ærø CAFÉ naïve", [["Ærø"], ["CAFE"], ["naive"]]),
        ("NEAR(a b) AND {x} ^y", [["NEAR a"], ["b"], ["AND"], ["x"], ["y"]]),
        ("-- --- - \"\" '' * 🦆", []),
        ("", []),
    ],
)
def test_words_are_read(text: str, words: list[list[str]]) -> None:
    assert wanted(parse(text)) == words


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ('in:"Home lab"', [Filter(FilterName.IN, "Home lab")]),
        ("IN:home", [Filter(FilterName.IN, "home")]),
        ("-persona:@skeptic", [Filter(FilterName.PERSONA, "@skeptic", is_negated=True)]),
        ("model:qwen3:32b", [Filter(FilterName.MODEL, "qwen3:32b")]),
        (
            "by:ME is:Failed has:code",
            [Filter(FilterName.BY, "me"), Filter(FilterName.IS, "failed"), Filter(FilterName.HAS, "code")],
        ),
        ("before:2024-02-29 after:2026", [Filter(FilterName.BEFORE, "2024-02-29"), Filter(FilterName.AFTER, "2026")]),
    ],
)
def test_filters_are_read(text: str, filters: list[Filter]) -> None:
    query = parse(text)
    assert list(query.filters) == filters
    assert query.wanted == query.hints == ()


@pytest.mark.parametrize(
    ("text", "hint", "words"),
    [
        ("colour:red", "There is no filter “colour:”", [["colour red"]]),
        ("is:lost", "After “is:” can stand unanswered, failed, partial or bookmarked", [["is lost"]]),
        ("has:tape", "After “has:” can stand code or file; “tape” was searched as words.", [["has tape"]]),
        ("by:mara", "After “by:” can stand me", [["by mara"]]),
        ("before:2026-13", "comes a day, a month or a year", [["before 2026 13"]]),
        ("after:2026-02-30", "comes a day, a month or a year", [["after 2026 02 30"]]),
        ("IS:", "After “IS:” comes what is meant, without a space", [["IS"]]),
        ("a*", "A * needs at least 3 letters", [["a"]]),
    ],
)
def test_what_only_looks_like_an_operator_is_searched_as_words_with_a_hint(
    text: str, hint: str, words: list[list[str]]
) -> None:
    query = parse(text)
    assert wanted(query) == words
    assert [hint in told for told in query.hints] == [True]
    assert query.filters == ()


def test_what_is_unwanted_is_kept_apart() -> None:
    query = parse('mirror -raid -"two disks" -conf*')
    assert wanted(query) == [["mirror"]]
    assert [(term.tokens, term.is_prefix) for term in query.unwanted] == [
        (("raid",), False),
        (("two", "disks"), False),
        (("conf",), True),
    ]


def test_the_place_of_a_term_is_its_place_in_the_text() -> None:
    text = "mirror \x00 “two disks” OR raid"
    query = parse(text)
    terms = [term for any_of in query.wanted for term in any_of]
    assert [text[term.start : term.end] for term in terms] == ["mirror", "“two disks”", "raid"]


def test_too_much_is_refused() -> None:
    with pytest.raises(Invalid, match="has 1,001 characters; at most 1,000"):
        parse("x" * (LONGEST_QUERY + 1))
    with pytest.raises(Invalid, match="has 33 words and filters; at most 32"):
        parse("x " * (MOST_TERMS + 1))


def test_the_last_word_of_somebody_who_types_may_go_on() -> None:
    assert wanted(with_open_end(parse("two dis"))) == [["two"], ["dis*"]]
    assert wanted(with_open_end(parse("two di"))) == [["two"], ["di"]]
    assert wanted(with_open_end(parse("a OR bc"))) == [["a", "bc"]]
    assert with_open_end(parse("-x")) == parse("-x")


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        *((value, True) for value in ("2026", "2026-1", "2026-12-31", "2024-02-29")),
        *((value, False) for value in ("2023-02-29", "1900-02-29", "2026-00", "0001", "26", "2026-", "٢٠٢٦", "now")),
    ],
)
def test_days_months_and_years_that_exist(value: str, is_one: bool) -> None:
    assert is_day(value) is is_one


@given(st.one_of(st.text(max_size=200), SHREDS))
def test_every_text_is_a_query_or_too_much(text: str) -> None:
    try:
        query = parse(text)
    except Invalid:
        # Too many words; the test above says when.
        return
    terms: list[Any] = [*query.unwanted, *(term for any_of in query.wanted for term in any_of)]
    for term in terms:
        assert term.tokens
        assert all(token.isalnum() for token in term.tokens)
        assert 0 <= term.start < term.end <= len(text)
    assert all(query.wanted)


@given(st.text(max_size=60))
def test_a_quoted_name_is_read_back(name: str) -> None:
    query = parse("in:" + quoted(name.replace('"', " ").strip()))
    visible = "".join(letter if letter.isprintable() else " " for letter in name)
    if query.filters and visible == name and not set("“”„«»") & set(name):
        assert query.filters[0].value == name.replace('"', " ").strip()


def test_accents_do_not_part_words() -> None:
    assert tokens_of("nai\u0308ve café 한국어 x²") == ("naive", "cafe", "한국어", "x²")
