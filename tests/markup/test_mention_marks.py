"""Calls in a rendered text are marked where they call somebody, and nowhere else."""

import re

import pytest

from forllm_server.markup.render import render


def marked(source: str) -> list[str]:
    html = render(source, anchor_prefix="p").html
    return re.findall(r'<span class="mention">([^<]*)</span>', html)


@pytest.mark.parametrize(
    ("source", "calls"),
    [
        ("@skeptic, what now?", ["@skeptic"]),
        ("Ask **@skeptic** and _@teacher_.", ["@skeptic", "@teacher"]),
        ("@a>@b:@c go on", ["@a", "@b", "@c"]),
        ('@"Careful Skeptic" and (@care_ful.x)', ["@&quot;Careful Skeptic&quot;", "@care_ful.x"]),
        ("- one\n- @two\n\n# @three", ["@two", "@three"]),
        ("line one\n@skeptic", ["@skeptic"]),
        ("`@code` and\n\n```\n@fence\n```\n\n    @indented", []),
        ("> @quoted\n\nnot quoted: @said", ["@said"]),
        (r"\@escaped and a@b.example and x/@y", []),
        ("[@linked](/x) and https://example.org/@me", []),
        ("<@tag>", ["@tag"]),
    ],
)
def test_calls_are_marked_where_they_call(source: str, calls: list[str]) -> None:
    assert [call.replace('"', "&quot;") for call in marked(source)] == calls


def test_a_mark_adds_no_word_and_names_nobody() -> None:
    assert render("Dear @skeptic!", anchor_prefix="p").html == '<p>Dear <span class="mention">@skeptic</span>!</p>\n'
