"""Which part of a long thread is worth summing up, so that the rest fits for a while. Pure."""

from collections.abc import Sequence

from forllm_server.prompts.thread import ALWAYS_WHOLE

FEWEST_COVERED = 2


def end_of_summary(post_tokens: Sequence[int], *, free_tokens: int, fewest: int = FEWEST_COVERED) -> int | None:
    """Up to which post of a way (its index) a summary should reach; None when there are too few to sum up.

    ``post_tokens``: of the first post, which stays as it is, to the newest. ``free_tokens``: what is left of a prompt
    beside persona, first post and summary. The posts behind the summary get half of that, so that the thread can grow
    by as much before the next one; the newest stay in any case.
    """
    last = len(post_tokens) - 1
    used = 0
    end = last
    while end > 0 and (last - end < ALWAYS_WHOLE or used + post_tokens[end] <= free_tokens // 2):
        used += post_tokens[end]
        end -= 1
    return end if end >= fewest else None
