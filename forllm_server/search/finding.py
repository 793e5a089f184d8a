"""Finding: a query's text becomes a page of posts, in the order that was asked for if that can be had quickly."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine

from forllm_server.search.model import Hit, Narrowing, Order, Place, Results
from forllm_server.search.name_store import (
    list_newest_texts,
    list_newest_titles,
)
from forllm_server.search.narrowing import narrowing_of
from forllm_server.search.query import Query, parse, with_open_end
from forllm_server.search.search_store import (
    count_matches,
    count_posts_of_subforums,
    find_newest_id,
    list_found,
    list_hits,
    list_newest,
)
from forllm_server.search.suggesting import Vocabulary, corrected

#: More matches than this are not weighed against each other: the newest are shown.
COMMON_MATCHES = 20_000
#: Without words posts are looked through from the newest on, this many at a time …
WINDOW_POSTS = 20_000
#: … and at most so often for one page, which then ends early.
MOST_WINDOWS = 3
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
    query = parse(text)
    if is_typing and text[-1:].isalnum():
        query = with_open_end(query)
    if query.is_empty:
        return Results(hints=query.hints, is_empty_query=True)
    narrowing, hints = narrowing_of(connection, query.filters, reader_id=reader_id, zone=zone)
    if narrowing.is_impossible:
        return Results(order=order, hints=(*query.hints, *hints))
    results = _search(connection, query, narrowing, reader_id=reader_id, order=order, limit=limit, after=after)
    results = replace(results, hints=(*query.hints, *hints))
    if not results.items and after is None and query.wanted:
        meant = corrected(text, query, _vocabulary(connection, now))
        if meant and _finds_anything(connection, parse(meant), narrowing, reader_id=reader_id):
            return replace(results, suggestion=meant)
    return results


def _search(
    connection: Connection,
    query: Query,
    narrowing: Narrowing,
    *,
    reader_id: int,
    order: Order,
    limit: int,
    after: Place | None,
) -> Results:
    if not query.wanted:
        hits, further = _look_back(connection, query, narrowing, reader_id=reader_id, limit=limit, after=after)
        return Results(items=tuple(list_found(connection, hits, query)), next=further, order=Order.NEWEST)
    is_common = order is Order.RELEVANCE and count_matches(connection, query, most=COMMON_MATCHES + 1) > COMMON_MATCHES
    used = Order.NEWEST if is_common else order
    hits = list_hits(
        connection, query, narrowing, reader_id=reader_id, order=used, limit=limit + 1, after=_fitting(after, used)
    )
    items = tuple(list_found(connection, hits[:limit], query))
    return Results(items=items, next=_next(hits, limit), order=used, is_common=is_common)


def _fitting(after: Place | None, order: Order) -> Place | None:
    """The place where a page begins; after the order had to change between two pages, the newest come again."""
    if after is None:
        return None
    was_ranked = after.rank != 0
    return after if was_ranked == (order is Order.RELEVANCE) else None


def _next(hits: Sequence[Hit], limit: int) -> Place | None:
    return Place(hits[limit - 1].rank, hits[limit - 1].post_id) if len(hits) > limit else None


def _look_back(
    connection: Connection, query: Query, narrowing: Narrowing, *, reader_id: int, limit: int, after: Place | None
) -> tuple[list[Hit], Place | None]:
    """Posts from the newest on, and where to go on looking."""
    below_id = after.post_id if after else find_newest_id(connection) + 1
    window = WINDOW_POSTS
    if narrowing.is_selective or _is_small(connection, narrowing):
        window = below_id
    hits: list[Hit] = []
    for _ in range(MOST_WINDOWS):
        least_id = max(0, below_id - window)
        hits += list_newest(
            connection,
            query,
            narrowing,
            reader_id=reader_id,
            limit=limit + 1 - len(hits),
            below_id=below_id,
            least_id=least_id,
        )
        if len(hits) > limit or least_id == 0:
            return hits[:limit], _next(hits, limit)
        below_id = least_id
    return hits, Place(0, below_id)


def _is_small(connection: Connection, narrowing: Narrowing) -> bool:
    if narrowing.subforum_ids is None:
        return False
    return count_posts_of_subforums(connection, narrowing.subforum_ids) <= WINDOW_POSTS


def _finds_anything(connection: Connection, query: Query, narrowing: Narrowing, *, reader_id: int) -> bool:
    return bool(list_hits(connection, query, narrowing, reader_id=reader_id, order=Order.NEWEST, limit=1))


def _vocabulary(connection: Connection, now: datetime) -> Vocabulary:
    with _lock:
        read_at, vocabulary = _vocabularies.get(connection.engine, (now - 2 * VOCABULARY_AGE, None))
        if vocabulary is None or abs(now - read_at) > VOCABULARY_AGE:
            vocabulary = Vocabulary.of([*list_newest_titles(connection), *list_newest_texts(connection)])
            _vocabularies[connection.engine] = (now, vocabulary)
        return vocabulary
