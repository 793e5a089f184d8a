"""Groups of subforums: making, renaming, ordering and removing them."""

from datetime import datetime

from sqlalchemy import Connection

from forllm_server.forum import group_store
from forllm_server.forum.model import SubforumGroup
from forllm_server.markup.names import clean_name, name_key

GROUP_NAME_MAX_CHARS = 100


def add_group(connection: Connection, *, owner_id: int, name: str, now: datetime) -> SubforumGroup:
    """Add a group at the end of the list. Raises Invalid or NameTaken."""
    clean = clean_name(name, field="name", max_chars=GROUP_NAME_MAX_CHARS)
    group_id = group_store.insert_group(connection, owner_id=owner_id, name=clean, name_key=name_key(clean), now=now)
    return group_store.get_group(connection, group_id)


def rename_group(connection: Connection, group_id: int, *, name: str) -> SubforumGroup:
    """Give a group another name. Raises NotFound, Invalid or NameTaken."""
    group_store.get_group(connection, group_id)
    clean = clean_name(name, field="name", max_chars=GROUP_NAME_MAX_CHARS)
    group_store.update_group(connection, group_id, name=clean, name_key=name_key(clean))
    return group_store.get_group(connection, group_id)


def move_group(connection: Connection, group_id: int, *, position: int) -> list[SubforumGroup]:
    """Put a group at ``position`` (0 is the top; beyond the end is the end); the list as it is then."""
    moved = group_store.get_group(connection, group_id)
    others = [other for other in group_store.list_groups(connection) if other.id != group_id]
    place = max(position, 0)
    for number, group in enumerate([*others[:place], moved, *others[place:]]):
        if group.position != number:
            group_store.update_group(connection, group.id, position=number)
    return group_store.list_groups(connection)


def remove_group(connection: Connection, group_id: int) -> SubforumGroup:
    """Remove a group; what it was. Its subforums stay, in no group. Raises NotFound."""
    group = group_store.get_group(connection, group_id)
    group_store.delete_group(connection, group_id)
    return group
