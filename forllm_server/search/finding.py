"""Finding: a query's text becomes a page of posts, in the order that was asked for if that can be had quickly."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine

from forllm_server.search.model import Hit, Narrowing, Order, Place, Results, Span
from forllm_server.search.name_store import (
    list_newest_texts,
    list_newest_titles,
)
from forllm_server.search.narrowing import narrowing_of
from forllm_server.search.query import Query, parse, with_open_end
from forllm_server.search.search_store import (
    count_matches,
    count_posts_of_subforums,
    find_few,
    find_least_match,
    find_newest_id,
    find_newest_id_before,
    find_span,
    list_best,
    list_found,
    list_newest,
)
from forllm_server.search.suggesting import Vocabulary, corrected

#: More matches than this are not weighed against each other: the newest are shown.
COMMON_MATCHES = 20_000
#: With a filter, or without words, posts are looked through from the newest on, this many at a time …
WINDOW_POSTS = 20_000
#: … and at most so often for one page, which then ends early.
MOST_WINDOWS = 3
#: What leaves at most so many posts, as an index tells, is asked before posts are read.
FEW_POSTS = 20_000
#: How long the vocabulary of a forum stays as it is.
VOCABULARY_AGE = timedelta(minutes=15)

_vocabularies: WeakKeyDictionary[Engine, tuple[datetime, Vocabulary]] = WeakKeyDictionary()
_lock = Lock()


def find(
    connection: Connection,
    text: str,
    *,
    reader_id: int,
    zone: ZoneInfo,
    now: datetime,
    order: Order = Order.RELEVANCE,
    limit: int = 20,
    after: Place | None = None,
    is_typing: bool = False,
) -> Results:
    """A page of what ``text`` (see :mod:`forllm_server.search.query`) finds.

    Days begin in ``zone``. ``after`` is the ``next`` of the page before, with the same text and order. ``is_typing``:
    the last word may be unfinished. Raises Invalid for a text that is too long.
    """
    written = parse(text)
    query = with_open_end(written) if is_typing and text[-1:].isalnum() else written
    if query.is_empty:
        return Results(hints=query.hints, is_empty_query=True)
    narrowing, hints = narrowing_of(connection, query.filters, reader_id=reader_id, zone=zone)
    if narrowing.is_impossible:
        return Results(order=order, hints=(*query.hints, *hints))
    results = _search(connection, _Sought(query, narrowing, reader_id, limit, after), order)
    results = replace(results, hints=(*query.hints, *hints))
    if not results.items and results.next is None and after is None and query.wanted:
        meant = corrected(text, written, _vocabulary(connection, now))
        if meant and _finds_anything(connection, _Sought(parse(meant), narrowing, reader_id, limit=1)):
            return replace(results, suggestion=meant)
    return results


@dataclass(frozen=True)
class _Sought:
    """A page that is looked for. ``few``: the filter that leaves few posts (:func:`find_few`); empty: none."""

    query: Query
    narrowing: Narrowing
    reader_id: int
    limit: int
    after: Place | None = None
    few: str = ""


def _search(connection: Connection, sought: _Sought, order: Order) -> Results:
    query, narrowing = sought.query, sought.narrowing
    is_ranked = bool(query.wanted) and order is Order.RELEVANCE
    matches = 0
    if is_ranked or (query.wanted and narrowing != Narrowing()):
        matches = count_matches(connection, query, most=COMMON_MATCHES + 1)
    is_common = is_ranked and matches > COMMON_MATCHES
    used = Order.RELEVANCE if is_ranked and not is_common else Order.NEWEST
    if is_ranked and not matches:
        return Results(order=used)
    # Where fewer posts match, reading them is cheaper than the list of those that a filter leaves.
    most = min(matches, FEW_POSTS)
    few = find_few(connection, narrowing, reader_id=sought.reader_id, most=most) if matches else ""
    sought = replace(sought, after=_fitting(sought.after, used), few=few)
    if used is Order.RELEVANCE:
        hits, further = _rank(connection, sought, find_span(connection, narrowing, most=most))
    else:
        hits, further = _look_back(connection, sought)
    return Results(tuple(list_found(connection, hits, query)), further, used, is_common)


def _fitting(after: Place | None, order: Order) -> Place | None:
    """The place where a page begins; after the order had to change between two pages, the newest come again."""
    if after is None:
        return None
    was_ranked = after.rank != 0
    return after if was_ranked == (order is Order.RELEVANCE) else None


def _next(hits: Sequence[Hit], limit: int) -> Place | None:
    return Place(hits[limit - 1].rank, hits[limit - 1].post_id) if len(hits) > limit else None


def _rank(connection: Connection, sought: _Sought, span: Span | None) -> tuple[list[Hit], Place | None]:
    """The best posts, and where to go on."""
    hits = list_best(
        connection,
        sought.query,
        sought.narrowing,
        reader_id=sought.reader_id,
        limit=sought.limit + 1,
        after=sought.after,
        few=sought.few,
        span=span,
    )
    return hits[: sought.limit], _next(hits, sought.limit)


def _look_back(connection: Connection, sought: _Sought) -> tuple[list[Hit], Place | None]:
    """Posts from the newest on, and where to go on looking."""
    query, narrowing, limit = sought.query, sought.narrowing, sought.limit
    least_id, below_id = _ends(connection, narrowing, sought.after)
    is_whole = bool(sought.few) or _is_quick(connection, query, narrowing)
    hits: list[Hit] = []
    for _ in range(MOST_WINDOWS):
        window = Span(least_id if is_whole else max(least_id, _window(connection, query, below_id)), below_id)
        hits += list_newest(
            connection,
            query,
            narrowing,
            reader_id=sought.reader_id,
            limit=limit + 1 - len(hits),
            span=window,
            few=sought.few,
        )
        if len(hits) > limit or window.least <= least_id:
            return hits[:limit], _next(hits, limit)
        below_id = window.least
    return hits, Place(0, below_id)


def _ends(connection: Connection, narrowing: Narrowing, after: Place | None) -> tuple[int, int]:
    """Where looking back ends and where it begins: the posts of the time that was asked for lie between."""
    span = find_span(connection, narrowing, most=FEW_POSTS)
    if span is not None:
        return span.least, min(span.below, after.post_id) if after else span.below
    if after is not None:
        return 0, after.post_id
    if narrowing.until is not None:
        return 0, find_newest_id_before(connection, narrowing.until) + 1
    return 0, find_newest_id(connection) + 1


def _is_quick(connection: Connection, query: Query, narrowing: Narrowing) -> bool:
    """Whether nearly every post that is looked at is one that is sought, or an index leads to those that are."""
    if query.wanted:
        return narrowing == Narrowing()
    if narrowing.is_selective:
        return True
    if narrowing.subforum_ids is None:
        return False
    return count_posts_of_subforums(connection, narrowing.subforum_ids) <= WINDOW_POSTS


def _window(connection: Connection, query: Query, below_id: int) -> int:
    """Down to which post is looked before it is asked again whether the page is full."""
    if not query.wanted:
        return max(0, below_id - WINDOW_POSTS)
    return find_least_match(connection, query, below_id=below_id, most=WINDOW_POSTS)


def _finds_anything(connection: Connection, sought: _Sought) -> bool:
    few = find_few(connection, sought.narrowing, reader_id=sought.reader_id, most=FEW_POSTS)
    hits, _ = _look_back(connection, replace(sought, few=few))
    return bool(hits)


def _vocabulary(connection: Connection, now: datetime) -> Vocabulary:
    with _lock:
        read_at, vocabulary = _vocabularies.get(connection.engine, (now - 2 * VOCABULARY_AGE, None))
        if vocabulary is None or abs(now - read_at) > VOCABULARY_AGE:
            vocabulary = Vocabulary.of([*list_newest_titles(connection), *list_newest_texts(connection)])
            _vocabularies[connection.engine] = (now, vocabulary)
        return vocabulary
