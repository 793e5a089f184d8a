"""A night in numbers, and its replies in the order of importance. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from forllm_server.morning.model import Energy, Figures, Gist, Reply, Stretch, Tally, TopicNews
from forllm_server.queue.model import Status

REPLY = "reply"


def figures_of(tallies: Sequence[Tally], stretches: Sequence[Stretch], *, topics: int, is_cut: bool = False) -> Figures:
    """The sums of a night. Tokens, loads and energy are of all that ended; the counts are of replies."""
    replies = [each for each in tallies if each.kind == REPLY]
    return Figures(
        answered=_count(replies, Status.SUCCEEDED),
        failed=_count(replies, Status.FAILED),
        cancelled=_count(replies, Status.CANCELLED),
        topics=topics,
        prompt_tokens=sum(each.prompt_tokens for each in tallies),
        completion_tokens=sum(each.completion_tokens for each in tallies),
        tokens_per_second=_pace(tallies),
        cached_share=_share(tallies),
        worked_seconds=worked_seconds(stretches),
        loads=sum(each.loads for each in tallies),
        swaps=count_swaps(stretches),
        energy=_energy(tallies),
        models=_models(replies),
        is_cut=is_cut,
    )


def worked_seconds(stretches: Iterable[Stretch]) -> float:
    """The time in which at least one of them worked, in seconds."""
    total, until = 0.0, None
    for each in sorted(stretches, key=lambda stretch: stretch.started_at):
        begin = each.started_at if until is None else max(each.started_at, until)
        total += max(0.0, (each.finished_at - begin).total_seconds())
        until = each.finished_at if until is None else max(until, each.finished_at)
    return total


def count_swaps(stretches: Iterable[Stretch]) -> int:
    """How often a backend went from one model to another."""
    last: dict[int | None, int | None] = {}
    swaps = 0
    for each in sorted(stretches, key=lambda stretch: stretch.started_at):
        swaps += each.backend_id in last and last[each.backend_id] != each.model_id
        last[each.backend_id] = each.model_id
    return swaps


def news_of(
    replies: Sequence[Reply], gists: Mapping[int, Gist], unread_topic_ids: Collection[int] = ()
) -> tuple[TopicNews, ...]:
    """The topics with their replies: what is unread first, then questions that had no reply before, then those that
    several personas answered, then by age, the oldest first."""
    by_topic: dict[int, list[Reply]] = {}
    for reply in sorted(replies, key=lambda reply: (reply.created_at, reply.post_id)):
        by_topic.setdefault(reply.topic_id, []).append(reply)
    news = [
        TopicNews(
            topic_id,
            members[0].topic_title,
            members[0].subforum_id,
            members[0].subforum_name,
            tuple(members),
            gists.get(topic_id),
            is_unread=topic_id in unread_topic_ids,
        )
        for topic_id, members in by_topic.items()
    ]
    return tuple(sorted(news, key=_importance))


def _importance(news: TopicNews) -> tuple[object, ...]:
    is_discussed = news.most_voices > 1
    return (
        not news.is_unread,
        not news.has_first_replies,
        not is_discussed,
        news.replies[0].created_at,
        news.topic_id,
    )


def _count(tallies: Iterable[Tally], status: Status) -> int:
    return sum(each.number for each in tallies if each.status is status)


def _pace(tallies: Iterable[Tally]) -> float | None:
    timed = [(each.timed_tokens, each.generation_seconds) for each in tallies]
    seconds = sum(each for _, each in timed)
    return sum(each for each, _ in timed) / seconds if seconds > 0 else None


def _share(tallies: Sequence[Tally]) -> float | None:
    compared = sum(each.comparable_tokens for each in tallies)
    return min(1.0, sum(each.cached_tokens for each in tallies) / compared) if compared else None


def _energy(tallies: Sequence[Tally]) -> Energy | None:
    metered = sum(each.metered for each in tallies)
    if not metered:
        return None
    costs: dict[str, float] = {}
    for each in tallies:
        if each.priced:
            costs[each.currency or ""] = costs.get(each.currency or "", 0.0) + each.cost
    is_measured = sum(each.measured for each in tallies) == metered
    return Energy(sum(each.watt_hours for each in tallies), is_measured, metered, costs)


def _models(replies: Sequence[Tally]) -> tuple[tuple[str, int, int, float | None], ...]:
    by_name: dict[str, list[Tally]] = {}
    for each in replies:
        if each.status is Status.SUCCEEDED:
            by_name.setdefault(each.model_name or "A model", []).append(each)
    rows = [
        (name, sum(each.number for each in own), sum(each.completion_tokens for each in own), _pace(own))
        for name, own in by_name.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row[1], row[0])))
