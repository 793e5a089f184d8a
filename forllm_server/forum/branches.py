"""Which posts of a topic stand in other branches than the way to one post, told from their paths alone. Pure.

See :mod:`forllm_server.forum.threading` for what a path says. Beyond its ``MAX_BRANCHES`` nested branches a path tells
too little: from there nothing counts as another branch.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from forllm_server.forum.threading import BRANCH_LENGTH, CHAIN_LENGTH, LAST, NUMBER_BYTES, is_capped


@dataclass(frozen=True, slots=True)
class PostPlace:
    """A post and its path."""

    id: int
    path: bytes


@dataclass(frozen=True, slots=True)
class Fork:
    """Where a post leaves the way to another: below its post at ``depth``. ``branch`` is the same for all of one."""

    depth: int
    branch: bytes


def fork_of(way: bytes, other: bytes) -> Fork | None:
    """Where ``other`` leaves the way to ``way``; None when it stands on the way, or below its end."""
    if is_capped(way) or is_capped(other):
        return None
    mine, others = _steps(way), _steps(other)
    depth = 0
    for at, (one, two) in enumerate(zip(mine, others, strict=False)):
        if one == two:
            depth += one[0] + 1
            continue
        shared = min(one[0], two[0])
        is_mine_longer, is_other_longer = at + 1 < len(mine), at + 1 < len(others)
        if shared == two[0] and not is_other_longer and two[0] <= one[0]:
            return None
        if shared == one[0] and not is_mine_longer and two[0] >= one[0]:
            return None
        leaving = other[: at * BRANCH_LENGTH] + _turn(one[0], two, is_branch=is_other_longer)
        return Fork(depth + shared, leaving)
    return None


def choose_other_branches(
    way: bytes, places: Sequence[PostPlace], *, most: int, most_per_branch: int, is_nearest_first: bool
) -> list[int]:
    """The ids of up to ``most`` posts of other branches, the most wanted first.

    ``places``: newest first. Of each branch the newest are taken; nearest are those that leave the way furthest down.
    """
    found = [(fork, place.id) for place in places if (fork := fork_of(way, place.path)) is not None]
    if is_nearest_first:
        found.sort(key=lambda each: -each[0].depth)
    taken: Counter[bytes] = Counter()
    chosen: list[int] = []
    for fork, post_id in found:
        if len(chosen) < most and taken[fork.branch] < most_per_branch:
            taken[fork.branch] += 1
            chosen.append(post_id)
    return chosen


def _steps(path: bytes) -> list[tuple[int, bytes]]:
    """For each chain of a path, how far it goes along it, and by which branch it leaves; the last one by none."""
    steps = []
    for at in range(0, len(path) - CHAIN_LENGTH, BRANCH_LENGTH):
        branch = path[at : at + BRANCH_LENGTH]
        position = LAST - int.from_bytes(branch[1 : 1 + NUMBER_BYTES])
        steps.append((position, branch))
    return [*steps, (int.from_bytes(path[-NUMBER_BYTES:]), b"")]


def _turn(position: int, other: tuple[int, bytes], *, is_branch: bool) -> bytes:
    """What tells the branch that ``other`` takes where the way stands at ``position`` of a chain."""
    if is_branch and other[0] <= position:
        return other[1]
    # It goes on along the chain that the way leaves.
    return b"\x00" + position.to_bytes(NUMBER_BYTES)
