"""Experiments: which earlier answers are asked for again and of whom, the estimate, the progress, the report."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, Response, request
from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from forllm_server.catalog.model_store import list_models
from forllm_server.clock import now
from forllm_server.errors import Invalid
from forllm_server.experiments import experiment_store, pair_store
from forllm_server.experiments.exporting import MEDIA_TYPES, ExportFormat
from forllm_server.experiments.model import Choice, Experiment, LeftOut, Pair, Progress, State
from forllm_server.experiments.report import Report, report_of
from forllm_server.forum import topic_store
from forllm_server.forum.model import TopicOrder
from forllm_server.forum.subforum_store import list_subforums
from forllm_server.jobs import experiments as rules
from forllm_server.jobs.experiment_file import pieces_of
from forllm_server.jobs.experiments import NAME_MAX_CHARS, ExperimentDraft, left_out_words
from forllm_server.jobs.standing import list_obstacles
from forllm_server.markup.excerpt import excerpt
from forllm_server.pages.naming import model_label
from forllm_server.pages.words import counted
from forllm_server.personas.version_store import list_versions_of_present
from forllm_server.queue.model import Status
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form, shows_again
from forllm_server.web.fragments import notice, page, see_other

blueprint = Blueprint("experiment", __name__)

LIST = "/experiments"
PER_PAGE = 50
PAIRS_PER_PAGE = 200
#: versions and topics that the form offers
MOST_VERSIONS, MOST_TOPICS = 1_000, 200
_BIGGEST_ID = 2**63 - 1
_EXCERPT_CHARS = 140
_FAILURES = 8
#: The values of the field "answers by": all versions of a persona, or one of them.
_PERSONA, _VERSION = "persona-", "version-"

OUTCOMES = {"new": "the new one is better", "old": "the old one is better", "tie": "equally good", "bad": "both bad"}
_STAGES = {"unasked": "not asked yet", "waiting": "in the queue", "failed": "failed", "cancelled": "called off"}


@dataclass(frozen=True)
class PairRow:
    """A pair as the list shows it: nothing that tells which answer is which before the vote."""

    pair: Pair
    words: str
    question: str

    @property
    def tone(self) -> str:
        if self.pair.stage.value == "failed":
            return "state--bad"
        return "state--good" if self.pair.choice is Choice.NEW else "state--quiet"


@blueprint.get(LIST)
def show_list() -> Response:
    """All experiments, the newest first."""
    before_id = _asked().integer("before", least=1, most=_BIGGEST_ID)
    with current().database.read() as connection:
        found = experiment_store.list_experiments(connection, before_id=before_id, limit=PER_PAGE + 1)
    following = f"{LIST}?before={found[PER_PAGE - 1].id}" if len(found) > PER_PAGE else ""
    return page("experiment/list.html", experiments=found[:PER_PAGE], next=following, state_words=state_words)


@blueprint.get(f"{LIST}/new")
def show_new() -> Response:
    """The form of a new one; the address can say what is chosen already."""
    with current().database.read() as connection:
        subforums = [(str(each.id), each.name) for each in list_subforums(connection)]
        versions = list_versions_of_present(connection, limit=MOST_VERSIONS)
        models = list_models(connection, is_available=True)
        listed = _topics(connection)
    numbered = [(each, f"{each.name} v{each.number}" + (f" · {each.note}" if each.note else "")) for each in versions]
    whole = {each.persona_id: each.name for each in reversed(versions)}
    by = [(f"{_PERSONA}{persona_id}", f"{name}, any version") for persona_id, name in whole.items()]
    own = ("", "the one that gave the old answer")
    return page(
        "experiment/new.html",
        given=_given(),
        listed=listed,
        subforums=[("", "all of them"), *subforums],
        answers_by=[("", "any persona"), *by, *((f"{_VERSION}{each.id}", label) for each, label in numbered)],
        versions=[own, *((str(each.id), label) for each, label in numbered)],
        models=[own, *((str(each.model.id), model_label(each)) for each in models)],
        name_max_chars=NAME_MAX_CHARS,
        most_topics=MOST_TOPICS,
    )


@blueprint.post(f"{LIST}/new")
@shows_again(show_new)
def create() -> Response:
    """Choose and keep the pairs; nothing is asked before it is started. With ``look`` only the form comes again."""
    if Form.of_request().flag("look"):
        return show_new()
    draft = _draft(Form.of_request())
    with current().database.transaction() as connection:
        made = rules.create_experiment(connection, draft, owner_id=current_user_id(), now=now())
    return see_other(f"{LIST}/{made.id}")


@blueprint.get(f"{LIST}/<int:experiment_id>")
def show(experiment_id: int) -> Response:
    """What is compared and how far it is, the report, and its pairs from ``?after=`` on, perhaps only some."""
    form = _asked()
    shown = form.choice("show", pair_store.FILTERS, default="all")
    after = form.integer("after", default=0) or 0
    with current().database.read() as connection:
        experiment = experiment_store.get_experiment(connection, experiment_id)
        progress = pair_store.read_progress(connection, experiment)
        pairs = pair_store.list_pairs(
            connection, experiment, shown=shown, after=after, limit=PAIRS_PER_PAGE + 1, text_characters=1
        )
        failures = pair_store.list_failures(connection, experiment, limit=_FAILURES) if progress.failed else []
        waiting = pair_store.list_llm_request_ids(connection, experiment, (Status.QUEUED, Status.WAITING))
        obstacles = list_obstacles(connection, waiting, now())
        adds = rules.estimate(connection, experiment, now(), is_run_now=False).words if experiment.is_draft else ""
    report = report_of(progress)
    return page(
        "experiment/show.html",
        block="content",
        experiment=experiment,
        progress=progress,
        report=report,
        share_words=share_words(report),
        sums=sums_rows(progress),
        failures=failures,
        obstacles=obstacles,
        left_out=[(left_out_words(LeftOut(reason)), number) for reason, number in experiment.left_out.items()],
        adds=adds,
        shown=shown,
        after=after,
        rows=[_row(pair) for pair in pairs[:PAIRS_PER_PAGE]],
        next_after=pairs[PAIRS_PER_PAGE - 1].number if len(pairs) > PAIRS_PER_PAGE else None,
        state_words=state_words,
    )


@blueprint.post(f"{LIST}/<int:experiment_id>/start")
def start(experiment_id: int) -> Response:
    """Put it into the queue, for the hours that the schedule allows or at once."""
    is_run_now = Form.of_request().flag("is_run_now")
    with current().database.transaction() as connection:
        started = rules.start_experiment(connection, experiment_id, now(), is_run_now=is_run_now)
    current().wake_worker()
    notice(f"“{started.name}”: {counted(started.pair_count, 'answer')} to come.")
    return see_other(f"{LIST}/{experiment_id}")


@blueprint.post(f"{LIST}/<int:experiment_id>/pause")
def pause(experiment_id: int) -> Response:
    """Put nothing more of it into the queue, and hold what waits there."""
    with current().database.transaction() as connection:
        rules.pause_experiment(connection, experiment_id, now())
    notice("The experiment is paused.")
    return see_other(f"{LIST}/{experiment_id}")


@blueprint.post(f"{LIST}/<int:experiment_id>/resume")
def resume(experiment_id: int) -> Response:
    """Go on with it."""
    with current().database.transaction() as connection:
        rules.resume_experiment(connection, experiment_id, now())
    current().wake_worker()
    notice("The experiment goes on.")
    return see_other(f"{LIST}/{experiment_id}")


@blueprint.post(f"{LIST}/<int:experiment_id>/cancellation")
def cancel(experiment_id: int) -> Response:
    """Call all of it off."""
    with current().database.transaction() as connection:
        rules.cancel_experiment(connection, experiment_id, now())
    notice("The experiment is cancelled. What was answered stays.")
    return see_other(f"{LIST}/{experiment_id}")


@blueprint.post(f"{LIST}/<int:experiment_id>/retries")
def retry(experiment_id: int) -> Response:
    """Have failed pairs tried again."""
    with current().database.transaction() as connection:
        number = rules.retry_failed(connection, experiment_id, now())
    current().wake_worker()
    again = counted(number, "question is", "questions are")
    notice(f"{again} asked again." if number else "They still cannot be asked.")
    return see_other(f"{LIST}/{experiment_id}")


@blueprint.get(f"{LIST}/<int:experiment_id>/delete")
def show_delete(experiment_id: int) -> Response:
    """Ask before deleting one."""
    with current().database.read() as connection:
        experiment = experiment_store.get_experiment(connection, experiment_id)
    return page("experiment/delete.html", experiment=experiment)


@blueprint.post(f"{LIST}/<int:experiment_id>/delete")
def delete(experiment_id: int) -> Response:
    """Delete one with its new answers and votes; what was put into threads stays."""
    with current().database.transaction() as connection:
        rules.delete_experiment(connection, experiment_id, now())
    notice("The experiment was deleted.")
    return see_other(LIST)


@blueprint.get(f"{LIST}/<int:experiment_id>/export")
def export(experiment_id: int) -> Response:
    """Download it as ``?format=`` csv, json or md."""
    form = ExportFormat(_asked().choice("format", list(ExportFormat), default=ExportFormat.CSV.value))
    read = current().database.read
    with read() as connection:
        experiment = experiment_store.get_experiment(connection, experiment_id)
    response = Response(pieces_of(read, experiment, form), content_type=MEDIA_TYPES[form])
    response.headers["Content-Disposition"] = f'attachment; filename="experiment-{experiment_id}.{form.value}"'
    return response


def state_words(experiment: Experiment) -> str:
    """Where an experiment stands, in a word or two."""
    if experiment.is_draft:
        return "not started"
    if experiment.state is State.CANCELLED:
        return "cancelled"
    if experiment.state is State.PAUSED:
        return "paused"
    if experiment.finished_at is not None:
        return "finished"
    return "being asked" if experiment.asked_count < experiment.pair_count else "all asked"


def share_words(report: Report) -> str:
    """``7 of 9 votes with a winner, 78 % (95 % interval 45-94 %)``; empty before the first."""
    if report.share is None:
        return ""
    interval = f"{100 * report.low:.0f}-{100 * report.high:.0f} %"
    decided = counted(report.decided, "vote with a winner", "votes with a winner")
    return f"{report.won:,} of {decided}, {100 * report.share:.0f} % (95 % interval {interval})"


def sums_rows(progress: Progress) -> list[tuple[str, str, str]]:
    """What the answers of both sides cost on average: (measure, old, new)."""
    measures: Mapping[str, tuple[float | None, float | None, str]] = {
        "Length in characters": (progress.old.characters, progress.new.characters, ",.0f"),
        "Tokens written": (progress.old.tokens, progress.new.tokens, ",.0f"),
        "Seconds taken": (progress.old.seconds, progress.new.seconds, ",.1f"),
    }
    return [(label, _measure(old, how), _measure(new, how)) for label, (old, new, how) in measures.items()]


def _measure(value: float | None, how: str) -> str:
    return "not known" if value is None else format(value, how)


def _row(pair: Pair) -> PairRow:
    if pair.choice is not None and pair.choice.value in OUTCOMES:
        words = OUTCOMES[pair.choice.value]
    elif not pair.is_answered:
        words = _STAGES[pair.stage.value] + (f": {pair.problem}" if pair.problem else "")
    elif not pair.may_be_voted_on:
        words = "answered; one of the two is in the trash"
    else:
        words = "names shown, no vote" if pair.choice else "waits for your vote"
    return PairRow(pair, words, excerpt(pair.question, max_chars=_EXCERPT_CHARS))


def _asked() -> Form:
    return Form(request.args.to_dict(flat=False))


def _given() -> MultiDict[str, str]:
    """What stands in the form: what was sent, else what the address says."""
    return request.form if request.method == "POST" else request.args


def _topics(connection: Connection) -> list[tuple[int, str, bool]]:
    """(id, title, whether it is ticked): those that were ticked, and the newest of the subforum that was chosen."""
    form = Form(_given().to_dict(flat=False))
    try:
        ticked = set(form.integers("topic_ids", most=_BIGGEST_ID)[:MOST_TOPICS])
        subforum_id = form.integer("subforum_id", least=1, most=_BIGGEST_ID)
    except Invalid:
        return []
    found: dict[int, str] = topic_store.list_titles(connection, ticked) if ticked else {}
    if subforum_id is not None:
        listed = topic_store.list_page(connection, TopicOrder.ACTIVE, limit=MOST_TOPICS, subforum_id=subforum_id)
        found |= {topic.id: topic.title for topic in listed.topics}
    return [(topic_id, title, topic_id in ticked) for topic_id, title in found.items()]


def _draft(form: Form) -> ExperimentDraft:
    by = form.text("answers_by", longest=40)
    kind = next((kind for kind in (_PERSONA, _VERSION) if by.startswith(kind)), "")
    answered_by = Form({"answers_by": [by.removeprefix(kind)]}).integer("answers_by", least=1, most=_BIGGEST_ID)
    if answered_by is not None and not kind:
        raise Invalid("Choose one of the personas, or one of their versions.", field="answers_by")
    return ExperimentDraft(
        name=form.text("name", longest=1_000),
        topic_ids=tuple(form.integers("topic_ids", most=_BIGGEST_ID)) or None,
        subforum_id=form.integer("subforum_id", least=1, most=_BIGGEST_ID),
        tag=form.text("tag", longest=200),
        query=form.text("query", longest=1_000),
        old_persona_id=answered_by if kind == _PERSONA else None,
        old_persona_version_id=answered_by if kind == _VERSION else None,
        is_everything=form.flag("is_everything"),
        persona_version_id=form.integer("persona_version_id", least=1, most=_BIGGEST_ID),
        model_id=form.integer("model_id", least=1, most=_BIGGEST_ID),
    )
