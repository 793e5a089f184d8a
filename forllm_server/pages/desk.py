"""What a form that takes a text knows of its drafts: which one is in it, which ones are beside it, and its own name."""

import secrets
from dataclasses import dataclass
from typing import Any

from flask import Response, g, request
from sqlalchemy import Connection

from forllm_server.errors import Invalid
from forllm_server.forum import draft_store
from forllm_server.forum.draft_model import ATTACHMENTS_FIELD, Draft, DraftKind, DraftPlace, DraftText
from forllm_server.forum.drafting import FORMAT, clean_writer, finish_draft, finish_draft_of_writer
from forllm_server.pages.form_files import SHOWN_FIELD, FormFile, file_ids_of_form, read_form_files
from forllm_server.web.current import current_user_id
from forllm_server.web.forms import Form, was_entered

_BIGGEST_ID = 2**63 - 1
#: The choices of a form that a draft keeps besides its text.
_FIELDS = ("is_asking", "persona_id", "other_persona_ids", "model_id", "is_run_now", "tags", SHOWN_FIELD)
#: Tells the scripts of the next page which form was taken, so that they clear what the browser kept of it.
SENT_COOKIE = "forllm_sent"

_FORMS = {
    DraftKind.TOPIC: "/subforums/{}/topics/new",
    DraftKind.REPLY: "/posts/{}/reply",
    DraftKind.EDIT: "/posts/{}/edit",
}


@dataclass(frozen=True)
class Desk:
    """``draft`` is in the form; ``offered`` could be, and is asked about. ``beside``: how many more there are.

    ``text`` and ``title`` are what stands in the form, ``writer`` the form's own name.
    """

    place: DraftPlace
    writer: str
    text: str
    title: str = ""
    draft: Draft | None = None
    offered: Draft | None = None
    beside: int = 0
    files: tuple[FormFile, ...] = ()

    @property
    def url(self) -> str:
        return form_url(self.place)

    def chosen(self, name: str, default: Any = "") -> Any:
        """What the draft in the form chose for the field ``name``; a list for one that may come several times."""
        fields = self.draft.text.fields if self.draft is not None and self.draft.format == FORMAT else {}
        found = fields.get(name)
        if not (isinstance(found, list) and all(isinstance(word, str) for word in found)):
            return default
        return found if isinstance(default, list) else (found[0] if found else "")


def form_url(place: DraftPlace) -> str:
    """The address of the form that a draft belongs to."""
    return _FORMS[place.kind].format(place.target_id)


def read_desk(connection: Connection, place: DraftPlace, *, own_text: str = "", added: str = "") -> Desk:
    """What a form begins with: ``own_text`` (a post to edit), or the draft that lies there.

    Into an empty form the last draft is put without asking; over a text it is offered. ``?draft=7`` chooses one,
    ``?draft=0`` none. ``added`` (a quote) comes below whatever it is.
    """
    drafts = [] if was_entered() else draft_store.list_drafts_of_place(connection, place, owner_id=current_user_id())
    wanted = request.args.get("draft", "")
    chosen = next((draft for draft in drafts if str(draft.id) == wanted), None)
    if chosen is None and not own_text and not wanted and drafts:
        chosen = drafts[0]
    others = [draft for draft in drafts if draft is not chosen and not _is_same(draft, own_text)]
    return Desk(
        place=place,
        writer=secrets.token_hex(8),
        text="\n\n".join(filter(None, (chosen.text.content.rstrip() if chosen and added else "", added)))
        or (chosen.text.content if chosen else own_text),
        title=chosen.text.title if chosen else "",
        draft=chosen,
        offered=others[0] if others and chosen is None and wanted != "0" else None,
        beside=len(others) if chosen is not None or wanted == "0" else max(len(others) - 1, 0),
        files=read_form_files(connection, place, chosen.text.fields if chosen and chosen.format == FORMAT else {}),
    )


def read_place(form: Form) -> DraftPlace:
    """Where the form's draft belongs. Raises Invalid."""
    kind = form.choice("draft_kind", DraftKind)
    target_id = form.integer("draft_target", least=1, most=_BIGGEST_ID)
    if target_id is None:
        raise Invalid("The form does not say where its text belongs. Reload the page.", field="draft_target")
    return DraftPlace(DraftKind(kind), target_id)


def read_text(form: Form) -> DraftText:
    """What was typed, whatever is wrong with it, and the files that it has."""
    fields = {name: form.words(name) for name in _FIELDS} | {ATTACHMENTS_FIELD: list(map(str, file_ids_of_form(form)))}
    return DraftText(
        content=form.text("content"),
        title=form.text("title"),
        fields={name: words for name, words in fields.items() if words},
        post_version=form.integer("version", least=1),
    )


def finish_draft_of_form(connection: Connection, form: Form) -> None:
    """The form's text was taken: its draft goes, and the browser's copy with the answer (see :func:`taken`)."""
    writer = clean_writer(form.text("draft_writer", longest=100))
    draft_id = form.integer("draft_id", least=1, most=_BIGGEST_ID)
    version = form.integer("draft_version", least=1)
    owner_id = current_user_id()
    finish_draft(connection, draft_id, owner_id=owner_id, writer=writer, known_version=version)
    if draft_id is None and form.has("draft_kind"):
        finish_draft_of_writer(connection, read_place(form), owner_id=owner_id, writer=writer)
    g.taken_writer = writer


def taken(response: Response) -> Response:
    """``response`` after a form was taken: it tells the browser to forget its copy of the text."""
    if g.get("taken_writer"):
        # For scripts to read; it is no secret, and says nothing of the text.
        response.set_cookie(SENT_COOKIE, g.taken_writer, max_age=3600, samesite="Lax", httponly=False)
    return response


def _is_same(draft: Draft, text: str) -> bool:
    return bool(text) and draft.text.content == text
