"""``/api/v1/experiments``: earlier answers asked for again, of another persona version or model, and compared."""

from typing import Any

from flask import Response
from sqlalchemy import Connection

from forllm_server.api.contract import Noun, listing, page_of
from forllm_server.api.contract import PageQuery as Page
from forllm_server.api.creating import IDEMPOTENCY_KEY, create
from forllm_server.api.schemas_experiment import (
    ExperimentExportQuery,
    ExperimentIn,
    ExperimentOut,
    ExperimentPairOut,
    ExperimentRetriedOut,
    ExperimentVoteIn,
    ExperimentWithReportOut,
    PairsQuery,
    PostedOut,
    StartIn,
)
from forllm_server.clock import now
from forllm_server.experiments import experiment_store, pair_store
from forllm_server.experiments.exporting import MEDIA_TYPES, ExportFormat
from forllm_server.experiments.model import Experiment, Pair
from forllm_server.experiments.report import report_of
from forllm_server.jobs import experiment_votes as voting
from forllm_server.jobs import experiments as rules
from forllm_server.jobs.experiment_file import pieces_of, version_words
from forllm_server.jobs.experiments import ExperimentDraft
from forllm_server.votes.model import Side
from forllm_server.web.current import current, current_user_id
from forllm_server.web.paging import decode_cursor

blueprint = Noun("Experiments", "Earlier answers asked for again, and compared with the old ones.")

_ONE = "/experiments/<int:experiment_id>"
_PAIR = f"{_ONE}/pairs/<int:number>"


@blueprint.route("/experiments", methods=["GET"])
@blueprint.arguments(Page, location="query")
@blueprint.response(200, listing(ExperimentOut))
def show_list(query: dict[str, Any]) -> dict[str, Any]:
    """List the experiments, the newest first."""
    cursor = decode_cursor(query.get("after"), int)
    limit = query["limit"]
    with current().database.read() as connection:
        before_id = cursor[0] if cursor else None
        found = experiment_store.list_experiments(connection, before_id=before_id, limit=limit + 1)
    return page_of(found, limit, lambda experiment: (experiment.id,))


@blueprint.route("/experiments", methods=["POST"])
@blueprint.arguments(ExperimentIn)
@blueprint.response(201, ExperimentWithReportOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def add(values: dict[str, Any]) -> Response:
    """Choose the answers and keep the pairs; nothing is asked before it is started."""
    ids = {name: None if values[name] is None else tuple(values[name]) for name in ("topic_ids", "post_ids")}
    draft = ExperimentDraft(**(values | ids))

    def work(connection: Connection) -> Any:
        made = rules.create_experiment(connection, draft, owner_id=current_user_id(), now=now())
        return ExperimentWithReportOut().dump(_with_report(connection, made))

    return create(work, location="/api/v1/experiments/{id}")


@blueprint.route(_ONE, methods=["GET"])
@blueprint.response(200, ExperimentWithReportOut)
def show(experiment_id: int) -> dict[str, Any]:
    """Read one experiment, how far it is, and its report."""
    with current().database.read() as connection:
        return _with_report(connection, experiment_store.get_experiment(connection, experiment_id))


@blueprint.route(_ONE, methods=["DELETE"])
@blueprint.response(204)
def delete(experiment_id: int) -> str:
    """Delete an experiment with its new answers and votes; what was put into threads stays."""
    with current().database.transaction() as connection:
        rules.delete_experiment(connection, experiment_id, now())
    return ""


@blueprint.route(f"{_ONE}/start", methods=["POST"])
@blueprint.arguments(StartIn)
@blueprint.response(200, ExperimentWithReportOut)
def start(values: dict[str, Any], experiment_id: int) -> dict[str, Any]:
    """Put its first questions into the queue; the others follow a part at a time."""
    with current().database.transaction() as connection:
        started = rules.start_experiment(connection, experiment_id, now(), is_run_now=values["is_run_now"])
        found = _with_report(connection, started)
    current().wake_worker()
    return found


@blueprint.route(f"{_ONE}/pause", methods=["POST"])
@blueprint.response(200, ExperimentWithReportOut)
def pause(experiment_id: int) -> dict[str, Any]:
    """Hold what waits of it, and ask nothing more until it is resumed."""
    with current().database.transaction() as connection:
        return _with_report(connection, rules.pause_experiment(connection, experiment_id, now()))


@blueprint.route(f"{_ONE}/resumption", methods=["POST"])
@blueprint.response(200, ExperimentWithReportOut)
def resume(experiment_id: int) -> dict[str, Any]:
    """Go on with a paused experiment."""
    with current().database.transaction() as connection:
        found = _with_report(connection, rules.resume_experiment(connection, experiment_id, now()))
    current().wake_worker()
    return found


@blueprint.route(f"{_ONE}/cancellation", methods=["POST"])
@blueprint.response(200, ExperimentWithReportOut)
def cancel(experiment_id: int) -> dict[str, Any]:
    """Call all of it off. The answers stay."""
    with current().database.transaction() as connection:
        return _with_report(connection, rules.cancel_experiment(connection, experiment_id, now()))


@blueprint.route(f"{_ONE}/retries", methods=["POST"])
@blueprint.response(200, ExperimentRetriedOut)
def retry(experiment_id: int) -> dict[str, int]:
    """Have failed pairs tried again."""
    with current().database.transaction() as connection:
        retried = rules.retry_failed(connection, experiment_id, now())
    current().wake_worker()
    return {"retried": retried}


@blueprint.route(f"{_ONE}/pairs", methods=["GET"])
@blueprint.arguments(PairsQuery, location="query")
@blueprint.response(200, listing(ExperimentPairOut))
def show_pairs(query: dict[str, Any], experiment_id: int) -> dict[str, Any]:
    """List the pairs in their order; whose answer is which is told after the vote."""
    cursor = decode_cursor(query.get("after"), int)
    limit, after = query["limit"], cursor[0] if cursor else 0
    with current().database.read() as connection:
        experiment = experiment_store.get_experiment(connection, experiment_id)
        pairs = pair_store.list_pairs(connection, experiment, shown=query["show"], after=after, limit=limit + 1)
        names = version_words(connection, pairs)
    return page_of([_shown(pair, names) for pair in pairs], limit, lambda row: (row["number"],))


@blueprint.route(_PAIR, methods=["GET"])
@blueprint.response(200, ExperimentPairOut)
def show_pair(experiment_id: int, number: int) -> dict[str, Any]:
    """Read one pair; whose answer is which is told after the vote."""
    with current().database.read() as connection:
        return _read(connection, experiment_id, number)


@blueprint.route(f"{_PAIR}/vote", methods=["PUT"])
@blueprint.arguments(ExperimentVoteIn)
@blueprint.response(200, ExperimentPairOut)
def vote(values: dict[str, Any], experiment_id: int, number: int) -> dict[str, Any]:
    """Vote on a pair, by the sides on which its answers are listed before there is a vote."""
    with current().database.transaction() as connection:
        experiment = experiment_store.get_experiment(connection, experiment_id)
        pair = pair_store.get_pair(connection, experiment, number)
        choice = voting.choice_of(pair, current_user_id(), Side(values["choice"]))
        voting.vote(connection, experiment_id, number, choice, now(), is_change=values["is_change"])
        return _read(connection, experiment_id, number)


@blueprint.route(f"{_PAIR}/vote", methods=["DELETE"])
@blueprint.response(204)
def take_back(experiment_id: int, number: int) -> str:
    """Take a vote back: the pair waits for one again."""
    with current().database.transaction() as connection:
        voting.take_back(connection, experiment_id, number, now())
    return ""


@blueprint.route(f"{_PAIR}/post", methods=["POST"])
@blueprint.response(200, PostedOut)
def post(experiment_id: int, number: int) -> dict[str, int]:
    """Put the new answer into its thread, beside the old one; once is enough."""
    with current().database.transaction() as connection:
        return {"post_id": voting.post_answer(connection, experiment_id, number, now())}


@blueprint.route(f"{_ONE}/export", methods=["GET"])
@blueprint.arguments(ExperimentExportQuery, location="query")
@blueprint.doc(
    responses={
        "200": {
            "description": "The file.",
            "content": {kind.partition(";")[0]: {"schema": {"type": "string"}} for kind in MEDIA_TYPES.values()},
        }
    }
)
def export(query: dict[str, Any], experiment_id: int) -> Response:
    """Download an experiment as CSV, JSON or Markdown."""
    form = ExportFormat(query["format"])
    read = current().database.read
    with read() as connection:
        experiment = experiment_store.get_experiment(connection, experiment_id)
    return Response(pieces_of(read, experiment, form), content_type=MEDIA_TYPES[form])


def _with_report(connection: Connection, experiment: Experiment) -> dict[str, Any]:
    progress = pair_store.read_progress(connection, experiment)
    adds = rules.estimate(connection, experiment, now(), is_run_now=False).words if experiment.is_draft else ""
    report = report_of(progress)
    told = {name: getattr(report, name) for name in ("won", "lost", "ties", "bad", "share", "low", "high", "verdict")}
    return vars(experiment) | {
        "challenger": experiment.challenger,
        "progress": progress,
        "report": told | {"old": progress.old, "new": progress.new},
        "estimate": adds,
    }


def _read(connection: Connection, experiment_id: int, number: int) -> dict[str, Any]:
    experiment = experiment_store.get_experiment(connection, experiment_id)
    pair = pair_store.get_pair(connection, experiment, number)
    return _shown(pair, version_words(connection, [pair]))


def _shown(pair: Pair, names: dict[int, str]) -> dict[str, Any]:
    is_blind = pair.may_be_voted_on and pair.choice is None
    sides = [_side(pair, names, is_new=is_new, is_blind=is_blind) for is_new in (False, True)]
    left, right = sides if pair.is_old_left(current_user_id()) else sides[::-1]
    return vars(pair) | {"left": left, "right": right}


def _side(pair: Pair, names: dict[int, str], *, is_new: bool, is_blind: bool) -> dict[str, Any]:
    text = pair.new_text if is_new else pair.old_text
    if is_blind:
        hidden = ("is_new", "persona", "persona_version_id", "model", "post_id", "tokens", "seconds")
        return {"text": text} | dict.fromkeys(hidden)
    version_id = pair.new_version_id if is_new else pair.old_version_id
    return {
        "is_new": is_new,
        "persona": names.get(version_id, ""),
        "persona_version_id": version_id,
        "model": pair.new_model_name if is_new else pair.old_model_name,
        "post_id": pair.post_id if is_new else pair.old_post_id,
        "tokens": pair.new_tokens if is_new else pair.old_tokens,
        "seconds": pair.new_seconds if is_new else pair.old_seconds,
        "text": text,
    }
