"""Ratings, against a computation by hand and against a search for the greatest likelihood."""

import itertools
import math
import random
import time

import pytest

from forllm_server.votes.rating import probability, rate

Wins = dict[tuple[str, str], float]


def log_likelihood(logs: dict[str, float], wins: Wins) -> float:
    """Of the votes and of the one tie of everybody with the imagined opponent, written out anew."""
    votes = sum(number * -math.log1p(math.exp(logs[worse] - logs[better])) for (better, worse), number in wins.items())
    return votes + sum(-0.5 * math.log1p(math.exp(-log)) - 0.5 * math.log1p(math.exp(log)) for log in logs.values())


def climbed(wins: Wins) -> dict[str, float]:
    """The likeliest logarithms of strengths, found by trying steps in every direction and halving them."""
    logs = {name: 0.0 for pair in wins for name in pair}
    directions = [*({name: 1.0} for name in logs), dict.fromkeys(logs, 1.0)]
    step, best = 1.0, log_likelihood(logs, wins)
    while step > 1e-7:
        moved = False
        for direction, sign in itertools.product(directions, (1, -1)):
            tried = {name: log + sign * step * direction.get(name, 0.0) for name, log in logs.items()}
            if (found := log_likelihood(tried, wins)) > best:
                logs, best, moved = tried, found, True
        if not moved:
            step /= 2
    return logs


def points_of(logs: dict[str, float]) -> dict[str, float]:
    mean = sum(logs.values()) / len(logs)
    return {name: 1000 + 400 / math.log(10) * (log - mean) for name, log in logs.items()}


def test_two_entrants_match_a_computation_by_hand() -> None:
    """9 of 12, and one tie each with the imagined opponent, for the strengths e^t and e^-t: 9.5 = 12 s(2t) + s(t).

    With t = 0.521: s(1.042) = 0.73924, s(0.521) = 0.62738, in all 9.4982; with t = 0.522: 9.5031. So t = 0.52137,
    90.57 points to either side.
    """
    rated = rate({("A", "B"): 9.0, ("B", "A"): 3.0})
    assert rated["A"].points == pytest.approx(1090.57, abs=0.01)
    assert rated["B"].points == pytest.approx(909.43, abs=0.01)
    # The information: of the votes 12 * 0.73938 * 0.26062 = 2.3124 on the difference, which is 2t, and of the imagined
    # ties 0.62747 * 0.37253 = 0.23375 on each t. Of t: 4 * 2.3124 + 2 * 0.23375 = 9.7170, whose root's inverse is
    # 0.32080; 1.96 of that are 109.23 points.
    assert rated["A"].high - rated["A"].points == pytest.approx(109.23, abs=0.01)


def test_three_entrants_match_the_greatest_likelihood_found_by_search() -> None:
    wins = {("A", "B"): 7.0, ("B", "A"): 2.5, ("B", "C"): 4.0, ("C", "B"): 6.5, ("A", "C"): 1.0}
    rated = rate(wins)
    for name, points in points_of(climbed(wins)).items():
        assert rated[name].points == pytest.approx(points, abs=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_many_entrants_match_the_greatest_likelihood_found_by_search(seed: int) -> None:
    dice = random.Random(seed)
    names = "ABCDEF"
    wins = {pair: dice.randrange(0, 30) / 2 for pair in itertools.permutations(names, 2) if dice.random() < 0.6}
    rated = rate(wins)
    for name, points in points_of(climbed(wins)).items():
        assert rated[name].points == pytest.approx(points, abs=0.05)


def test_who_never_lost_has_a_finite_rating_with_a_wide_interval() -> None:
    rated = rate({("A", "B"): 5.0})
    assert rated["A"].points > rated["B"].points
    assert math.isfinite(rated["A"].points)
    assert rated["A"].high - rated["A"].low > 250


def test_those_who_were_never_compared_are_not_told_apart() -> None:
    rated = rate({("A", "B"): 50.0, ("B", "A"): 50.0, ("C", "D"): 50.0, ("D", "C"): 50.0})
    assert [round(rating.points) for rating in rated.values()] == [1000] * 4
    assert rated["A"].high - rated["A"].points > 150


def test_more_comparisons_make_a_narrower_interval() -> None:
    few, many = rate({("A", "B"): 6.0, ("B", "A"): 4.0}), rate({("A", "B"): 600.0, ("B", "A"): 400.0})
    ratio = (few["A"].high - few["A"].low) / (many["A"].high - many["A"].low)
    assert ratio == pytest.approx(10, rel=0.1)


def test_the_interval_holds_the_true_difference_nineteen_times_of_twenty() -> None:
    dice, held = random.Random(7), 0
    for _ in range(400):
        won = sum(dice.random() < probability(100) for _ in range(100))
        rating = rate({("A", "B"): float(won), ("B", "A"): float(100 - won)})["A"]
        held += rating.low <= 1050 <= rating.high
    assert 0.92 <= held / 400 <= 0.98


def test_points_mean_a_probability() -> None:
    assert probability(0) == 0.5
    assert probability(100) == pytest.approx(0.640, abs=0.0005)
    assert probability(400) == pytest.approx(10 / 11)
    assert probability(-1e9) == pytest.approx(0)


def test_nobody_is_rated_when_nobody_was_compared() -> None:
    assert rate({}) == {}


def test_a_hundred_entrants_are_rated_within_a_second() -> None:
    dice = random.Random(1)
    skill = [dice.gauss(0, 150) for _ in range(100)]
    wins: dict[tuple[int, int], float] = {}
    for _ in range(100_000):
        first, second = dice.sample(range(100), 2)
        pair = (first, second) if dice.random() < probability(skill[first] - skill[second]) else (second, first)
        wins[pair] = wins.get(pair, 0) + 1
    begun = time.process_time()
    rated = rate(wins)
    assert time.process_time() - begun < 1
    mean = sum(skill) / 100
    inside = sum(rating.low <= 1000 + skill[index] - mean <= rating.high for index, rating in rated.items())
    assert inside >= 85
