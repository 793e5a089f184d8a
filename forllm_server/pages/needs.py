"""What needs a person, grouped by cause, each with the one action that mends it. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from forllm_server.pages.naming import model_words
from forllm_server.pages.plan import PlanRow
from forllm_server.queue.model import Cause, Status


class Mend(StrEnum):
    """The action that mends."""

    OTHER_MODEL = "other_model"
    TEST_BACKEND = "test_backend"
    ENABLE_BACKEND = "enable_backend"
    ADD_BACKEND = "add_backend"
    SCHEDULE = "schedule"
    TRASH = "trash"
    RETRY = "retry"


@dataclass(frozen=True)
class Need:
    """``title``: what is wrong. ``text``: what was said about it, when it is the same of all. ``rows``: whose need;
    ``number``: how many they are with those that are not shown.
    """

    key: str
    title: str
    text: str
    mend: Mend
    rows: tuple[PlanRow, ...]
    number: int

    @property
    def backend_id(self) -> int | None:
        return self.rows[0].llm_request.backend_id

    @property
    def is_failed(self) -> bool:
        """Whether they have ended and can be tried again."""
        return self.rows[0].llm_request.status is Status.FAILED


_Titles = Callable[[PlanRow], str]


def _model(row: PlanRow) -> str:
    return model_words(row.llm_request.model_name, row.llm_request.backend_id) or "The model"


def _backend(row: PlanRow) -> str:
    return row.backend_name or "The backend"


#: cause → what mends it, and its title, which also says which requests belong together
_KINDS: dict[str, tuple[Mend, _Titles]] = {
    Cause.MODEL_GONE: (Mend.OTHER_MODEL, lambda row: f"{_model(row)} is not there any more"),
    Cause.PROMPT_TOO_LONG: (Mend.OTHER_MODEL, lambda row: f"Too long for {_model(row)}"),
    Cause.BACKEND_DOWN: (Mend.TEST_BACKEND, lambda row: f"{_backend(row)} cannot be reached"),
    "backend_disabled": (Mend.ENABLE_BACKEND, lambda row: f"{_backend(row)} is disabled"),
    Cause.NO_MODEL: (Mend.ADD_BACKEND, lambda _row: "No model is there to answer"),
    Cause.WINDOW_CLOSED: (Mend.SCHEDULE, lambda _row: "The schedule has no opening in sight"),
    Cause.SUBJECT_GONE: (Mend.TRASH, lambda _row: "The question was deleted"),
    Cause.QUESTION_UNANSWERED: (Mend.RETRY, lambda _row: "The answer before it in the chain did not come"),
    Cause.ERROR: (Mend.RETRY, lambda row: f"{_model(row)} answered with an error"),
    Cause.WORKER_LOST: (Mend.RETRY, lambda _row: "The worker vanished again and again"),
}
_OTHER: tuple[Mend, _Titles] = (Mend.RETRY, lambda _row: "FORLLM itself stumbled")


def needs_of(rows: Sequence[PlanRow], unshown: Mapping[int, int] | None = None) -> list[Need]:
    """The needs among these rows, those with the most requests first. Rows that need nobody are left out.

    ``unshown``: how many stand behind the shown ones in the line of each backend: what the last one shown needs, they
    need too.
    """
    last = {row.llm_request.backend_id: row for row in rows if row.place}
    behind = {row.llm_request.id: (unshown or {}).get(key or 0, 0) for key, row in last.items()}
    groups: dict[tuple[str, bool], list[PlanRow]] = {}
    for row in rows:
        if row.standing.needs_person or row.standing.cause == Cause.BACKEND_DOWN:
            _, title = _KINDS.get(row.standing.cause or "", _OTHER)
            groups.setdefault((title(row), row.llm_request.status is Status.FAILED), []).append(row)
    needs = [_need(number, title, members, behind) for number, ((title, _), members) in enumerate(groups.items())]
    return sorted(needs, key=lambda need: -need.number)


def _need(number: int, title: str, rows: Sequence[PlanRow], behind: Mapping[int, int]) -> Need:
    mend, _ = _KINDS.get(rows[0].standing.cause or "", _OTHER)
    if mend is Mend.TEST_BACKEND and rows[0].llm_request.backend_id is None:
        mend = Mend.RETRY
    sentences = list(dict.fromkeys(row.standing.sentence for row in rows))
    every = len(rows) + sum(behind.get(row.llm_request.id, 0) for row in rows)
    return Need(f"need-{number}", title, _text(title, sentences), mend, tuple(rows), every)


def _text(title: str, sentences: Sequence[str]) -> str:
    """What was said, where the title does not say it already."""
    if len(sentences) > 1:
        return f"{sentences[0]} And {len(sentences) - 1:,} more of the kind."
    return "" if title.casefold() in sentences[0].casefold() and len(sentences[0]) < len(title) + 20 else sentences[0]
