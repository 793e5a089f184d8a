"""Which part of each backend's line a page shows, and what is told of the rest."""

from datetime import datetime, timedelta

from forllm_server.pages.plan_lines import Share, lines_of, shared_out
from forllm_server.queue.plan import Placed
from forllm_server.queue.plan_store import Crowd


def line(backend_id: int, model_ids: str, opens_at: datetime | None = None) -> list[Placed]:
    """A request for each letter: its model is the letter's number, its id tells backend and place."""
    return [
        Placed(backend_id * 1000 + place, backend_id, ord(letter) - ord("a") + 1, opens_at)
        for place, letter in enumerate(model_ids, start=1)
    ]


def test_short_lines_are_shown_whole_and_the_others_alike() -> None:
    plan = [*line(1, "a" * 500), *line(2, "b" * 10), *line(3, "c" * 500)]
    shares = shared_out(lines_of(plan, ()), 100)
    assert [(each.backend_id, each.stop, each.rest_count) for each in shares] == [
        (1, 45, 455),
        (2, 10, 0),
        (3, 45, 455),
    ]


def test_a_page_that_has_room_for_all_shows_all() -> None:
    shares = shared_out(lines_of([*line(1, "ab"), *line(2, "c")], ()), 100)
    assert [(each.stop, each.rest_count, each.rest()) for each in shares] == [(2, 0, []), (1, 0, [])]


def test_an_empty_plan_has_no_line() -> None:
    assert shared_out(lines_of([], ()), 100) == []


def test_the_rest_is_counted_by_model_and_opening_and_never_less_than_it_is(now: datetime) -> None:
    tomorrow = now + timedelta(days=1)
    (share,) = shared_out(lines_of([*line(1, "aabbb"), *line(1, "abcdefg", tomorrow)], ()), 3)
    assert share.rest()[:3] == [(2, None, 2), (1, tomorrow, 1), (2, tomorrow, 1)]
    assert len(share.rest()) == 6
    assert share.rest_count == 9


def test_what_stands_behind_the_longest_plan_counts_too() -> None:
    crowds = [Crowd(1, 1, None, 400), Crowd(1, 1, 7, 100), Crowd(1, 2, None, 5), Crowd(9, 3, None, 50)]
    (share,) = shared_out(lines_of(line(1, "aaab"), crowds), 2)
    assert share.number == 505
    assert share.rest_count == 503
    assert sum(number for *_, number in share.rest()) == 503


def test_a_run_that_is_cut_by_the_page_keeps_its_whole_length() -> None:
    placed = tuple(line(1, "aaabbba"))
    assert list(Share(1, placed, 0, 7).runs()) == [(0, 3), (3, 6), (6, 7)]
    assert list(Share(1, placed, 2, 4).runs()) == [(0, 3), (3, 6)]
    assert Share(1, placed, 2, 4).ids() == [1002, 1003, 1004, 1005]
