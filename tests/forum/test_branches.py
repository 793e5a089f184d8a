"""Which posts stand in other branches, told from paths alone: the same as walking the tree."""

from hypothesis import given
from hypothesis import strategies as st

from forllm_server.forum.branches import PostPlace, choose_other_branches, fork_of
from forllm_server.forum.threading import reply_path, root_path


def grow(parents: list[int]) -> dict[int, bytes]:
    """A tree in which post ``n`` answers ``parents[n - 1]`` (modulo the posts there are); paths by number."""
    paths, replies = {0: root_path()}, {0: 0}
    for number, wished in enumerate(parents, start=1):
        parent = wished % number
        replies[parent] += 1
        replies[number] = 0
        paths[number] = reply_path(paths[parent], parent_id=parent + 1, sibling=replies[parent])
    return paths


def way_to(parents: list[int], number: int) -> list[int]:
    way = [number]
    while way[0]:
        way.insert(0, parents[way[0] - 1] % way[0])
    return way


@given(st.lists(st.integers(0, 30), min_size=1, max_size=25), st.data())
def test_a_fork_is_where_the_ways_part(parents: list[int], data: st.DataObject) -> None:
    paths = grow(parents)
    target = data.draw(st.integers(0, len(parents)))
    mine = way_to(parents, target)
    branches: dict[tuple[int, int], set[bytes]] = {}
    for other, path in paths.items():
        way = way_to(parents, other)
        fork = fork_of(paths[target], path)
        if other in mine or target in way:
            assert fork is None
            continue
        shared = next(at for at, pair in enumerate(zip(mine, way, strict=False)) if pair[0] != pair[1])
        assert fork is not None
        assert fork.depth == shared - 1
        branches.setdefault((shared, way[shared]), set()).add(fork.branch)
    assert all(len(keys) == 1 for keys in branches.values())
    assert len(set().union(*branches.values())) == len(branches)


def test_the_nearest_or_the_newest_are_chosen_and_few_of_one_branch() -> None:
    # 0 ─ 1 ─ 2 (asked) ─ 3;  0 ─ 4 ─ 5 ─ 6;  1 ─ 7 ─ 8
    paths = grow([0, 1, 2, 0, 4, 5, 1, 7])
    places = [PostPlace(number, path) for number, path in sorted(paths.items(), reverse=True)]
    far = [PostPlace(9, grow([0, 1, 2, 0, 4, 5, 1, 7, 6])[9]), *places]
    newest = choose_other_branches(paths[2], far, most=5, most_per_branch=2, is_nearest_first=False)
    nearest = choose_other_branches(paths[2], far, most=5, most_per_branch=2, is_nearest_first=True)
    assert newest == [9, 8, 7, 6]
    assert nearest == [8, 7, 9, 6]
    assert choose_other_branches(paths[2], far, most=1, most_per_branch=2, is_nearest_first=True) == [8]
