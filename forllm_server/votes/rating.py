"""Ratings from comparisons in pairs: the Bradley-Terry model, in points on the scale of Elo's chess ratings. Pure.

The model gives everybody a strength g > 0; A is preferred to B with the probability g_A / (g_A + g_B). The likeliest
strengths are found by the MM algorithm of D. R. Hunter, "MM algorithms for generalized Bradley-Terry models", The
Annals of Statistics 32 (2004), 384-406, section 2: g_i becomes W_i / sum_j(n_ij / (g_i + g_j)), again and again, where
W_i are the wins of i and n_ij the comparisons of i with j. A tie counts as half a win for either.

So that somebody who never lost has a finite strength, and those who were never compared with one another have one at
all, everybody has also tied once with an imagined opponent of strength 1 (a weak prior, worth one comparison). Each
round ends with the common factor that this prior likes best: without it, MM would take thousands of rounds to find it.

Intervals come from the observed information: the inverse of the negative second derivative of the log likelihood in
t = ln g gives the variances; what is told is the variance of t_i less the mean of all t, since only differences mean
anything. 95 % are 1.96 standard deviations to either side.

Points are 1000 + 400 log10(g), less the mean of all: 400 points more are odds of ten to one, as in A. Elo, "The Rating
of Chessplayers" (1978).
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from operator import mul
from typing import TypeVar

MEAN_POINTS = 1000.0
#: points for a factor of e
_SCALE = 400 / math.log(10)
_NORMAL_95 = 1.959964
_PRIOR_TIES = 1.0
_CLOSE_ENOUGH = 1e-7
_MOST_ROUNDS = 2_000

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Rating:
    """In points; ``low`` and ``high`` bound the 95 % interval."""

    points: float
    low: float
    high: float


def probability(difference: float) -> float:
    """How likely somebody with so many points more is preferred."""
    return 1 / (1 + math.pow(10, -max(min(difference, 8000.0), -8000.0) / 400))


def rate(wins: Mapping[tuple[K, K], float]) -> dict[K, Rating]:
    """The rating of everybody in ``wins``: (better, worse) → how often; half of each tie stands in either order."""
    names = sorted({name for pair in wins for name in pair}, key=repr)
    if not names:
        return {}
    place = {name: index for index, name in enumerate(names)}
    won = [0.0] * len(names)
    games: list[dict[int, float]] = [{} for _ in names]
    for (better, worse), number in wins.items():
        first, second = place[better], place[worse]
        won[first] += number
        games[first][second] = games[first].get(second, 0.0) + number
        games[second][first] = games[second].get(first, 0.0) + number
    strengths = _strengths(won, [list(row.items()) for row in games])
    logs = [math.log(strength) for strength in strengths]
    mean = math.fsum(logs) / len(logs)
    return {
        name: _rating(logs[index] - mean, variance)
        for (index, name), variance in zip(enumerate(names), _variances(strengths, games), strict=True)
    }


def _rating(log_strength: float, variance: float) -> Rating:
    points, half = MEAN_POINTS + _SCALE * log_strength, _SCALE * _NORMAL_95 * math.sqrt(variance)
    return Rating(points, points - half, points + half)


def _strengths(won: Sequence[float], games: Sequence[Sequence[tuple[int, float]]]) -> list[float]:
    """The likeliest strengths. A round takes each in turn with what the others have just become (cyclic MM)."""
    strengths = [1.0] * len(won)
    for _ in range(_MOST_ROUNDS):
        moved = 0.0
        for index, opponents in enumerate(games):
            own = strengths[index]
            weight = sum([number / (own + strengths[other]) for other, number in opponents])
            new = (won[index] + _PRIOR_TIES / 2) / (weight + _PRIOR_TIES / (own + 1))
            strengths[index] = new
            moved = max(moved, abs(math.log(new / own)))
        factor = _common_factor(strengths)
        strengths = [strength * factor for strength in strengths]
        if max(moved, abs(math.log(factor))) < _CLOSE_ENOUGH:
            break
    return strengths


def _common_factor(strengths: Sequence[float]) -> float:
    """What all are to be multiplied with so that the prior is likeliest: sum_i 1 / (1 + c g_i) is half their number.

    By Newton's method in ln c, in steps of at most 1; the sum falls with c, so there is one answer.
    """
    log_factor = 0.0
    for _ in range(100):
        shares = [1 / (1 + math.exp(log_factor) * strength) for strength in strengths]
        slope = sum([share * (1 - share) for share in shares])
        step = (sum(shares) - len(strengths) / 2) / slope if slope else 0.0
        log_factor += max(-1.0, min(1.0, step))
        if abs(step) < 1e-12:
            break
    return math.exp(log_factor)


def _variances(strengths: Sequence[float], games: Sequence[Mapping[int, float]]) -> list[float]:
    """The variance of each t_i less the mean of all."""
    size = len(strengths)
    information = [[0.0] * size for _ in range(size)]
    for index, opponents in enumerate(games):
        own = strengths[index]
        row = information[index]
        row[index] = _PRIOR_TIES * own / (own + 1) ** 2
        for other, number in opponents.items():
            weight = number * own * strengths[other] / (own + strengths[other]) ** 2
            row[other] = -weight
            row[index] += weight
    covariance = _inverse(information)
    sums = [math.fsum(row) for row in covariance]
    whole = math.fsum(sums) / size**2
    return [max(covariance[index][index] - 2 * sums[index] / size + whole, 0.0) for index in range(size)]


def _inverse(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """The inverse of a symmetric positive definite matrix, by its Cholesky factor L: the product of L^-T and L^-1."""
    size = len(matrix)
    factor: list[list[float]] = []
    for index in range(size):
        row: list[float] = []
        for column in range(index):
            done = sum(map(mul, row, factor[column]))
            row.append((matrix[index][column] - done) / factor[column][column])
        row.append(math.sqrt(matrix[index][index] - sum(map(mul, row, row))))
        factor.append(row)
    # The columns of L^-1, each from its diagonal on.
    columns: list[list[float]] = []
    for index in range(size):
        column_values = [1 / factor[index][index]]
        for row_index in range(index + 1, size):
            row = factor[row_index]
            done = sum(map(mul, row[index:row_index], column_values))
            column_values.append(-done / row[row_index])
        columns.append(column_values)
    inverse = [[0.0] * size for _ in range(size)]
    for index in range(size):
        for other in range(index + 1):
            value = sum(map(mul, columns[index], columns[other][index - other :]))
            inverse[index][other] = inverse[other][index] = value
    return inverse
