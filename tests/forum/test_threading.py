"""The chain-compressed path against depth-first order."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forllm_server.errors import Invalid, NotAllowed
from forllm_server.forum import threading


class Tree:
    """A thread grown reply by reply, as the forum does it: node 0 is the first post."""

    def __init__(self, parents: list[int]) -> None:
        self.parents = parents
        self.children: list[list[int]] = [[] for _ in range(len(parents) + 1)]
        self.paths = [threading.root_path()]
        for parent in parents:
            node = len(self.paths)
            self.children[parent].append(node)
            sibling = len(self.children[parent])
            self.paths.append(threading.reply_path(self.paths[parent], parent_id=parent + 1, sibling=sibling))

    def by_path(self) -> list[int]:
        return sorted(range(len(self.paths)), key=self.paths.__getitem__)

    def depth_first(self) -> list[int]:
        order, waiting = [], [0]
        while waiting:
            node = waiting.pop()
            order.append(node)
            waiting.extend(reversed(self.children[node]))
        return order


def grown(count: int, seed: int, chance_of_newest: float = 0.0) -> Tree:
    """A random tree; the higher the chance the more it is a dialogue."""
    choice = random.Random(seed)
    return Tree([node if choice.random() < chance_of_newest else choice.randint(0, node) for node in range(count)])


@given(st.lists(st.integers(min_value=0, max_value=10_000), max_size=150))
@settings(max_examples=200, deadline=None)
def test_any_tree_sorts_depth_first_with_siblings_oldest_first(numbers: list[int]) -> None:
    tree = Tree([number % (node + 1) for node, number in enumerate(numbers)])
    assert tree.by_path() == tree.depth_first()
    assert len(set(tree.paths)) == len(tree.paths)


@pytest.mark.parametrize("chance_of_newest", [0.0, 0.5, 0.9, 0.99])
def test_a_large_thread_sorts_depth_first_with_short_paths(chance_of_newest: float) -> None:
    tree = grown(5_000, seed=7, chance_of_newest=chance_of_newest)
    assert tree.by_path() == tree.depth_first()
    assert max(map(len, tree.paths)) < 100


def test_a_chain_of_5000_needs_four_bytes() -> None:
    tree = Tree(list(range(5_000)))
    assert tree.by_path() == list(range(5_001))
    assert {len(path) for path in tree.paths} == {4}


def test_5000_replies_to_one_post_keep_their_order() -> None:
    tree = Tree([0] * 5_000)
    assert tree.by_path() == list(range(5_001))


def comb(levels: int) -> Tree:
    """Every post has two replies and the second goes on: each level is a branch within a branch."""
    parents: list[int] = []
    spine = 0
    for _ in range(levels):
        parents += [spine, spine]
        spine = len(parents)
    return Tree(parents)


def test_a_comb_below_the_cap_sorts_depth_first() -> None:
    tree = comb(threading.MAX_BRANCHES)
    assert tree.by_path() == tree.depth_first()


def test_a_comb_beyond_the_cap_stays_indexable_unique_and_behind_its_parents() -> None:
    tree = comb(1_000)
    place = {node: number for number, node in enumerate(tree.by_path())}
    assert max(map(len, tree.paths)) <= 1_416
    assert len(set(tree.paths)) == len(tree.paths)
    assert all(place[parent] < place[node] for node, parent in enumerate(tree.parents, start=1))


def test_chains_beyond_the_cap_stay_whole() -> None:
    tree = comb(threading.MAX_BRANCHES + 5)
    last = len(tree.paths) - 1
    longer = Tree([*tree.parents, last, last + 1, last + 2])
    order = longer.by_path()
    start = order.index(last)
    assert order[start : start + 4] == [last, last + 1, last + 2, last + 3]


def test_a_second_reply_opens_a_branch_behind_the_first_ones_chain() -> None:
    root = threading.root_path()
    first = threading.reply_path(root, parent_id=1, sibling=1)
    below_first = threading.reply_path(first, parent_id=2, sibling=1)
    second = threading.reply_path(root, parent_id=1, sibling=2)
    assert root < first < below_first < second
    assert (len(first), len(second)) == (4, 11)


def test_a_post_with_more_replies_than_fit_is_refused_in_words() -> None:
    with pytest.raises(NotAllowed, match="cannot grow"):
        threading.reply_path(threading.root_path(), parent_id=1, sibling=0x1000000)


def test_a_cursor_leads_back_to_its_path() -> None:
    path = threading.reply_path(threading.root_path(), parent_id=1, sibling=2)
    assert threading.path_from_cursor(path.hex()) == path


@pytest.mark.parametrize("cursor", ["", "nothing", "0", "00" * 2_000])
def test_a_cursor_that_is_none_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid):
        threading.path_from_cursor(cursor)
