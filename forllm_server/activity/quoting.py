"""Noting which posts quote which, from their texts."""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection

from forllm_server.activity import quote_store


def find_changed_quotes(connection: Connection, quotes: Mapping[int, Collection[int]]) -> dict[int, frozenset[int]]:
    """Those of the posts that quote otherwise than is noted. ``quotes`` are the ids that each post's text names; ids of
    no post are left out."""
    named = {quoted_id for quoted in quotes.values() for quoted_id in quoted}
    there = quote_store.list_there(connection, named) if named else frozenset()
    noted = quote_store.list_quotes_of(connection, quotes)
    meant = {post_id: frozenset(quoted) & there - {post_id} for post_id, quoted in quotes.items()}
    return {post_id: quoted for post_id, quoted in meant.items() if quoted != noted.get(post_id, frozenset())}


def note_quotes(connection: Connection, quotes: Mapping[int, Collection[int]]) -> None:
    """Note what posts quote, as :func:`find_changed_quotes` found it."""
    quote_store.replace_quotes(connection, quotes)
