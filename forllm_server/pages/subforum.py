"""Subforums: their topics, their order, groups, names and colours, and who answers in them."""

from flask import Blueprint, Response, g

from forllm_server.clock import now
from forllm_server.forum.group_store import get_group, list_groups
from forllm_server.forum.groups import add_group, move_group, remove_group, rename_group
from forllm_server.forum.model import Colour, Subforum
from forllm_server.forum.subforum_store import get_subforum
from forllm_server.forum.subforums import (
    add_subforum,
    change_subforum,
    colour_subforum,
    delete_subforum,
    group_subforum,
    move_subforum,
)
from forllm_server.pages.asking import REASON_WORDS
from forllm_server.pages.listing import read_listing
from forllm_server.pages.trash import in_trash_words
from forllm_server.personas.assigning import assign_persona, make_default, unassign_persona
from forllm_server.personas.assignment_store import list_assignments
from forllm_server.personas.choosing import choose
from forllm_server.personas.persona_store import list_personas
from forllm_server.settings.values import read_settings
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form, shows_again
from forllm_server.web.fragments import notice, page, see_other

blueprint = Blueprint("subforum", __name__)


@blueprint.get("/subforums/<int:subforum_id>")
def show(subforum_id: int) -> Response:
    """A page of topics, the newest activity first or as it is asked for."""
    with current().database.read() as connection:
        subforum = get_subforum(connection, subforum_id)
        listing = read_listing(connection, f"/subforums/{subforum_id}", subforum_id)
        choice = choose(
            connection,
            asked_persona_id=None,
            subforum_id=subforum_id,
            default_persona_id=read_settings(connection).default_persona_id,
        )
    g.subforum_id = subforum_id
    return page(
        "subforum/show.html",
        subforum=subforum,
        listing=listing,
        topics=listing.topics,
        choice=choice,
        reason=REASON_WORDS[choice.reason],
    )


@blueprint.get("/subforums")
def show_list() -> Response:
    """All subforums, to be put in order and into groups. The list itself comes with the frame."""
    with current().database.read() as connection:
        groups = list_groups(connection)
    return page("subforum/list.html", groups=groups)


@blueprint.post("/subforums/groups")
@shows_again(show_list)
def create_group() -> Response:
    """Add a group at the end of the list."""
    name = Form.of_request().text("name")
    with current().database.transaction() as connection:
        add_group(connection, owner_id=current_user_id(), name=name, now=now())
    return see_other("/subforums")


@blueprint.get("/subforums/groups/<int:group_id>/edit")
def show_group(group_id: int) -> Response:
    """The form that renames or removes a group."""
    with current().database.read() as connection:
        return page("subforum/group.html", group=get_group(connection, group_id))


@blueprint.post("/subforums/groups/<int:group_id>/edit")
@shows_again(show_group)
def change_group(group_id: int) -> Response:
    """Give a group another name."""
    name = Form.of_request().text("name")
    with current().database.transaction() as connection:
        rename_group(connection, group_id, name=name)
    return see_other("/subforums")


@blueprint.post("/subforums/groups/<int:group_id>/move")
def reorder_group(group_id: int) -> Response:
    """Put a group elsewhere in the list."""
    position = Form.of_request().integer("position", most=1_000_000) or 0
    with current().database.transaction() as connection:
        move_group(connection, group_id, position=position)
    return see_other("/subforums")


@blueprint.post("/subforums/groups/<int:group_id>/delete")
def delete_group(group_id: int) -> Response:
    """Remove a group; its subforums stay."""
    with current().database.transaction() as connection:
        group = remove_group(connection, group_id)
    notice(f"The group “{group.name}” is removed; its subforums stay.")
    return see_other("/subforums")


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
    """The form that renames, describes, groups, colours or deletes a subforum."""
    subforum = _read(subforum_id)
    with current().database.read() as connection:
        groups = list_groups(connection)
    return page("subforum/edit.html", subforum=subforum, groups=groups, colours=list(Colour))


@blueprint.post("/subforums/<int:subforum_id>/edit")
@shows_again(show_edit)
def change(subforum_id: int) -> Response:
    """Give a subforum another name, description, group or colour."""
    form = Form.of_request()
    group_id = form.integer("group_id", least=1, most=2**63 - 1)
    with current().database.transaction() as connection:
        change_subforum(connection, subforum_id, name=form.text("name"), description=form.text("description"))
        group_subforum(connection, subforum_id, group_id)
        colour_subforum(connection, subforum_id, form.text("colour"))
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
