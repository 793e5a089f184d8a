"""The names that searches use: of subforums, personas and models, and the words of the forum."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

_TITLES = 50_000
_TEXTS = 2_000
_TEXT_CHARS = 4_000


@dataclass(frozen=True, slots=True)
class Named:
    """A name, and the ids of what is meant by it."""

    name: str
    ids: frozenset[int]


def list_subforum_names(connection: Connection) -> list[Named]:
    """Every subforum that is not deleted, in its order."""
    rows = connection.execute(text("SELECT id, name FROM subforums WHERE deleted_at IS NULL ORDER BY position, id"))
    return [Named(row.name, frozenset((row.id,))) for row in rows]


def list_persona_names(connection: Connection) -> list[Named]:
    """Every persona under its present name and under all it ever had, with the ids of all its versions."""
    rows = connection.execute(
        text(
            "SELECT p.id AS persona_id, p.name AS present, v.id AS version_id, v.name AS past"
            " FROM personas p JOIN persona_versions v ON v.persona_id = p.id ORDER BY p.name_key, p.id"
        )
    ).all()
    versions: dict[int, set[int]] = {}
    names: dict[tuple[str, int], None] = {}
    for row in rows:
        versions.setdefault(row.persona_id, set()).add(row.version_id)
        for name in (row.present, row.past):
            if name:
                names[name, row.persona_id] = None
    return [Named(name, frozenset(versions[persona_id])) for name, persona_id in names]


def list_present_personas(connection: Connection) -> list[str]:
    """The names of the personas that are not deleted."""
    return list(
        connection.execute(text("SELECT name FROM personas WHERE deleted_at IS NULL ORDER BY name_key")).scalars()
    )


def list_model_names(connection: Connection) -> list[str]:
    """The models that ever answered here."""
    # One step through the index for each name: DISTINCT would read a million rows for a handful of names.
    return list(
        connection.execute(
            text(
                "WITH RECURSIVE names (name) AS ("
                " SELECT min(model_name) FROM posts WHERE model_name IS NOT NULL"
                " UNION ALL SELECT (SELECT min(p.model_name) FROM posts p WHERE p.model_name > names.name)"
                " FROM names WHERE names.name IS NOT NULL)"
                " SELECT name FROM names WHERE name IS NOT NULL ORDER BY name"
            )
        ).scalars()
    )


def list_newest_titles(connection: Connection) -> list[str]:
    """The titles of the topics opened last."""
    return list(
        connection.execute(
            text(
                "SELECT t.title FROM topics t JOIN subforums s ON s.id = t.subforum_id"
                " WHERE t.deleted_at IS NULL AND s.deleted_at IS NULL ORDER BY t.id DESC LIMIT :most"
            ),
            {"most": _TITLES},
        ).scalars()
    )


def list_newest_texts(connection: Connection) -> list[str]:
    """The beginnings of the posts written last."""
    return list(
        connection.execute(
            text(
                "SELECT substr(p.content, 1, :chars) FROM posts p JOIN topics t ON t.id = p.topic_id"
                " JOIN subforums s ON s.id = t.subforum_id"
                " WHERE p.deleted_at IS NULL AND t.deleted_at IS NULL AND s.deleted_at IS NULL"
                " ORDER BY p.id DESC LIMIT :most"
            ),
            {"chars": _TEXT_CHARS, "most": _TEXTS},
        ).scalars()
    )
