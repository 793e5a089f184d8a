"""What a model is asked when it sums up, and what is taken from its answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forllm_server.summaries.editing import change_words
from forllm_server.summaries.model import Change, CoveredPost, SummaryScope
from forllm_server.summaries.wording import Said, TooLittleRoom, read_summary, room_for_posts, steps_of, summary_prompt


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("They chose ZFS.", "They chose ZFS."),
        ("**Summary:** They chose ZFS.", "They chose ZFS."),
        ("Summary: They chose ZFS.", "They chose ZFS."),
        ("## Summary\n\nThey chose ZFS.", "They chose ZFS."),
        ("# Summary of the thread\n\n- ZFS\n- Btrfs", "- ZFS\n- Btrfs"),
        ("Summary judgement was passed on ZFS.", "Summary judgement was passed on ZFS."),
        ("Es wurde ZFS gewählt.", "Es wurde ZFS gewählt."),
        ("***", ""),
        ("Summary:\n", ""),
        ("…", ""),
    ],
)
def test_of_an_answer_the_text_is_kept(answer: str, kept: str) -> None:
    assert read_summary(answer) == kept


@given(st.lists(st.text(alphabet="ab \n", max_size=3_000), min_size=1, max_size=12), st.integers(400, 2_000))
def test_steps_hold_all_that_was_said_in_its_order_and_none_is_too_long(texts: list[str], most: int) -> None:
    steps = steps_of([Said("Ada", text) for text in texts], most)
    said = "".join(piece.text for step in steps for piece in step)
    assert "".join(said.split()) == "".join("".join(texts).split())
    assert all(sum(len(piece.text) + len(piece.name) for piece in step) <= most for step in steps)
    assert sum(piece.is_end for step in steps for piece in step) == len(texts)


def test_a_room_in_which_nothing_fits_is_told() -> None:
    with pytest.raises(TooLittleRoom):
        room_for_posts(SummaryScope.WAY, 900, "The first post. " * 100, 500)
    assert room_for_posts(SummaryScope.WAY, 10_000, "The first post.", 500) == 9_485


def test_the_first_post_is_told_once_and_what_came_before_is_taken_up() -> None:
    step = steps_of([Said("Ada", "Btrfs.")], 1_000)[0]
    way = summary_prompt(
        SummaryScope.WAY, title="Disks", first="Which?", so_far="", step=step, first_characters=500, words=200
    )
    assert "not to be summed up:\nWhich?" in way
    assert "Ada wrote:\nBtrfs." in way
    later = summary_prompt(
        SummaryScope.TOPIC, title="Disks", first="Which?", so_far="ZFS.", step=step, first_characters=500, words=200
    )
    assert "Which?" not in later
    assert "The summary of all that came before:\nZFS." in later
    assert "at most 200 words" in later


def test_why_a_summary_holds_no_longer_is_told_in_words() -> None:
    changes = [Change.EDITED, Change.EDITED, Change.DELETED]
    posts = [CoveredPost(number, 1, True, None, change) for number, change in enumerate(changes)]
    assert change_words(posts) == "2 posts were edited, 1 was deleted"
    assert change_words(posts[2:]) == "1 post was deleted"
