"""Subforums: their topics, their order and names, and who answers in them."""

from datetime import datetime

from flask import Blueprint, Response, g, request

from forllm_server.clock import now
from forllm_server.forum.model import Subforum
from forllm_server.forum.subforum_store import get_subforum
from forllm_server.forum.subforums import add_subforum, change_subforum, delete_subforum, move_subforum
from forllm_server.forum.topic_store import TopicCursor, list_topics
from forllm_server.pages.asking import REASON_WORDS
from forllm_server.pages.frame import current_settings
from forllm_server.pages.trash import in_trash_words
from forllm_server.personas.assigning import assign_persona, make_default, unassign_persona
from forllm_server.personas.assignment_store import list_assignments
from forllm_server.personas.choosing import choose
from forllm_server.personas.persona_store import list_personas
from forllm_server.settings.values import read_settings
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form, shows_again
from forllm_server.web.fragments import notice, page, see_other
from forllm_server.web.paging import decode_cursor, encode_cursor

blueprint = Blueprint("subforum", __name__)

_CURSOR = (datetime, int)


@blueprint.get("/subforums/<int:subforum_id>")
def show(subforum_id: int) -> Response:
    """A page of topics, the newest activity first."""
    limit = current_settings().topics_per_page
    after = decode_cursor(request.args.get("after"), *_CURSOR)
    with current().database.read() as connection:
        subforum = get_subforum(connection, subforum_id)
        topics = list_topics(
            connection, subforum_id, limit=limit + 1, after=TopicCursor(*after) if after is not None else None
        )
        choice = choose(
            connection,
            asked_persona_id=None,
            subforum_id=subforum_id,
            default_persona_id=read_settings(connection).default_persona_id,
        )
    shown, rest = topics[:limit], topics[limit:]
    g.subforum_id = subforum_id
    return page(
        "subforum/show.html",
        subforum=subforum,
        topics=shown,
        next_cursor=encode_cursor(shown[-1].last_post_at, shown[-1].id) if rest else "",
        is_first=after is None,
        choice=choice,
        reason=REASON_WORDS[choice.reason],
    )


@blueprint.get("/subforums")
def show_list() -> Response:
    """All subforums, to be put in order. The list itself comes with the frame."""
    return page("subforum/list.html")


@blueprint.get("/subforums/new")
def show_new() -> Response:
    """The form of a new subforum."""
    return page("subforum/new.html")


@blueprint.post("/subforums/new")
@shows_again(show_new)
def create() -> Response:
    """Add a subforum at the end of the list."""
    form = Form.of_request()
    with current().database.transaction() as connection:
        subforum = add_subforum(
            connection,
            owner_id=current_user_id(),
            name=form.text("name"),
            description=form.text("description"),
            now=now(),
        )
    return see_other(f"/subforums/{subforum.id}")


@blueprint.get("/subforums/<int:subforum_id>/edit")
def show_edit(subforum_id: int) -> Response:
    """The form that renames, describes or deletes a subforum."""
    return page("subforum/edit.html", subforum=_read(subforum_id))


@blueprint.post("/subforums/<int:subforum_id>/edit")
@shows_again(show_edit)
def change(subforum_id: int) -> Response:
    """Give a subforum another name or description."""
    form = Form.of_request()
    with current().database.transaction() as connection:
        change_subforum(connection, subforum_id, name=form.text("name"), description=form.text("description"))
    return see_other(f"/subforums/{subforum_id}")


@blueprint.post("/subforums/<int:subforum_id>/move")
def move(subforum_id: int) -> Response:
    """Put a subforum elsewhere in the list."""
    position = Form.of_request().integer("position", most=1_000_000) or 0
    with current().database.transaction() as connection:
        move_subforum(connection, subforum_id, position=position)
    return see_other("/subforums")


@blueprint.post("/subforums/<int:subforum_id>/delete")
def delete(subforum_id: int) -> Response:
    """Put a subforum into the trash."""
    with current().database.transaction() as connection:
        subforum = get_subforum(connection, subforum_id)
        delete_subforum(connection, subforum_id, now())
    notice(in_trash_words(f"“{subforum.name}”"), undo=f"/trash/subforum/{subforum_id}/restore")
    return see_other("/")


@blueprint.get("/subforums/<int:subforum_id>/personas")
def show_personas(subforum_id: int) -> Response:
    """Who may answer here, who does when nobody is asked for, and why."""
    subforum = _read(subforum_id)
    with current().database.read() as connection:
        assignments = list_assignments(connection, subforum_id)
        personas = list_personas(connection)
        choice = choose(
            connection,
            asked_persona_id=None,
            subforum_id=subforum_id,
            default_persona_id=read_settings(connection).default_persona_id,
        )
    assigned = {assignment.persona_id for assignment in assignments}
    return page(
        "subforum/personas.html",
        subforum=subforum,
        assignments=assignments,
        others=[(persona.id, persona.name) for persona in personas if persona.id not in assigned],
        choice=choice,
        reason=REASON_WORDS[choice.reason],
    )


@blueprint.post("/subforums/<int:subforum_id>/personas")
@shows_again(show_personas)
def assign(subforum_id: int) -> Response:
    """Make a persona available in a subforum."""
    form = Form.of_request()
    with current().database.transaction() as connection:
        assign_persona(
            connection,
            subforum_id=subforum_id,
            persona_id=form.integer("persona_id", least=1, most=2**63 - 1) or 0,
            is_default=form.flag("is_default"),
            now=now(),
        )
    return see_other(f"/subforums/{subforum_id}/personas")


@blueprint.post("/subforums/<int:subforum_id>/personas/<int:persona_id>/delete")
def unassign(subforum_id: int, persona_id: int) -> Response:
    """Take a persona out of a subforum."""
    with current().database.transaction() as connection:
        unassign_persona(connection, subforum_id=subforum_id, persona_id=persona_id)
    return see_other(f"/subforums/{subforum_id}/personas")


@blueprint.post("/subforums/<int:subforum_id>/default-persona")
def change_default(subforum_id: int) -> Response:
    """Let another persona, or none of its own, answer in a subforum by default."""
    persona_id = Form.of_request().integer("persona_id", least=1, most=2**63 - 1)
    with current().database.transaction() as connection:
        make_default(connection, subforum_id=subforum_id, persona_id=persona_id, now=now())
    return see_other(f"/subforums/{subforum_id}/personas")


def _read(subforum_id: int) -> Subforum:
    with current().database.read() as connection:
        subforum = get_subforum(connection, subforum_id)
    g.subforum_id = subforum_id
    return subforum
