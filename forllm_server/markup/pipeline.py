"""One text through the parser, the sanitiser and the check that nothing was lost; no budget of time here."""

from collections.abc import Iterator, Sequence
from typing import Any

from markdown_it.token import Token

from forllm_server.markup.faults import PARSER_FAULTS, Unrenderable
from forllm_server.markup.highlight import TEXT_SECONDS, Budget
from forllm_server.markup.parser import MAX_NESTING, parser
from forllm_server.markup.references import References
from forllm_server.markup.sanitize import sanitize
from forllm_server.markup.words import find_lost_words

MIN_OUTPUT_CHARS = 1_000_000
OUTPUT_TIMES_SOURCE = 8


def render_markdown(source: str, *, anchor_prefix: str) -> str:
    """The page's HTML for the source. Raises Unrenderable when it cannot be shown whole, or would be too large."""
    try:
        return _render(source, anchor_prefix)
    except PARSER_FAULTS as error:
        raise Unrenderable("it meets a fault in the Markdown parser") from error


def _render(source: str, anchor_prefix: str) -> str:
    limit_chars = max(MIN_OUTPUT_CHARS, OUTPUT_TIMES_SOURCE * len(source))
    environment: dict[str, Any] = {
        "docId": anchor_prefix,
        "references": References(limit_chars),
        "highlight_budget": Budget(seconds=TEXT_SECONDS, chars=limit_chars // 2),
    }
    markdown = parser()
    tokens = markdown.parse(source, environment)
    if any(token.level >= MAX_NESTING for token in tokens):
        raise Unrenderable("its quotes or lists are nested too deeply")
    written = markdown.renderer.render(tokens, markdown.options, environment)
    if len(written) > limit_chars:
        raise Unrenderable("the page would become too large")
    page = sanitize(written)
    if find_lost_words(source, page, _explained(tokens, environment)):
        raise Unrenderable("some of its words would not be shown")
    return page


def _explained(tokens: Sequence[Token], environment: dict[str, Any]) -> Iterator[str]:
    """Words of the source that the page shows in another way: names of references, list numbers, ticked boxes."""
    yield from environment["references"].used
    yield from environment.get("footnotes", {}).get("refs", ())
    for token in tokens:
        if token.type == "list_item_open":
            yield token.info
            yield "x" if token.attrGet("class") else ""
