"""Schemas of experiments."""

from marshmallow import Schema, fields, validate

from forllm_server.api.contract import Input, PageQuery
from forllm_server.api.fields import Boolean, Id, Moment, one_of, text
from forllm_server.experiments.exporting import ExportFormat
from forllm_server.experiments.model import Choice, Stage, State
from forllm_server.experiments.pair_store import FILTERS
from forllm_server.jobs.experiments import MOST_PAIRS
from forllm_server.votes.model import Side


class ExperimentIn(Input):
    """Which earlier answers are asked for again, and of whom. All that narrows them must hold."""

    name = text(longest=1_000, load_default="", metadata={"description": "Empty: named after whom is asked."})
    topic_ids = fields.List(Id(), load_default=None, allow_none=True, validate=validate.Length(max=MOST_PAIRS))
    post_ids = fields.List(
        Id(),
        load_default=None,
        allow_none=True,
        validate=validate.Length(max=MOST_PAIRS),
        metadata={"description": "Questions, or answers to them."},
    )
    subforum_id = Id(load_default=None, allow_none=True)
    tag = text(longest=200, load_default="")
    query = text(longest=1_000, load_default="", metadata={"description": "A search: what it finds."})
    old_persona_id = Id(load_default=None, allow_none=True, metadata={"description": "Answers by this persona."})
    old_persona_version_id = Id(load_default=None, allow_none=True, metadata={"description": "By this version of it."})
    is_everything = Boolean(load_default=False, metadata={"description": "All of the forum, where nothing narrows it."})
    persona_version_id = Id(
        load_default=None, allow_none=True, metadata={"description": "null: the version that gave the old answer."}
    )
    model_id = Id(load_default=None, allow_none=True, metadata={"description": "null: the model that gave it."})


class StartIn(Input):
    """When it is asked."""

    is_run_now = Boolean(load_default=False)


class PairsQuery(PageQuery):
    """Which pairs."""

    show = one_of(FILTERS, load_default="all", metadata={"description": "`undecided`: those that wait for a vote."})


class ExperimentVoteIn(Input):
    """A vote; with `is_change` another one than before."""

    choice = one_of(Side, required=True, metadata={"description": "`skip` is no vote: it shows the names."})
    is_change = Boolean(load_default=False)


class ExperimentExportQuery(Input):
    """As what it is downloaded."""

    format = one_of(ExportFormat, load_default=ExportFormat.CSV.value)


class ExperimentOut(Schema):
    """A stored experiment."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    source = fields.String(required=True, metadata={"description": "What was chosen, in words."})
    persona_version_id = fields.Integer(required=True, allow_none=True)
    model_id = fields.Integer(required=True, allow_none=True)
    challenger = fields.String(required=True)
    is_run_now = fields.Boolean(required=True)
    state = fields.Enum(State, by_value=True, required=True)
    pair_count = fields.Integer(required=True)
    asked_count = fields.Integer(required=True, metadata={"description": "Pairs that were put into the queue."})
    left_out = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata={"description": "How many chosen answers are not asked for again, by reason."},
    )
    created_at = Moment(required=True)
    started_at = Moment(required=True, allow_none=True)
    finished_at = Moment(required=True, allow_none=True)


class ExperimentProgressOut(Schema):
    """How many pairs are how far."""

    total = fields.Integer(required=True)
    unasked = fields.Integer(required=True)
    waiting = fields.Integer(required=True)
    answered = fields.Integer(required=True)
    failed = fields.Integer(required=True)
    cancelled = fields.Integer(required=True)
    undecided = fields.Integer(required=True)


class MeansOut(Schema):
    """Of the answers of one side, on average; null where nothing is known."""

    tokens = fields.Float(required=True, allow_none=True)
    seconds = fields.Float(required=True, allow_none=True)
    characters = fields.Float(required=True, allow_none=True)


class ReportOut(Schema):
    """What the votes told. `share`: of the votes with a winner, how many the new answers won; `low`, `high`: its 95 %
    interval."""

    won = fields.Integer(required=True)
    lost = fields.Integer(required=True)
    ties = fields.Integer(required=True)
    bad = fields.Integer(required=True)
    share = fields.Float(required=True, allow_none=True)
    low = fields.Float(required=True)
    high = fields.Float(required=True)
    verdict = fields.String(required=True)
    old = fields.Nested(MeansOut, required=True)
    new = fields.Nested(MeansOut, required=True)


class ExperimentWithReportOut(ExperimentOut):
    """A stored experiment, how far it is, and what it told. `estimate`: what starting it adds, before that."""

    progress = fields.Nested(ExperimentProgressOut, required=True)
    report = fields.Nested(ReportOut, required=True)
    estimate = fields.String(required=True)


class ExperimentSideOut(Schema):
    """An answer of a pair. Before the vote nothing tells whose it is: what would is null."""

    is_new = fields.Boolean(required=True, allow_none=True)
    persona = fields.String(required=True, allow_none=True)
    persona_version_id = fields.Integer(required=True, allow_none=True)
    model = fields.String(required=True, allow_none=True)
    post_id = fields.Integer(required=True, allow_none=True)
    tokens = fields.Integer(required=True, allow_none=True)
    seconds = fields.Float(required=True, allow_none=True)
    text = fields.String(required=True, allow_none=True, metadata={"description": "Markdown."})


class ExperimentPairOut(Schema):
    """An old answer and its new one."""

    number = fields.Integer(required=True)
    stage = fields.Enum(Stage, by_value=True, required=True)
    problem = fields.String(required=True, metadata={"description": "Why it failed; else empty."})
    llm_request_id = fields.Integer(required=True, allow_none=True)
    topic_id = fields.Integer(required=True)
    topic_title = fields.String(required=True)
    question_id = fields.Integer(required=True)
    question = fields.String(required=True, metadata={"description": "Its beginning."})
    choice = fields.Enum(Choice, by_value=True, required=True, allow_none=True)
    left = fields.Nested(ExperimentSideOut, required=True)
    right = fields.Nested(ExperimentSideOut, required=True)


class ExperimentRetriedOut(Schema):
    """How many failed pairs are tried again."""

    retried = fields.Integer(required=True)


class PostedOut(Schema):
    """Where the new answer stands now."""

    post_id = fields.Integer(required=True)
