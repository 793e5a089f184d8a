"""Votes, what is counted of them, and what it costs, on both databases."""

import time
from datetime import datetime, timedelta

import pytest

from forllm_server.db import Database, metadata
from forllm_server.errors import Conflict
from forllm_server.votes import comparison_store, pair_store, standings, tally_store, voting
from forllm_server.votes.agreement import agreement
from forllm_server.votes.export import preference_lines
from forllm_server.votes.model import Choice, Entrant, Side, Tally
from tests.support.world import LOCAL_USER, make_world
from tests.votes.world import MODEL, Contest


def test_the_newest_question_is_asked_about_first(contest: Contest) -> None:
    contest.round()
    newest = contest.round()
    with contest.database.read() as connection:
        pair = pair_store.find_next_pair(connection, LOCAL_USER)
    assert pair is not None
    assert {pair.low_id, pair.high_id} == set(newest.values())


def test_one_vote_a_person_and_pair(contest: Contest) -> None:
    replies = contest.round()
    one, other = replies["Skeptic"], replies["Teacher"]
    with contest.database.transaction() as connection:
        skipped = voting.vote(connection, LOCAL_USER, one, other, Side.SKIP, contest.now)
        voted = voting.vote(connection, LOCAL_USER, other, one, Side.LEFT, contest.now)
        assert (voted.id, voted.winner_id) == (skipped.id, other)
        later = contest.now + timedelta(hours=1)
        assert voting.vote(connection, LOCAL_USER, one, other, Side.RIGHT, later) == voted
        with pytest.raises(voting.AlreadyVoted):
            voting.vote(connection, LOCAL_USER, one, other, Side.LEFT, contest.now)
        with pytest.raises(Conflict):
            comparison_store.insert_comparison(connection, LOCAL_USER, voted.pair, Choice.TIE, contest.now)
        assert comparison_store.get_comparison(connection, LOCAL_USER, voted.id).choice is voted.choice


def test_votes_are_counted_by_who_stood_against_whom(contest: Contest) -> None:
    contest.series("Skeptic", "Teacher", 3)
    contest.series("Teacher", "Skeptic", 1)
    for even in (Choice.TIE, Choice.BAD, Choice.BAD, Choice.SKIP):
        replies = contest.round()
        contest.vote(replies["Skeptic"], replies["Teacher"], None, even=even)
    skeptic, teacher = (Entrant(contest.versions[name], MODEL) for name in ("Skeptic", "Teacher"))
    for subforum_id in (None, contest.world.subforum_id):
        with contest.database.read() as connection:
            tallies = tally_store.list_tallies(connection, LOCAL_USER, subforum_id=subforum_id)
        assert tallies == [Tally(skeptic, teacher, 3, 1, 1, 2)]
    with contest.database.read() as connection:
        assert tally_store.list_tallies(connection, LOCAL_USER, subforum_id=99) == []
        assert tally_store.list_subforums_with_votes(connection, LOCAL_USER) == [(1, "Homelab")]


def test_the_leaderboard_moves_with_the_votes(contest: Contest) -> None:
    contest.series("Skeptic", "Teacher", 9)

    def points() -> list[float]:
        with contest.database.read() as connection:
            board = standings.read_leaderboard(connection, LOCAL_USER, contest.now)
        return [round(standing.points) for standing in board.standings]

    before = points()
    assert points() == before
    contest.series("Teacher", "Skeptic", 3)
    assert points() == [1091, 909]
    with contest.database.transaction() as connection:
        assert comparison_store.delete_comparison(connection, LOCAL_USER, 12)
    assert points() != [1091, 909]


def test_places_are_shared_until_intervals_lie_apart(contest: Contest) -> None:
    contest.series("Skeptic", "Teacher", 9)
    contest.series("Teacher", "Skeptic", 3)

    def places() -> list[int]:
        with contest.database.read() as connection:
            board = standings.read_leaderboard(connection, LOCAL_USER, contest.now)
        return [standing.place for standing in board.told]

    assert places() == [1, 1]
    contest.series("Skeptic", "Teacher", 30)
    assert places() == [1, 2]


def test_waiting_pairs_are_counted_up_to_a_hundred(contest: Contest) -> None:
    def waiting() -> int:
        with contest.database.read() as connection:
            return standings.count_waiting(connection, LOCAL_USER, contest.now)

    assert waiting() == 0
    replies = contest.round()
    assert waiting() == 1
    contest.vote(replies["Skeptic"], replies["Teacher"], None)
    assert waiting() == 0
    for _ in range(101):
        contest.round()
    assert waiting() == standings.MOST_WAITING


def test_the_export_goes_on_where_a_stretch_ended(contest: Contest) -> None:
    contest.series("Skeptic", "Teacher", 205)
    assert len(list(preference_lines(contest.database, LOCAL_USER))) == 205


def test_agreement_matches_a_computation_by_hand() -> None:
    """Cohen's own kind of table: 20 + 5 / 10 + 15. Same: 0.7; by chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5; kappa 0.4."""
    low, high = Choice.LOW, Choice.HIGH
    found = agreement([(low, low, 20), (low, high, 5), (high, low, 10), (high, high, 15)])
    assert found is not None
    assert (found.number, found.share) == (50, 0.7)
    assert found.kappa == pytest.approx(0.4)
    assert agreement([]) is None
    always = agreement([(Choice.BAD, Choice.TIE, 3)])
    assert always is not None
    assert (always.share, always.kappa) == (1.0, None)


def test_a_hundred_thousand_votes_are_rated_within_a_second(sqlite_database: Database, now: datetime) -> None:
    names = [f"P{number}" for number in range(12)]
    contest = Contest(sqlite_database, make_world(sqlite_database, now), now, *names)
    versions = [contest.versions[name] for name in names]
    replies = [contest.round() for _ in range(2)]
    posts = metadata.tables["posts"]
    low = min(replies[0].values())
    rows = []
    with sqlite_database.transaction() as connection:
        # As many replies as votes would cost more than what is measured: keys are satisfied, ids differ.
        first = max(replies[1].values()) + 1
        template = dict(connection.execute(posts.select().where(posts.c.id == low)).mappings().one())
        more = [template | {"id": first + n, "path": b"\x09" + n.to_bytes(4, "big")} for n in range(450)]
        connection.execute(posts.insert(), more)
        ids = [first + n for n in range(450)]
        for place, low_id in enumerate(ids):
            for high_id in ids[place + 1 :]:
                number = len(rows)
                one, other = versions[number % 12], versions[(number // 12 + number + 1) % 12]
                choice = ("low", "high", "low", "tie", "bad")[number * 7 % 5]
                rows.append((LOCAL_USER, low_id, high_id, one, MODEL, other, MODEL, choice, now))
        columns = [column.name for column in metadata.tables["comparisons"].columns][1:]
        values = [dict(zip(columns, row, strict=True)) for row in rows[:100_000]]
        connection.execute(metadata.tables["comparisons"].insert(), values)
    with sqlite_database.read() as connection:
        begun = time.process_time()
        board = standings.read_leaderboard(connection, LOCAL_USER, now)
        first_seconds = time.process_time() - begun
        begun = time.process_time()
        assert standings.read_leaderboard(connection, LOCAL_USER, now + timedelta(seconds=1)) is board
        again_seconds = time.process_time() - begun
    assert len(board.told) == 12
    assert first_seconds < 1
    assert again_seconds < 0.1
