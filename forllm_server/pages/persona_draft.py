"""Personas by a model: asked for, looked over, accepted with changes or without, written again, dropped."""

from dataclasses import dataclass

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from forllm_server.catalog.backend_store import list_backends
from forllm_server.clock import now
from forllm_server.forum.subforum_store import list_subforums
from forllm_server.jobs.draft_asking import Step, Wish, ask_again, ask_drafts, drop
from forllm_server.jobs.fanning import new_group_id
from forllm_server.jobs.standing import Standing, list_standings
from forllm_server.pages.persona_draft_form import BIGGEST_ID, read_draft_form
from forllm_server.pages.words import counted
from forllm_server.personas import drafting
from forllm_server.personas.draft_model import PersonaDraft
from forllm_server.personas.draft_store import (
    get_draft,
    list_accepted_persona_ids,
    list_drafts_of_group,
    list_open_drafts,
)
from forllm_server.queue.chunk_store import list_partials
from forllm_server.queue.line_store import list_llm_requests_by_ids
from forllm_server.queue.model import LlmRequest, Partial
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form, shows_again
from forllm_server.web.fragments import notice, page, see_other
from forllm_server.web.paging import decode_cursor, encode_cursor

blueprint = Blueprint("persona_draft", __name__)

ROWS = 50
_STEPS = {
    Step.EXPANSION: "step 1 of 2, thinking it through",
    Step.REFINEMENT: "step 2 of 2, writing it down",
}


@dataclass(frozen=True)
class DraftRow:
    """A draft with the LLM request that is at work on it, or was last. ``is_tiny``: by the embedded model."""

    draft: PersonaDraft
    llm_request: LlmRequest | None
    standing: Standing | None
    partial: Partial | None
    is_tiny: bool

    @property
    def is_unfinished(self) -> bool:
        """Whether a model is still to write it."""
        return not self.draft.is_written and self.llm_request is not None and self.llm_request.is_live

    @property
    def is_stuck(self) -> bool:
        """Whether it was not written and will not be unless a person does something."""
        return not self.draft.is_written and not self.is_unfinished

    @property
    def state(self) -> str:
        draft = self.draft
        if not draft.is_open:
            return "accepted" if draft.is_accepted else "dropped" if draft.is_dropped else "replaced by another one"
        if draft.is_written:
            return "to be looked over"
        return f"{self.standing.label}, {self.step}" if self.standing else "never asked for"

    @property
    def step(self) -> str:
        step = str(self.llm_request.input.get("step", "")) if self.llm_request else ""
        return _STEPS.get(Step(step), "") if step in set(Step) else ""


@blueprint.get("/personas/drafts")
def show_list() -> Response:
    """What nobody has decided about, newest first; with ``group`` those that were asked for together."""
    group_id = request.args.get("group", "")[:100]
    cursor = decode_cursor(request.args.get("after"), int)
    with current().database.read() as connection:
        if group_id:
            found = [draft for draft in list_drafts_of_group(connection, group_id) if not draft.is_replaced]
        else:
            found = list_open_drafts(connection, limit=ROWS + 1, before_id=cursor[0] if cursor else None)
        rows = _rows(connection, found[:ROWS])
    has_more = not group_id and len(found) > ROWS
    return page(
        "persona_draft/list.html",
        block="answer",
        rows=rows,
        group_id=group_id,
        here=f"/personas/drafts?group={group_id}" if group_id else "/personas/drafts",
        next_url=f"/personas/drafts?after={encode_cursor(found[ROWS - 1].id)}" if has_more else "",
    )


@blueprint.get("/personas/drafts/new")
def show_new() -> Response:
    """The form that asks a model for personas; ``subforum_id`` makes them experts for a subforum."""
    with current().database.read() as connection:
        form = read_draft_form(connection, now())
        subforums = list_subforums(connection)
    wished = request.values.get("subforum_id", "")
    chosen = next((each for each in subforums if str(each.id) == wished), None)
    return page(
        "persona_draft/new.html",
        form=form,
        subforums=[(each.id, f"Experts for {each.name}") for each in subforums],
        subforum=chosen,
        group_id=new_group_id(),
        most=drafting.DRAFTS_MOST,
    )


@blueprint.post("/personas/drafts/new")
@shows_again(show_new)
def ask() -> Response:
    """Ask for personas."""
    form = Form.of_request()
    wish = Wish(
        owner_id=current_user_id(),
        description=form.text("description"),
        subforum_id=form.integer("subforum_id", least=1, most=BIGGEST_ID),
        name=form.text("name"),
        count=form.integer("count", least=1, most=drafting.DRAFTS_MOST) or 0,
        model_id=form.integer("model_id", least=1, most=BIGGEST_ID),
        is_run_now=form.flag("is_run_now"),
        group_id=form.text("group_id", longest=100),
    )
    with current().database.transaction() as connection:
        drafts = ask_drafts(connection, wish, now())
    current().wake_worker()
    number = counted(len(drafts), "persona")
    notice(f"Queued: {number}. Each is written in two steps and then waits here for you.")
    if len(drafts) == 1:
        return see_other(f"/personas/drafts/{drafts[0].id}")
    return see_other(f"/personas/drafts?group={drafts[0].group_id}")


@blueprint.get("/personas/drafts/<int:draft_id>")
def show(draft_id: int) -> Response:
    """A draft: where it stands, what was written, and what can be made of it."""
    with current().database.read() as connection:
        draft = get_draft(connection, draft_id)
        (row,) = _rows(connection, [draft])
        group = list_drafts_of_group(connection, draft.group_id)
        persona_id = list_accepted_persona_ids(connection, [draft]).get(draft_id)
        subforum_ids = {each.id for each in list_subforums(connection)}
    return page(
        "persona_draft/show.html",
        block="answer",
        row=row,
        draft=draft,
        persona_id=persona_id,
        follower=next((each for each in group if each.previous_id == draft.id), None),
        can_be_assigned=draft.brief.subforum_id in subforum_ids,
    )


@blueprint.post("/personas/drafts/<int:draft_id>/acceptance")
@shows_again(show)
def accept(draft_id: int) -> Response:
    """Make a persona of a draft, as it stands in the form."""
    form = Form.of_request()
    name, instructions = form.text("name"), form.text("instructions")
    with current().database.transaction() as connection:
        persona = drafting.accept_draft(
            connection,
            draft_id,
            owner_id=current_user_id(),
            name=name,
            instructions=instructions,
            is_assigned=form.flag("is_assigned"),
            now=now(),
        )
    is_renamed = persona.name != " ".join(name.split())
    notice(f"{persona.name} is there{', under this name because the other one is taken' if is_renamed else ''}.")
    return see_other(f"/personas/{persona.id}")


@blueprint.get("/personas/drafts/<int:draft_id>/regeneration")
def show_again_form(draft_id: int) -> Response:
    """The form that has a draft written once more."""
    with current().database.read() as connection:
        draft = get_draft(connection, draft_id)
        form = read_draft_form(connection, now())
    return page("persona_draft/again.html", draft=draft, form=form)


@blueprint.post("/personas/drafts/<int:draft_id>/regeneration")
@shows_again(show_again_form)
def write_again(draft_id: int) -> Response:
    """Have a draft written once more, perhaps with a remark."""
    form = Form.of_request()
    with current().database.transaction() as connection:
        draft = ask_again(
            connection,
            draft_id,
            remark=form.text("remark"),
            model_id=form.integer("model_id", least=1, most=BIGGEST_ID),
            is_run_now=form.flag("is_run_now"),
            now=now(),
        )
    current().wake_worker()
    notice("Queued. The draft before it is kept.")
    return see_other(f"/personas/drafts/{draft.id}")


@blueprint.post("/personas/drafts/<int:draft_id>/delete")
def drop_draft(draft_id: int) -> Response:
    """Put a draft aside."""
    with current().database.transaction() as connection:
        draft = drop(connection, draft_id, now())
    days = current().config.trash_days
    words = f"{draft.label} was dropped. It can be taken back for {counted(days, 'day')}."
    notice(words, undo=f"/personas/drafts/{draft_id}/restore")
    return see_other("/personas/drafts")


@blueprint.post("/personas/drafts/<int:draft_id>/restore")
def restore(draft_id: int) -> Response:
    """Take a dropped draft back."""
    with current().database.transaction() as connection:
        draft = drafting.restore_draft(connection, draft_id)
    notice(f"{draft.label} is back.")
    return see_other(f"/personas/drafts/{draft_id}")


def _rows(connection: Connection, drafts: list[PersonaDraft]) -> list[DraftRow]:
    """These drafts with where they stand, in a fixed number of statements."""
    ids = [draft.llm_request_id for draft in drafts if draft.llm_request_id is not None]
    requests = {each.id: each for each in list_llm_requests_by_ids(connection, ids)}
    standings = list_standings(connection, list(requests.values()), now())
    partials = list_partials(connection, ids)
    tiny = {backend.id for backend in list_backends(connection) if backend.is_embedded}
    rows = []
    for draft in drafts:
        asked = requests.get(draft.llm_request_id or 0)
        rows.append(
            DraftRow(
                draft=draft,
                llm_request=asked,
                standing=standings.get(asked.id) if asked else None,
                partial=partials.get(asked.id) if asked else None,
                is_tiny=bool(asked and asked.backend_id in tiny),
            )
        )
    return rows
