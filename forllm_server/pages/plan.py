"""The rows of the queue page, grouped as the work will be done: by window, backend and model. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from forllm_server.forum.model import Post
from forllm_server.jobs import digest, draft_asking, experiment, judgement, summarising, verdict
from forllm_server.jobs.reply import ReplyKind
from forllm_server.jobs.standing import Standing
from forllm_server.jobs.trying import TRIAL
from forllm_server.markup.excerpt import excerpt
from forllm_server.pages.naming import model_words
from forllm_server.pages.plan_lines import Share
from forllm_server.pages.words import counted
from forllm_server.personas.model import PersonaVersion
from forllm_server.queue.estimate import DoneBy
from forllm_server.queue.model import Cause, LlmRequest, Status
from forllm_server.schedule.words import duration_words, ending_words, moment_words

_EXCERPT_CHARS = 90
#: What an LLM request that answers no post is for.
_OTHER_KINDS = {
    digest.NAME: "A line for the Morning page",
    summarising.NAME: "A summary",
    experiment.NAME: "Asked again, for an experiment",
    judgement.NAME: "Which of two replies is better",
    verdict.NAME: "Whether an answer of a batch does what its rubric asks",
    TRIAL: "A trial on this post, not to be posted",
}
#: The kinds that answer a post without becoming a reply by themselves.
_OUTSIDE_THREADS = (TRIAL, experiment.NAME)
#: Who is at work on a persona that a model writes: nobody yet but the model.
_STEP_WORDS: Mapping[str, str] = {
    draft_asking.Step.EXPANSION: "Notes, step 1 of 2",
    draft_asking.Step.REFINEMENT: "The text, step 2 of 2",
}

#: Hues that are easy to tell apart side by side: a model has one in the bar and in its headings.
MODEL_HUES = (0, 8, 7, 5, 3, 2, 4, 10)


@dataclass(frozen=True)
class PlanRow:
    """An LLM request with what a list says of it. ``place``: in its backend's line, 0 when it has none.

    ``cause`` is why it waits, where its group does not say so already. Moved one place, it stands before ``up`` or
    behind ``down``; None at the ends of its line.
    """

    llm_request: LlmRequest
    standing: Standing
    version: PersonaVersion | None = None
    post: Post | None = None
    topic_title: str = ""
    backend_name: str = ""
    place: int = 0
    takes: str = ""
    done_by: str = ""
    likely: str = ""
    cause: str = ""
    up: int | None = None
    down: int | None = None

    @property
    def title(self) -> str:
        if self.is_draft:
            return "A persona by a model"
        return self.topic_title or "A topic that is no longer there"

    @property
    def excerpt(self) -> str:
        """The beginning of the post that was asked about."""
        if self.is_draft:
            return str(self.llm_request.input.get("title", ""))
        if self.llm_request.kind != ReplyKind.name:
            return _OTHER_KINDS.get(self.llm_request.kind, "Something of FORLLM's own")
        if self.post is None or self.post.is_deleted:
            return "A post that is no longer there"
        return excerpt(self.post.content, max_chars=_EXCERPT_CHARS)

    @property
    def persona_words(self) -> str:
        if self.is_trial:
            return f"{self.llm_request.input.get('name', 'a persona')}, a draft"
        if self.is_draft:
            return _STEP_WORDS.get(str(self.llm_request.input.get("step")), "A new persona")
        return f"{self.version.name} v{self.version.number}" if self.version else "a persona"

    @property
    def is_trial(self) -> bool:
        """Whether a draft of a persona is tried, so that no reply will come of it."""
        return self.llm_request.kind == TRIAL

    @property
    def experiment_url(self) -> str:
        """The pair that an experiment asks; empty for all other kinds."""
        asked = self.llm_request.input
        if self.llm_request.kind != experiment.NAME:
            return ""
        return f"/experiments/{asked.get('experiment_id')}/pairs/{asked.get('pair')}"

    @property
    def is_draft(self) -> bool:
        """Whether a persona is written by a model."""
        return self.llm_request.kind == draft_asking.NAME

    @property
    def asked_post_id(self) -> int | None:
        return asked_post_id(self.llm_request)

    @property
    def persona_url(self) -> str:
        if self.is_trial:
            return f"/personas/trials/{self.llm_request.id}"
        if self.is_draft:
            return f"/personas/drafts/{self.llm_request.input.get('draft_id', 0)}"
        return f"/personas/{self.version.persona_id}/versions/{self.version.number}" if self.version else ""

    @property
    def line(self) -> str:
        """Requests of one line can be put in order among each other."""
        return f"{self.llm_request.backend_id}-{self.llm_request.lane}"

    @property
    def stamp(self) -> str:
        """Another one whenever the row would look different."""
        parts = (
            *(
                self.llm_request.status,
                self.place,
                self.takes,
                self.done_by,
                self.likely,
                self.cause,
                self.up,
                self.down,
            ),
            *(self.line, self.standing.label, self.llm_request.pinned is not None),
        )
        return "|".join(str(part) for part in parts)


def asked_post_id(llm_request: LlmRequest) -> int | None:
    """The post that is asked about, also by a trial or an experiment, which stand in no thread."""
    return llm_request.input.get("post_id") if llm_request.kind in _OUTSIDE_THREADS else llm_request.post_id


@dataclass(frozen=True)
class PlanGroup:
    """Rows that follow one another on one model in one window; ``cause``: why most of them wait.

    ``note`` tells how many they are in all, also those that are not shown.
    """

    key: str
    heading: str
    note: str
    hue: str
    cause: str
    rows: tuple[PlanRow, ...]


@dataclass(frozen=True)
class PlanRest:
    """What stands behind the rows that are shown: ``parts`` names its kinds, ``url`` leads there."""

    key: str
    words: str
    parts: tuple[str, ...]
    url: str
    label: str


@dataclass(frozen=True)
class PlanLine:
    """The groups of one line, and what is not shown of it."""

    groups: tuple[PlanGroup, ...]
    rest: PlanRest | None = None


@dataclass(frozen=True)
class Times:
    """When requests begin and end, by id, and what their words are made with."""

    starts_at: Mapping[int, datetime]
    done_by: Mapping[int, DoneBy]
    now: datetime
    zone: ZoneInfo


def with_times(row: PlanRow, times: Times) -> PlanRow:
    """The row with how long it takes and when it is done, where that is known."""
    found = times.done_by.get(row.llm_request.id)
    if found is None:
        return row
    starts_at = times.starts_at.get(row.llm_request.id)
    low, middle, high = (
        ending_words(at, times.now, times.zone) for at in (found.low_at, found.middle_at, found.high_at)
    )
    takes = takes_words(found.middle_at - max(starts_at, times.now)) if starts_at else ""
    return replace(row, takes=takes, done_by=middle, likely="" if low == high else f"{low}–{high}")


def takes_words(length: timedelta) -> str:
    """``45 s``, ``7:10``, ``1 h 05``."""
    seconds = max(0, round(length.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    return f"{seconds // 60}:{seconds % 60:02}" if seconds < 3600 else duration_words(length)


def hues_of(model_ids: Iterable[int | None]) -> dict[int | None, str]:
    """A hue for each model, in the order in which they come."""
    found = dict.fromkeys(model_ids)
    return {model_id: f"hue-{MODEL_HUES[number % len(MODEL_HUES)]}" for number, model_id in enumerate(found)}


def group_plan(
    rows: Sequence[PlanRow], share: Share, hues: Mapping[int | None, str], now: datetime, zone: ZoneInfo
) -> list[PlanGroup]:
    """The shown part of a line in the order of service, by window and model."""
    by_id = _numbered(share, {row.llm_request.id: row for row in rows})
    groups = []
    for begin, end in share.runs():
        members = share.placed[max(begin, share.start) : min(end, share.stop)]
        found = [by_id[each.id] for each in members if each.id in by_id]
        if found:
            opens_at = members[0].opens_at
            when = f"from {moment_words(opens_at, now, zone)}" if opens_at else ""
            key = f"{share.backend_id}-{begin}"
            groups.append(_group(found, hues.get(members[0].model_id, ""), when, key=key, number=end - begin))
    return groups


def _numbered(share: Share, by_id: Mapping[int, PlanRow]) -> dict[int, PlanRow]:
    """The rows with their places in line and whom they can change places with."""
    lines: dict[str, list[int]] = {}
    numbered = {}
    first = max(share.start - 1, 0)
    for place, each in enumerate(share.placed[first : share.stop + 1], start=first + 1):
        if each.id in by_id:
            numbered[each.id] = replace(by_id[each.id], place=place)
            lines.setdefault(by_id[each.id].line, []).append(each.id)
    for ids in lines.values():
        for before, here, after in zip([None, *ids], ids, [*ids[1:], None], strict=False):
            numbered[here] = replace(numbered[here], up=before, down=after)
    return numbered


def _group(rows: Sequence[PlanRow], hue: str, when: str, *, key: str, number: int) -> PlanGroup:
    first = rows[0]
    model = model_words(first.llm_request.model_name)
    where = f"on {first.backend_name}" if model and first.backend_name else ""
    cause, _ = Counter(row.standing.sentence for row in rows).most_common(1)[0]
    told = tuple(replace(row, cause="" if row.standing.sentence == cause else row.standing.sentence) for row in rows)
    note = ", ".join(filter(None, (where, when, counted(number, "request"))))
    return PlanGroup(key, model or "No model yet", note, hue, cause, told)


def set_aside(rows: Sequence[PlanRow], counts: Mapping[Status, int], lost_count: int) -> list[PlanLine]:
    """After the plan: what has no model yet, what waits for another try, and what is on hold, each with its cause.

    ``counts`` and ``lost_count`` (of those without a model) tell how many there are in all.
    """
    kinds = (
        (Status.QUEUED, "No model yet", lost_count),
        (Status.WAITING, "Waiting for another try", counts.get(Status.WAITING, 0)),
        (Status.HELD, "On hold", counts.get(Status.HELD, 0)),
    )
    lines = []
    for status, heading, number in kinds:
        if members := [row for row in rows if row.llm_request.status is status]:
            group = _group(members, "", "", key=status.value, number=number)
            note = counted(number, "request")
            heading = _CHAIN_HEADING if all(_is_in_chain(row) for row in members) else heading
            lines.append(PlanLine((replace(group, heading=heading, note=note),), _unshown(status, number, members)))
    return lines


_CHAIN_HEADING = "Waiting for the answer before them"


def _is_in_chain(row: PlanRow) -> bool:
    return row.standing.cause == Cause.WAITS_FOR_ANSWER


def _unshown(status: Status, number: int, shown: Sequence[PlanRow]) -> PlanRest | None:
    missing = number - len(shown)
    if missing <= 0:
        return None
    return PlanRest(status.value, f"{missing:,} more", (), f"/queue/history?status={status.value}", "All of them")
