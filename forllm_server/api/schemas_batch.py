"""Schemas of batches."""

from marshmallow import Schema, fields, validate

from forllm_server.api.contract import Input, PageQuery
from forllm_server.api.fields import Boolean, Id, Integer, Moment, one_of, text
from forllm_server.api.schemas_llm import DoneByOut
from forllm_server.batches.checks import LONGEST_VALUE, MOST_CHECKS, CheckKind
from forllm_server.batches.exporting import ExportFormat
from forllm_server.batches.making import LONGEST_RUBRIC, MOST_ASKS, MOST_REPEATS
from forllm_server.batches.model import Place, State, Verdict
from forllm_server.batches.reading import Format
from forllm_server.jobs.batch_lines import FILTERS


class CheckIn(Input):
    """A check of every answer."""

    kind = one_of(CheckKind, required=True)
    value = text(
        longest=LONGEST_VALUE,
        load_default="",
        metadata={
            "description": "A text, a regular expression, members as in `name, age:number`, a JSON Schema as text, or "
            "a length."
        },
    )


class BatchIn(Input):
    """A table, and what is asked of each of its lines."""

    title = text(longest=1_000, required=True)
    subforum_id = Id(required=True)
    format = one_of(Format, load_default=Format.LINES.value)
    template = text(required=True, metadata={"description": "What is asked, with columns as in `{{town}}`."})
    persona_ids = fields.List(Id(), required=True, validate=validate.Length(min=1, max=MOST_ASKS))
    model_ids = fields.List(
        Id(allow_none=True),
        load_default=lambda: [None],
        validate=validate.Length(min=1, max=MOST_ASKS),
        metadata={"description": "null is each persona's own model, else the forum's."},
    )
    repeats = Integer(least=1, most=MOST_REPEATS, load_default=1)
    place = one_of(Place, load_default=Place.GRID.value)
    checks = fields.List(fields.Nested(CheckIn), load_default=list, validate=validate.Length(max=MOST_CHECKS))
    judge_persona_id = Id(
        load_default=None, allow_none=True, metadata={"description": "Who says whether each answer meets the rubric."}
    )
    rubric = text(longest=LONGEST_RUBRIC, load_default="", metadata={"description": "What an answer must do to pass."})
    is_run_now = Boolean(load_default=False)
    is_each_once = Boolean(
        load_default=False, metadata={"description": "Leave out lines that ask what an earlier one asks."}
    )
    # Last, because it hides the function of that name from here on.
    text = text(longest=6_000_000, required=True, metadata={"description": "The table, as its `format` has it."})


class LinesQuery(PageQuery):
    """Which lines."""

    show = one_of(
        FILTERS,
        load_default="all",
        metadata={
            "description": "Only lines with a cell in that state; `checks`: whose answer fails a check, "
            "`rejected`: the judge's rubric; `undecided`: that the judge was asked about in vain."
        },
    )


class ExportQuery(Input):
    """As what it is downloaded."""

    format = one_of(ExportFormat, load_default=ExportFormat.CSV.value)


class CheckOut(Schema):
    """A check of every answer."""

    kind = fields.Enum(CheckKind, by_value=True, required=True)
    value = fields.String(required=True)


class BatchAskOut(Schema):
    """A column of the grid. The version is the one that the persona had when the batch was made."""

    persona_id = fields.Integer(required=True)
    persona_version_id = fields.Integer(required=True)
    model_id = fields.Integer(required=True, allow_none=True)
    repeat = fields.Integer(required=True)
    label = fields.String(required=True)


class JudgeOut(Schema):
    """Who judges every answer, and by what."""

    persona_id = fields.Integer(required=True)
    persona_version_id = fields.Integer(required=True)
    rubric = fields.String(required=True)


class ProgressOut(Schema):
    """How many cells are in which state. Those `undecided` got no readable verdict, and count as neither."""

    total = fields.Integer(required=True)
    unasked = fields.Integer(required=True)
    queued = fields.Integer(required=True)
    running = fields.Integer(required=True)
    answered = fields.Integer(required=True)
    failed = fields.Integer(required=True)
    cancelled = fields.Integer(required=True)
    failed_checks = fields.Integer(required=True)
    judged_pass = fields.Integer(required=True)
    judged_fail = fields.Integer(required=True)
    undecided = fields.Integer(required=True)


class BatchOut(Schema):
    """A stored batch."""

    id = fields.Integer(required=True)
    title = fields.String(required=True)
    subforum_id = fields.Integer(required=True)
    topic_id = fields.Integer(required=True, allow_none=True)
    place = fields.Enum(Place, by_value=True, required=True)
    template = fields.String(required=True)
    columns = fields.List(fields.String(), required=True)
    asks = fields.List(fields.Nested(BatchAskOut), required=True)
    checks = fields.List(fields.Nested(CheckOut), required=True)
    judge = fields.Nested(JudgeOut, required=True, allow_none=True)
    is_run_now = fields.Boolean(required=True)
    state = fields.Enum(State, by_value=True, required=True)
    problem = fields.String(required=True, allow_none=True, metadata={"description": "Why it was paused by itself."})
    line_count = fields.Integer(required=True)
    asked_count = fields.Integer(required=True, metadata={"description": "Lines that were put into the queue."})
    created_at = Moment(required=True)
    finished_at = Moment(required=True, allow_none=True)


class BatchWithProgressOut(BatchOut):
    """A stored batch, and how far it is."""

    progress = fields.Nested(ProgressOut, required=True)
    machine_seconds = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "Of what is to come; null: nothing is, or one of the models has not answered yet."},
    )
    done_by = fields.Nested(
        DoneByOut,
        required=True,
        allow_none=True,
        metadata={"description": "When all of it is done, in the hours that are open; null: nobody knows."},
    )


class CellOut(Schema):
    """What became of a line asked of one persona on one model; `ask` is the column's place, from 0."""

    ask = fields.Integer(required=True)
    status = fields.String(required=True, metadata={"description": "Of its LLM request; `gone`: it was erased."})
    llm_request_id = fields.Integer(required=True)
    reply_post_id = fields.Integer(required=True, allow_none=True)
    text = fields.String(required=True, allow_none=True)
    failed_checks = fields.List(fields.String(), required=True, allow_none=True)
    verdict = fields.Enum(
        Verdict,
        by_value=True,
        required=True,
        allow_none=True,
        metadata={"description": "null: no judge was asked. Only `pass` and `fail` decide anything."},
    )
    verdict_said = fields.String(required=True, metadata={"description": "What the judge said instead of a verdict."})
    verdict_llm_request_id = fields.Integer(required=True, allow_none=True)


class LineOut(Schema):
    """A line with the cells that were asked."""

    number = fields.Integer(required=True)
    values = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    post_id = fields.Integer(required=True, allow_none=True)
    cells = fields.List(fields.Nested(CellOut), required=True)


class RetriedOut(Schema):
    """How many failed cells are tried again."""

    retried = fields.Integer(required=True)
