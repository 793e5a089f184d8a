import pytest
from hypothesis import given
from hypothesis import strategies as st

from forllm_server.prompts.budget import DoesNotFit, Fitted, Room, fit

ROOMY = Room(context_tokens=4096, reply_tokens=1024, is_exact=True)


def test_what_fits_is_kept_whole() -> None:
    assert fit([100, 200, 300], persona_tokens=50, room=ROOMY) == Fitted((0, 1, 2), (), 650)


def test_the_oldest_ancestors_after_the_first_go_first() -> None:
    fitted = fit([100, 900, 900, 900, 300], persona_tokens=50, room=ROOMY)
    assert fitted.kept == (0, 2, 3, 4)
    assert fitted.omitted == (1,)


def test_the_first_post_goes_last_of_all() -> None:
    room = Room(context_tokens=1000, reply_tokens=100, is_exact=True)
    assert fit([200, 600, 500], persona_tokens=50, room=room).kept == (0, 2)


def test_a_first_post_that_is_too_long_leaves_its_room_to_the_nearer_ones() -> None:
    room = Room(context_tokens=1000, reply_tokens=100, is_exact=True)
    assert fit([900, 100, 500], persona_tokens=50, room=room).kept == (1, 2)


def test_a_post_that_does_not_fit_alone_is_refused_with_numbers_and_remedies() -> None:
    with pytest.raises(DoesNotFit) as caught:
        fit([10, 4000], persona_tokens=50, room=ROOMY)
    for part in ("4,000 tokens", "4,096", "1,024", "Shorten the post", "raise the context size"):
        assert part in caught.value.message


def test_estimates_leave_a_margin_and_exact_counts_do_not() -> None:
    assert Room(4096, 1024, is_exact=True).prompt_tokens == 3072
    assert Room(4096, 1024, is_exact=False).prompt_tokens == 3072 - 204


@given(
    st.lists(st.integers(1, 2000), min_size=1, max_size=40),
    st.integers(0, 500),
    st.integers(1000, 20_000),
)
def test_a_prompt_never_exceeds_its_room_and_always_holds_the_post(
    turns: list[int], persona: int, context: int
) -> None:
    room = Room(context, context // 4, is_exact=False)
    try:
        fitted = fit(turns, persona_tokens=persona, room=room)
    except DoesNotFit:
        assert persona + turns[-1] > room.prompt_tokens
        return
    assert fitted.prompt_tokens == persona + sum(turns[index] for index in fitted.kept) <= room.prompt_tokens
    assert fitted.kept[-1] == len(turns) - 1
    assert sorted(fitted.kept + fitted.omitted) == list(range(len(turns)))
    middle = [index for index in fitted.kept if index != 0]
    assert middle == list(range(middle[0], len(turns))) if middle else fitted.kept == (0,)
