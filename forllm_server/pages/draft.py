"""Drafts: saving what is typed, offering it again, discarding it, and the list of them all."""

from datetime import datetime

from flask import Blueprint, Response, render_template, request
from flask_wtf.csrf import generate_csrf

from forllm_server.clock import now
from forllm_server.forum import draft_store
from forllm_server.forum.drafting import Saved, discard_draft, get_kept_draft, restore_draft, save_draft
from forllm_server.pages.desk import form_url, read_place, read_text
from forllm_server.pages.form_files import stage_files_of_form
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form
from forllm_server.web.fragments import is_fragment_request, notice, page, see_other
from forllm_server.web.paging import decode_cursor, encode_cursor

blueprint = Blueprint("draft", __name__)

ROWS = 50
_CURSOR = (datetime, int)
_BIGGEST_ID = 2**63 - 1


@blueprint.get("/drafts")
def show_list() -> Response:
    """All texts begun and not sent, last written first."""
    after = decode_cursor(request.args.get("after"), *_CURSOR)
    with current().database.read() as connection:
        found = draft_store.list_drafts(connection, owner_id=current_user_id(), limit=ROWS + 1, after=after)
    shown = found[:ROWS]
    cursor = encode_cursor(shown[-1].updated_at, shown[-1].id) if len(found) > ROWS else ""
    return page("draft/list.html", drafts=[(draft, form_url(draft.place)) for draft in shown], next_cursor=cursor)


@blueprint.get("/drafts/token")
def show_token() -> Response:
    """A fresh form token, for a page that lay open longer than its session lasted."""
    response = Response(generate_csrf(), content_type="text/plain; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/drafts/<int:draft_id>")
def show(draft_id: int) -> Response:
    """A draft by itself: also one whose place is gone."""
    with current().database.read() as connection:
        draft = get_kept_draft(connection, draft_id, owner_id=current_user_id())
    return page("draft/show.html", draft=draft, url=form_url(draft.place))


@blueprint.post("/drafts")
def save() -> Response:
    """Keep what stands in a form: by its button, or every now and then by its script."""
    form = Form.of_request()
    place = read_place(form)
    problem = stage_files_of_form(form)
    with current().database.transaction() as connection:
        saved = save_draft(
            connection,
            place,
            read_text(form),
            owner_id=current_user_id(),
            writer=form.text("draft_writer", longest=100),
            now=now(),
            draft_id=form.integer("draft_id", least=1, most=_BIGGEST_ID),
            known_version=form.integer("draft_version", least=1),
        )
    if is_fragment_request():
        return _fragment(saved)
    notice(_words(saved), kind="warning" if saved and saved.is_beside else "done")
    if problem is not None:
        notice(problem.message, kind="warning")
    return see_other(form_url(place) + (f"?draft={saved.draft.id}" if saved else ""))


@blueprint.post("/drafts/<int:draft_id>/delete")
def discard(draft_id: int) -> Response:
    """Put a draft aside; it can be taken back for thirty days."""
    with current().database.transaction() as connection:
        draft = draft_store.get_draft(connection, draft_id, owner_id=current_user_id())
        discard_draft(connection, draft_id, owner_id=current_user_id(), now=now())
    notice("The draft was discarded.", undo=f"/drafts/{draft_id}/restore")
    return see_other(form_url(draft.place) + "?draft=0" if Form.of_request().flag("is_in_form") else "/drafts")


@blueprint.post("/drafts/<int:draft_id>/restore")
def restore(draft_id: int) -> Response:
    """Take a discarded draft back."""
    with current().database.transaction() as connection:
        draft = restore_draft(connection, draft_id, owner_id=current_user_id())
    notice("The draft is back.")
    return see_other(f"{form_url(draft.place)}?draft={draft.id}" if draft.is_place_there else f"/drafts/{draft.id}")


def _fragment(saved: Saved | None) -> Response:
    text = render_template("draft/_saved.html", draft=saved.draft if saved else None, saved=saved)
    return Response(text, content_type="text/html; charset=utf-8")


def _words(saved: Saved | None) -> str:
    if saved is None:
        return "There was nothing to keep."
    if saved.is_beside:
        return "Saved as a draft of its own: another tab or device has written on in the one you began with."
    return "The draft is saved."
