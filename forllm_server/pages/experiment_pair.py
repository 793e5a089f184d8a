"""A pair of an experiment: two answers side by side without names, the vote, and then who gave which."""

from dataclasses import dataclass

from flask import Blueprint, Response
from sqlalchemy import Connection

from forllm_server.clock import now
from forllm_server.errors import Conflict
from forllm_server.experiments import experiment_store, pair_store
from forllm_server.experiments.model import Choice, Experiment, Pair
from forllm_server.forum import post_store
from forllm_server.forum.model import Post
from forllm_server.forum.rendering import ensure_html
from forllm_server.jobs import experiment_votes as voting
from forllm_server.markup.render import render
from forllm_server.pages.changes import DiffLine, diff_lines
from forllm_server.pages.database import database
from forllm_server.pages.marks import hue_class
from forllm_server.pages.vote import CHOICES
from forllm_server.personas.model import PersonaVersion
from forllm_server.personas.version_store import list_versions_by_ids
from forllm_server.votes.model import Side
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form
from forllm_server.web.fragments import notice, page, see_other

blueprint = Blueprint("experiment_pair", __name__)

_PAIR = "/experiments/<int:experiment_id>/pairs/<int:number>"
_REVEAL = (Side.SKIP, "Show the names, no vote", "s")
_OUTCOMES = {
    Choice.NEW: "You preferred the new answer",
    Choice.OLD: "You preferred the old answer",
    Choice.TIE: "You found both equally good",
    Choice.BAD: "You found both bad",
    Choice.SKIP: "No vote: the names were shown first",
}


@dataclass(frozen=True)
class SideShown:
    """An answer as it stands on the page. What tells who gave it is shown only with the names."""

    label: str
    html: str | None
    text: str
    version: PersonaVersion | None
    hue: str
    model_name: str
    facts: tuple[str, ...]
    is_preferred: bool

    @property
    def name(self) -> str:
        return f"{self.version.name} v{self.version.number}" if self.version else "a persona"

    @property
    def url(self) -> str:
        return f"/personas/{self.version.persona_id}/versions/{self.version.number}" if self.version else ""


@blueprint.get(_PAIR)
def show(experiment_id: int, number: int) -> Response:
    """Both answers; blind until there is a vote."""
    with current().database.read() as connection:
        experiment = experiment_store.get_experiment(connection, experiment_id)
        pair = pair_store.get_pair(connection, experiment, number)
        found = list_versions_by_ids(connection, [pair.old_version_id, pair.new_version_id])
        question = next(iter(post_store.list_posts(connection, [pair.question_id])), None)
        next_number = pair_store.find_next_undecided(connection, experiment, number)
    is_blind = pair.may_be_voted_on and pair.choice is None
    sides = _sides(pair, {version.id: version for version in found}, is_blind=is_blind)
    return page(
        "experiment_pair/show.html",
        experiment=experiment,
        pair=pair,
        question=_rendered(question),
        is_blind=is_blind,
        outcome=_OUTCOMES[pair.choice] if pair.choice else "",
        sides=sides,
        lines=_lines(sides) if pair.may_be_voted_on else None,
        choices=(*CHOICES, _REVEAL),
        changes=_changes(pair),
        next_number=next_number if next_number != number else None,
    )


@blueprint.get("/experiments/<int:experiment_id>/next")
def show_next(experiment_id: int) -> Response:
    """To the first pair that waits for a vote, else back to the experiment."""
    with current().database.read() as connection:
        experiment = experiment_store.get_experiment(connection, experiment_id)
        number = pair_store.find_next_undecided(connection, experiment, 0)
    return see_other(f"/experiments/{experiment_id}" + (f"/pairs/{number}" if number else ""))


@blueprint.post(f"{_PAIR}/vote")
def vote(experiment_id: int, number: int) -> Response:
    """Vote, or with ``is_change`` otherwise than before. Who votes a second time is shown the first vote."""
    form = Form.of_request()
    side = Side(form.choice("choice", [side.value for side in Side]))
    try:
        with current().database.transaction() as connection:
            pair = _read(connection, experiment_id, number)
            choice = voting.choice_of(pair, current_user_id(), side)
            voting.vote(connection, experiment_id, number, choice, now(), is_change=form.flag("is_change"))
    except voting.AlreadyVoted as problem:
        notice(problem.message, kind="warning")
    return see_other(f"/experiments/{experiment_id}/pairs/{number}")


@blueprint.post(f"{_PAIR}/vote/delete")
def take_back(experiment_id: int, number: int) -> Response:
    """Take a vote back: the pair is blind again."""
    with current().database.transaction() as connection:
        voting.take_back(connection, experiment_id, number, now())
    notice("The vote is taken back.")
    return see_other(f"/experiments/{experiment_id}/pairs/{number}")


@blueprint.post(f"{_PAIR}/post")
def post(experiment_id: int, number: int) -> Response:
    """Put the new answer into its thread."""
    try:
        with current().database.transaction() as connection:
            post_id = voting.post_answer(connection, experiment_id, number, now())
    except Conflict as problem:
        notice(problem.message, kind="warning")
        return see_other(f"/experiments/{experiment_id}/pairs/{number}")
    notice("The new answer stands in its thread now, beside the old one.")
    return see_other(f"/posts/{post_id}")


def _read(connection: Connection, experiment_id: int, number: int) -> Pair:
    experiment: Experiment = experiment_store.get_experiment(connection, experiment_id)
    return pair_store.get_pair(connection, experiment, number)


def _rendered(question: Post | None) -> Post | None:
    if question is None or question.is_deleted:
        return None
    return ensure_html(database(), [question])[0]


def _changes(pair: Pair) -> tuple[tuple[Side, str], ...]:
    """The choices once the names are known, each as the side on which the reader saw that answer."""
    sides = (Side.LEFT, Side.RIGHT) if pair.is_old_left(current_user_id()) else (Side.RIGHT, Side.LEFT)
    names = ("The old one is better", "The new one is better")
    return (*zip(sides, names, strict=True), (Side.TIE, "Equally good"), (Side.BAD, "Both bad"))


def _sides(pair: Pair, versions: dict[int, PersonaVersion], *, is_blind: bool) -> tuple[SideShown, SideShown]:
    """Blind: in an order as good as random, A and B. With the names the old one stands left, where one looks for it."""
    is_new_left = is_blind and not pair.is_old_left(current_user_id())
    order = (True, False) if is_new_left else (False, True)
    labels = ("A", "B") if is_blind else ("Old", "New")
    ids = {True: pair.new_version_id, False: pair.old_version_id}
    left, right = (
        _side(pair, versions.get(ids[is_new]), label, is_new=is_new)
        for label, is_new in zip(labels, order, strict=True)
    )
    return left, right


def _side(pair: Pair, version: PersonaVersion | None, label: str, *, is_new: bool) -> SideShown:
    text = pair.new_text if is_new else pair.old_text
    tokens, seconds = (pair.new_tokens, pair.new_seconds) if is_new else (pair.old_tokens, pair.old_seconds)
    facts = [
        f"{tokens:,} tokens" if tokens else "",
        f"{seconds:,.1f} s" if seconds is not None else "",
        f"{len(text):,} characters" if text else "",
        "cut off at the longest reply allowed" if is_new and pair.new_finish_reason == "length" else "",
    ]
    return SideShown(
        label=label,
        html=None if text is None else render(text, anchor_prefix=f"side-{label.lower()}").html,
        text=text or "",
        version=version,
        hue=hue_class(version.name) if version else "",
        model_name=pair.new_model_name if is_new else pair.old_model_name,
        facts=tuple(fact for fact in facts if fact),
        is_preferred=pair.choice is (Choice.NEW if is_new else Choice.OLD),
    )


def _lines(sides: tuple[SideShown, SideShown]) -> list[DiffLine]:
    return diff_lines(sides[0].text, sides[1].text)
