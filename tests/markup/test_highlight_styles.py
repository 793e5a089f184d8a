"""The style sheet for code is generated, current, complete and readable."""

from pathlib import Path

import pytest
from pygments.token import STANDARD_TYPES, Token

from forllm_server.markup.highlight_styles import DARK_GROUND, LIGHT_GROUND, MEANINGS, Colour, colours, stylesheet

SHEET = Path(__file__).parents[2] / "static" / "css" / "components" / "highlight.css"


def test_the_sheet_is_the_generated_one() -> None:
    assert SHEET.read_text(encoding="utf-8") == stylesheet()


def test_the_sheet_stays_in_its_layer() -> None:
    assert stylesheet().splitlines()[1] == "@layer components {"


@pytest.mark.parametrize("meaning", MEANINGS)
def test_code_can_be_read_by_day_and_by_night(meaning: str) -> None:
    light, dark = colours(meaning)
    assert light.contrast(Colour.from_hex(LIGHT_GROUND)) >= 4.5
    assert dark.contrast(Colour.from_hex(DARK_GROUND)) >= 4.5


def test_every_keyword_string_comment_and_number_has_a_colour() -> None:
    sheet = stylesheet()
    for kind, name in STANDARD_TYPES.items():
        if any(kind in wide for wide in (Token.Keyword, Token.Literal.String, Token.Comment, Token.Literal.Number)):
            assert f".{name}," in sheet or f".{name})" in sheet
