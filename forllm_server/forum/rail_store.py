"""What every page's rail shows of the subforums: their names, and nothing that has to be counted."""

from sqlalchemy import Connection, select

from forllm_server.forum.tables import subforums


def list_subforum_names(connection: Connection) -> list[tuple[int, str]]:
    """(id, name) of all that are not in the trash, in the order people gave them."""
    query = select(subforums.c.id, subforums.c.name).where(subforums.c.deleted_at.is_(None))
    return [(row.id, row.name) for row in connection.execute(query.order_by(subforums.c.position, subforums.c.id))]
