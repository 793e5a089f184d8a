"""What was changed between two texts, in lines and beside each other."""

import time

from forllm_server.pages.changes import diff_hunks, diff_lines


def test_what_was_removed_stands_beside_what_came_in_its_place() -> None:
    hunks = diff_hunks(diff_lines("same\none two\nend", "same\none three\nmore\nend"))
    assert [hunk.is_change for hunk in hunks] == [False, True, False]
    changed = hunks[1]
    assert ["".join(text for text, _ in line.pieces) for line in changed.before] == ["one two"]
    assert ["".join(text for text, _ in line.pieces) for line in changed.after] == ["one three", "more"]


def test_unchanged_lines_stand_on_both_sides_and_long_stretches_are_one_gap() -> None:
    many = [f"line {number}" for number in range(50)]
    hunks = diff_hunks(diff_lines("\n".join(["a", *many, "b"]), "\n".join(["x", *many, "y"])))
    gaps = [hunk for hunk in hunks if hunk.is_gap]
    assert len(gaps) == 1
    assert [hunk.before == hunk.after for hunk in hunks if not hunk.is_change and not hunk.is_gap] == [True, True]


def test_equal_texts_have_no_hunk_that_changes() -> None:
    assert [hunk for hunk in diff_hunks(diff_lines("a\nb", "a\nb")) if hunk.is_change] == []


def test_large_and_hostile_texts_do_not_take_long() -> None:
    began = time.process_time()
    diff_lines("\n".join(f"a{number}" for number in range(60_000)), "\n".join(f"b{number}" for number in range(60_000)))
    diff_lines("x " * 100_000, "y " * 100_000)
    diff_lines("\n".join(["a b " * 400] * 150), "\n".join(["b a " * 400] * 150))
    assert time.process_time() - began < 10


def test_words_that_differ_are_marked_inside_their_line() -> None:
    removed, added = diff_lines("for two disks", "for three disks")
    assert [text for text, is_different in removed.pieces if is_different] == ["two"]
    assert [text for text, is_different in added.pieces if is_different] == ["three"]
