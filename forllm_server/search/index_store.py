"""The full-text index as a whole: whether it is in step with the posts, and making it anew."""

from sqlalchemy import Connection, text


def delete_and_fill(connection: Connection) -> None:
    """Make the index anew from the posts."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("INSERT INTO search_index (search_index) VALUES ('rebuild')"))
        return
    connection.execute(text("DELETE FROM search_words"))
    connection.execute(
        text(
            "INSERT INTO search_words (post_id, words)"
            " SELECT p.id, search_vector(CASE WHEN p.parent_id IS NULL THEN t.title ELSE '' END, p.content)"
            " FROM posts p JOIN topics t ON t.id = p.topic_id WHERE p.deleted_at IS NULL"
        )
    )


def count_missing(connection: Connection) -> int:
    """How many posts the index lacks or has too many; 0 when it is in step."""
    # FTS5 keeps one row of sizes for each document: its own account of what it holds.
    index = "search_index_docsize" if connection.dialect.name == "sqlite" else "search_words"
    key = "id" if connection.dialect.name == "sqlite" else "post_id"
    lacking = (
        f"SELECT count(*) FROM posts p WHERE p.deleted_at IS NULL"
        f" AND NOT EXISTS (SELECT 1 FROM {index} i WHERE i.{key} = p.id)"
    )
    surplus = (
        f"SELECT count(*) FROM {index} i"
        f" WHERE NOT EXISTS (SELECT 1 FROM posts p WHERE p.id = i.{key} AND p.deleted_at IS NULL)"
    )
    return int(connection.execute(text(f"SELECT ({lacking}) + ({surplus})")).scalar_one())
