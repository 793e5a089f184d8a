"""What the two databases say differently when the index is asked: parts of statements, put together by the stores."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from forllm_server.search.marking_store import MATCH_BEGINS, MATCH_ENDS, SNIPPET_TOKENS
from forllm_server.search.query import Query, Term

_HEADLINE = f'StartSel="{MATCH_BEGINS}", StopSel="{MATCH_ENDS}", MaxWords={SNIPPET_TOKENS}, MinWords=16, MaxFragments=1'
#: How much of a text PostgreSQL looks through for its snippet.
_HEADLINE_CHARS = 50_000


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part of a statement with the values it needs."""

    sql: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Matching:
    """How a statement finds what the index holds of a query: ``source`` goes after FROM, the rest into its places."""

    source: str
    post_id: str
    condition: Fragment
    #: the smaller the better
    rank: str
    #: an order by ``rank`` and by newest first that the index delivers without seeing everything
    by_rank: str
    by_newest: str


def matching_of(connection: Connection, query: Query) -> Matching:
    """How to find what ``query`` wants; it wants something."""
    if connection.dialect.name == "sqlite":
        return Matching(
            source="search_index",
            post_id="search_index.rowid",
            condition=Fragment("search_index.search_index MATCH :wanted", {"wanted": fts5_expression(query)}),
            rank="search_index.rank",
            by_rank="search_index.rank",
            by_newest="search_index.rowid DESC",
        )
    rank = "(-ts_rank('{0.1, 0.1, 0.1, 1.0}', search_words.words, to_tsquery('search_english', :wanted), 1))::float8"
    return Matching(
        source="search_words",
        post_id="search_words.post_id",
        condition=Fragment(
            "search_words.words @@ to_tsquery('search_english', :wanted)", {"wanted": tsquery_expression(query)}
        ),
        rank=rank,
        by_rank="rank, id",
        by_newest="search_words.post_id DESC",
    )


def absence_of(connection: Connection, query: Query) -> Fragment:
    """The condition on ``p.id`` that a post holds nothing of what is unwanted."""
    if connection.dialect.name == "sqlite":
        return Fragment(
            "NOT EXISTS (SELECT 1 FROM search_index AS unwanted"
            " WHERE unwanted.search_index MATCH :unwanted AND unwanted.rowid = p.id)",
            {"unwanted": _fts5_any(query.unwanted)},
        )
    return Fragment(
        "NOT EXISTS (SELECT 1 FROM search_words AS unwanted WHERE unwanted.post_id = p.id"
        " AND unwanted.words @@ to_tsquery('search_english', :unwanted))",
        {"unwanted": _tsquery_any(query.unwanted)},
    )


def headline_columns() -> str:
    """PostgreSQL's columns ``marked_title`` and ``marked_text`` of a post ``p`` in a topic ``t``."""
    query = "to_tsquery('search_english', :wanted)"
    whole = _HEADLINE.replace("MaxFragments=1", "HighlightAll=true")
    return (
        f"ts_headline('search_english', t.title, {query}, '{whole}') AS marked_title,"
        f" ts_headline('search_english', left(p.content, {_HEADLINE_CHARS}), {query}, '{_HEADLINE}') AS marked_text"
    )


def fts5_expression(query: Query) -> str:
    """What is wanted and unwanted in FTS5's language. Every word stands in quotes, so none is an operator."""
    wanted = " AND ".join(f"({_fts5_any(alternatives)})" for alternatives in query.wanted)
    return f"({wanted}) NOT ({_fts5_any(query.unwanted)})" if query.unwanted else wanted


def tsquery_expression(query: Query) -> str:
    """The same in PostgreSQL's."""
    wanted = " & ".join(f"({_tsquery_any(alternatives)})" for alternatives in query.wanted)
    return f"{wanted} & !({_tsquery_any(query.unwanted)})" if query.unwanted else wanted


def _fts5_any(terms: tuple[Term, ...]) -> str:
    return " OR ".join(f'"{" ".join(term.tokens)}"{"*" if term.is_prefix else ""}' for term in terms)


def _tsquery_any(terms: tuple[Term, ...]) -> str:
    # Tokens are letters and digits only, so nothing in them can end the quotes.
    return " | ".join(
        "(" + " <-> ".join(f"'{token}'" for token in term.tokens) + (":*" if term.is_prefix else "") + ")"
        for term in terms
    )
