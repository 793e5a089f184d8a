"""Making, changing, ordering, deleting and restoring subforums."""

from datetime import datetime

from sqlalchemy import Connection

from forllm_server.errors import Conflict, Invalid, NotFound
from forllm_server.forum import group_store, subforum_store, tag_store
from forllm_server.forum.model import Colour, Subforum
from forllm_server.forum.pending import cancel_for_subforum
from forllm_server.markup.names import clean_name, clean_text, name_key

NAME_MAX_CHARS = 100
DESCRIPTION_MAX_CHARS = 2_000


def add_subforum(connection: Connection, *, owner_id: int, name: str, description: str = "", now: datetime) -> Subforum:
    """Add a subforum at the end of the list. Raises Invalid or NameTaken."""
    clean = clean_name(name, field="name", max_chars=NAME_MAX_CHARS)
    subforum_id = subforum_store.insert_subforum(
        connection,
        owner_id=owner_id,
        name=clean,
        name_key=name_key(clean),
        description=_clean_description(description),
        now=now,
    )
    return subforum_store.get_subforum(connection, subforum_id)


def change_subforum(
    connection: Connection, subforum_id: int, *, name: str | None = None, description: str | None = None
) -> Subforum:
    """Change what is given; None leaves it as it is. Raises NotFound, Invalid or NameTaken."""
    subforum_store.get_subforum(connection, subforum_id)
    values: dict[str, str] = {}
    if name is not None:
        clean = clean_name(name, field="name", max_chars=NAME_MAX_CHARS)
        values |= {"name": clean, "name_key": name_key(clean)}
    if description is not None:
        values["description"] = _clean_description(description)
    if values:
        subforum_store.update_subforum(connection, subforum_id, **values)
    return subforum_store.get_subforum(connection, subforum_id)


def colour_subforum(connection: Connection, subforum_id: int, colour: str | None) -> Subforum:
    """Give a subforum a colour of the palette; none when it is empty. Raises NotFound or Invalid."""
    subforum_store.get_subforum(connection, subforum_id)
    if colour and colour not in list(Colour):
        raise Invalid("Choose one of: " + ", ".join(Colour) + ".", field="colour")
    subforum_store.update_subforum(connection, subforum_id, colour=colour or None)
    return subforum_store.get_subforum(connection, subforum_id)


def group_subforum(connection: Connection, subforum_id: int, group_id: int | None) -> Subforum:
    """Put a subforum into a group, at its end; None: into none. Raises NotFound or Invalid (no such group)."""
    subforum = subforum_store.get_subforum(connection, subforum_id)
    if group_id is not None and group_id not in [group.id for group in group_store.list_groups(connection)]:
        raise Invalid("There is no such group. It may have been removed.", field="group_id")
    if subforum.group_id == group_id:
        return subforum
    last = [other.position for other in subforum_store.list_subforums(connection) if other.group_id == group_id]
    subforum_store.update_subforum(connection, subforum_id, group_id=group_id, position=max(last, default=-1) + 1)
    return subforum_store.get_subforum(connection, subforum_id)


def move_subforum(connection: Connection, subforum_id: int, *, position: int) -> list[Subforum]:
    """Put a subforum at ``position`` in its group (0 is the top; beyond the end is the end); the whole list then."""
    moved = subforum_store.get_subforum(connection, subforum_id)
    order = [moved]
    peers = [one for one in subforum_store.list_subforums(connection) if one.group_id == moved.group_id]
    others = [peer for peer in peers if peer.id != subforum_id]
    place = max(position, 0)
    order = others[:place] + order + others[place:]
    for number, subforum in enumerate(order):
        if subforum.position != number:
            subforum_store.update_subforum(connection, subforum.id, position=number)
    return subforum_store.list_subforums(connection)


def delete_subforum(connection: Connection, subforum_id: int, now: datetime) -> None:
    """Put a subforum into the trash with everything inside, and cancel its LLM requests. Raises NotFound."""
    subforum_store.get_subforum(connection, subforum_id)
    subforum_store.update_subforum(connection, subforum_id, deleted_at=now)
    tag_store.update_counts_of_subforum(connection, subforum_id, -1)
    cancel_for_subforum(connection, subforum_id, now)


def restore_subforum(connection: Connection, subforum_id: int) -> Subforum:
    """Take a subforum out of the trash. Raises NotFound, or Conflict when its name was given to another one."""
    subforum = subforum_store.find_subforum(connection, subforum_id)
    if subforum is None or not subforum.name:
        raise NotFound("There is no such subforum in the trash. It may have been erased.")
    taken = name_key(subforum.name)
    if any(name_key(other.name) == taken for other in subforum_store.list_subforums(connection) if other != subforum):
        raise Conflict(f"Another subforum is called “{subforum.name}” by now. Rename that one, then restore this one.")
    if subforum.deleted_at is not None:
        subforum_store.update_subforum(connection, subforum_id, deleted_at=None)
        tag_store.update_counts_of_subforum(connection, subforum_id, 1)
    return subforum_store.get_subforum(connection, subforum_id)


def _clean_description(description: str) -> str:
    if not description.strip():
        return ""
    return clean_text(description, field="description", max_chars=DESCRIPTION_MAX_CHARS).strip()
