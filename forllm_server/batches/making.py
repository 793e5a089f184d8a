"""What a person wants asked, looked at before anything is created: lines, repetitions, whom it asks. Pure."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from forllm_server.batches.checks import MOST_CHECKS, Check
from forllm_server.batches.model import Place
from forllm_server.batches.reading import Table
from forllm_server.batches.template import check_template, fill
from forllm_server.errors import Invalid
from forllm_server.markup.names import MAX_TEXT_BYTES

TITLE_MAX_CHARS = 200
#: how many answers there can be to one line
MOST_ASKS = 64
MOST_REPEATS = 20
LONGEST_RUBRIC = 4_000


@dataclass(frozen=True)
class BatchDraft:
    """A batch as it was entered. ``model_ids``: None is each persona's own model."""

    subforum_id: int
    title: str
    template: str
    table: Table
    persona_ids: tuple[int, ...]
    model_ids: tuple[int | None, ...] = (None,)
    repeats: int = 1
    place: Place = Place.GRID
    checks: tuple[Check, ...] = ()
    is_run_now: bool = False
    #: who judges the answers by the rubric; both or neither
    judge_persona_id: int | None = None
    rubric: str = ""
    #: a line that would ask what an earlier one asks is left out
    is_each_once: bool = False


@dataclass(frozen=True)
class Prepared:
    """What would be asked. ``duplicates``: (number, number of the first line that asks the same), counted from 1."""

    lines: tuple[tuple[str, ...], ...]
    questions: tuple[str, ...]
    duplicates: tuple[tuple[int, int], ...]
    asks_per_line: int
    fingerprint: str

    @property
    def cell_count(self) -> int:
        return len(self.lines) * self.asks_per_line


def prepare(draft: BatchDraft) -> Prepared:
    """Look at all of it. Raises Invalid with the field, and the number of the line, that cannot be taken."""
    _check(draft)
    questions = [_question(draft, number, line) for number, line in enumerate(draft.table.lines, 1)]
    first: dict[str, int] = {}
    duplicates = tuple(
        (number, first[text]) for number, text in enumerate(questions, 1) if first.setdefault(text, number) != number
    )
    left_out = {number for number, _ in duplicates} if draft.is_each_once else set()
    kept = [number for number in range(len(questions)) if number + 1 not in left_out]
    return Prepared(
        lines=tuple(draft.table.lines[number] for number in kept),
        questions=tuple(questions[number] for number in kept),
        duplicates=duplicates,
        asks_per_line=len(draft.persona_ids) * len(draft.model_ids) * draft.repeats,
        fingerprint=_fingerprint(draft),
    )


def _check(draft: BatchDraft) -> None:
    if not draft.title.strip() or len(draft.title) > TITLE_MAX_CHARS:
        raise Invalid(f"A title has 1 to {TITLE_MAX_CHARS} characters.", field="title")
    check_template(draft.template, draft.table.columns)
    if not draft.persona_ids:
        raise Invalid("Choose at least one persona.", field="persona_ids")
    if not draft.model_ids:
        raise Invalid("Choose at least one model, or the persona’s own.", field="model_ids")
    _refuse_repeated(draft.persona_ids, "persona_ids")
    _refuse_repeated(draft.model_ids, "model_ids")
    if not 1 <= draft.repeats <= MOST_REPEATS:
        raise Invalid(f"A line is asked 1 to {MOST_REPEATS} times of each.", field="repeats")
    asks = len(draft.persona_ids) * len(draft.model_ids) * draft.repeats
    if asks > MOST_ASKS:
        raise Invalid(f"That would be {asks:,} answers to each line, and {MOST_ASKS} are possible.", field="repeats")
    if len(draft.checks) > MOST_CHECKS:
        raise Invalid(f"There can be {MOST_CHECKS} checks.", field="checks")
    _check_judge(draft)


def _check_judge(draft: BatchDraft) -> None:
    if draft.judge_persona_id is not None and not draft.rubric.strip():
        raise Invalid("Write down what an answer must do to pass: the judge goes by it.", field="rubric")
    if draft.judge_persona_id is None and draft.rubric.strip():
        raise Invalid("Choose the persona that judges by the rubric.", field="judge_persona_id")
    if len(draft.rubric) > LONGEST_RUBRIC:
        raise Invalid(f"A rubric has {LONGEST_RUBRIC:,} characters at most.", field="rubric")


def _refuse_repeated(ids: Sequence[int | None], field: str) -> None:
    if len(set(ids)) != len(ids):
        raise Invalid("One of these is chosen twice. To ask it several times, use the repeats.", field=field)


def _question(draft: BatchDraft, number: int, line: Sequence[str]) -> str:
    text = fill(draft.template, draft.table.columns, line).strip()
    if not text:
        raise Invalid(f"Line {number:,} would ask nothing: what the template names is empty there.", field="text")
    size = len(text.encode("utf-8", "replace"))
    if size > MAX_TEXT_BYTES:
        raise Invalid(
            f"Line {number:,} would ask {size:,} bytes; a post holds {MAX_TEXT_BYTES:,}.", field="text", row=number
        )
    return text


def _fingerprint(draft: BatchDraft) -> str:
    """The same for the same table asked the same: how the command line finds a batch again."""
    digest = hashlib.sha256()
    asked: list[object] = [
        draft.subforum_id,
        draft.template,
        draft.table.columns,
        draft.persona_ids,
        draft.model_ids,
        draft.repeats,
        draft.place.value,
        draft.is_each_once,
        [check.as_dict() for check in draft.checks],
    ]
    if draft.judge_persona_id is not None:
        asked += [draft.judge_persona_id, draft.rubric.strip()]
    for part in (asked, *draft.table.lines):
        digest.update(json.dumps(part).encode() + b"\n")
    return digest.hexdigest()
