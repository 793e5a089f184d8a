"""Who is called in a text."""

import time

import pytest

from forllm_server.markup.mentions import MOST_MENTIONS, find_mentions, handle, slug


def called(text: str) -> list[str]:
    return [str(mention) for mention in find_mentions(text)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@skeptic what is wrong?", ["@skeptic"]),
        ("What do you think, @skeptic?", ["@skeptic"]),
        ("(@skeptic) and @teacher.", ["@skeptic", "@teacher"]),
        ('@"Careful Skeptic", please', ['@"Careful Skeptic"']),
        ("@careful-skeptic's view", ["@careful-skeptic"]),
        ("@Ünïcode and @gpt-4.1 now", ["@Ünïcode", "@gpt-4.1"]),
        ("@skeptic @Skeptic @SKEPTIC", ["@skeptic"]),
        ("@a>@b and @c:@d:@e", ["@a>@b", "@c>@d>@e"]),
        ('@"One Two">@three', ['@"One Two">@three']),
        ("@a > @b", ["@a", "@b"]),
    ],
)
def test_names_are_found_as_they_are_written(text: str, names: list[str]) -> None:
    assert called(text) == names


@pytest.mark.parametrize(
    "text",
    [
        "write to mara@example.org",
        "https://example.org/@skeptic",
        "`@skeptic` in code",
        "``a ` @skeptic``",
        "```\n@skeptic\n```",
        "~~~python\n@skeptic\n```\n~~~",
        "- ```\n  @skeptic\n  ```",
        "> @skeptic said so",
        "   > > @skeptic",
        "\\@skeptic",
        "@ skeptic",
        "a@@skeptic",
        '@"  "',
        "",
    ],
)
def test_code_quotes_and_addresses_call_nobody(text: str) -> None:
    assert [mention for mention in find_mentions(text) if mention.names != ("",)] == []


def test_what_follows_code_and_quotes_is_read_again() -> None:
    assert called("```\n@a\n```\n@b\n> @c\n\n@d `@e` @f") == ["@b", "@d", "@f"]


def test_a_backtick_that_is_never_closed_hides_nothing() -> None:
    assert called("a ` tick and @skeptic") == ["@skeptic"]


def test_a_text_calls_only_so_many() -> None:
    assert len(find_mentions(" ".join(f"@name{number}" for number in range(500)))) == MOST_MENTIONS


@pytest.mark.parametrize("text", ["`" * 200_000, "` `` " * 40_000, "@" * 200_000, '@"' * 100_000, "@a>" * 60_000])
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()
    find_mentions(text)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Skeptic", "@skeptic"),
        ("Careful Skeptic", "@careful-skeptic"),
        ("Dr. Who", "@dr-who"),
        ("  A  _ B ", "@a-b"),
        ("!?", '@"!?"'),
    ],
)
def test_a_name_has_a_way_to_be_called(name: str, written: str) -> None:
    assert handle(name) == written
    assert called(f"x {written} y") == [written]
    assert slug(name) == slug(slug(name))
