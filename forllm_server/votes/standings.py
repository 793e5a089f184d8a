"""The leaderboard: the ratings of all who were compared, and how many pairs wait for a vote.

Both are computed anew only when the votes have changed, and kept by each process. What else they depend on (a topic
that moved, a reply that was deleted) is seen after a while at the latest.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine

from forllm_server.votes import pair_store, tally_store
from forllm_server.votes.model import Choice, Entrant, EntrantName, Leaderboard, Standing, Tally
from forllm_server.votes.rating import Rating, rate

#: With fewer comparisons nothing is told of an entrant's rank.
ENOUGH = 8
#: More pairs than so many are not counted.
MOST_WAITING = 100
_KEPT = timedelta(minutes=5)
_WAITING_KEPT = timedelta(minutes=1)

T = TypeVar("T")

#: By database and what was asked: (what it was computed from, when, the result).
_computed: "WeakKeyDictionary[Engine, dict[tuple[Any, ...], tuple[Any, datetime, Any]]]" = WeakKeyDictionary()


def read_leaderboard(
    connection: Connection, user_id: int, now: datetime, *, subforum_id: int | None = None
) -> Leaderboard:
    """By a person's votes, in all of the forum or in a subforum."""
    return _kept(
        connection,
        ("votes", user_id, subforum_id),
        (tally_store.read_version(connection, user_id), now),
        _KEPT,
        lambda: _leaderboard(connection, tally_store.list_tallies(connection, user_id, subforum_id=subforum_id)),
    )


def read_judged_leaderboard(
    connection: Connection, judge_version_id: int, now: datetime, *, subforum_id: int | None = None
) -> Leaderboard:
    """The same by a judge's votes."""
    return _kept(
        connection,
        ("judge", judge_version_id, subforum_id),
        (tally_store.read_judged_stamp(connection, judge_version_id), now),
        _KEPT,
        lambda: _leaderboard(
            connection, tally_store.list_judged_tallies(connection, judge_version_id, subforum_id=subforum_id)
        ),
    )


def count_waiting(connection: Connection, user_id: int, now: datetime) -> int:
    """How many pairs wait for a person's vote, :data:`MOST_WAITING` at most. Cheap enough for every page."""
    newest_id, version = pair_store.read_newest_post_id(connection), tally_store.read_version(connection, user_id)
    return _kept(
        connection,
        ("waiting", user_id),
        ((newest_id, version), now),
        _WAITING_KEPT,
        lambda: pair_store.count_waiting_pairs(connection, user_id, most=MOST_WAITING),
    )


def _kept(
    connection: Connection,
    key: tuple[Any, ...],
    state: tuple[Any, datetime],
    kept: timedelta,
    compute: Callable[[], T],
) -> T:
    stamp, now = state
    results = _computed.setdefault(connection.engine, {})
    found = results.get(key)
    if found is not None and found[0] == stamp and timedelta(0) <= now - found[1] < kept:
        result: T = found[2]
        return result
    result = compute()
    results[key] = (stamp, now, result)
    return result


def _leaderboard(connection: Connection, tallies: Sequence[Tally]) -> Leaderboard:
    names = tally_store.list_entrant_names(
        connection, {entrant.version_id for tally in tallies for entrant in (tally.first, tally.second)}
    )
    return Leaderboard(standings_of(tallies, names), sum(tally.number for tally in tallies))


def standings_of(tallies: Sequence[Tally], names: dict[int, EntrantName]) -> tuple[Standing, ...]:
    """The lines of a leaderboard: those of whom something can be told by their points, then the others."""
    ended = _ends(tallies)
    ratings = rate(_wins(tallies))
    enough = {entrant for entrant, ends in ended.items() if ends.total() >= ENOUGH}
    told = [ratings[entrant] for entrant in enough]
    standings = [
        Standing(
            entrant=entrant,
            name=names[entrant.version_id],
            points=rating.points,
            low=rating.low,
            high=rating.high,
            place=1 + sum(other.low > rating.high for other in told),
            wins=ended[entrant]["wins"],
            losses=ended[entrant]["losses"],
            ties=ended[entrant][Choice.TIE],
            bad=ended[entrant][Choice.BAD],
            is_enough=entrant in enough,
        )
        for entrant, rating in ratings.items()
    ]
    return tuple(sorted(standings, key=lambda each: (not each.is_enough, -each.points, each.entrant)))


def _wins(tallies: Sequence[Tally]) -> dict[tuple[Entrant, Entrant], float]:
    """Better and worse, how often. A tie is half a win for either, and so is "both bad": neither is preferred."""
    wins: Counter[tuple[Entrant, Entrant]] = Counter()
    found: dict[tuple[Entrant, Entrant], float] = {}
    for tally in tallies:
        # Twice, so that halves are counted as whole numbers.
        even = tally.ties + tally.bad
        wins[tally.first, tally.second] += 2 * tally.first_wins + even
        wins[tally.second, tally.first] += 2 * tally.second_wins + even
    for pair, doubled in wins.items():
        found[pair] = doubled / 2
    return found


def _ends(tallies: Sequence[Tally]) -> dict[Entrant, Counter[str]]:
    """How the comparisons of each ended."""
    ends: dict[Entrant, Counter[str]] = {}
    for tally in tallies:
        even = {Choice.TIE.value: tally.ties, Choice.BAD.value: tally.bad}
        first, second = (ends.setdefault(entrant, Counter()) for entrant in (tally.first, tally.second))
        first.update({"wins": tally.first_wins, "losses": tally.second_wins, **even})
        second.update({"wins": tally.second_wins, "losses": tally.first_wins, **even})
    return ends


def words(rating: Rating | Standing) -> str:
    """A rating with the half width of its interval: ``1,083 ± 41``."""
    return f"{rating.points:,.0f} ± {(rating.high - rating.low) / 2:,.0f}"
