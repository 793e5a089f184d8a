"""A forum to search in, written row by row."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import update

from forllm_server.db import Database, metadata
from forllm_server.search.finding import find
from forllm_server.search.model import Results
from tests.conftest import EVENING
from tests.support.world import LOCAL_USER, insert

BERLIN = ZoneInfo("Europe/Berlin")


class Shelf:
    """Subforums, topics and posts by name; every post is a minute later than the one before."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = EVENING - timedelta(days=100)
        self._subforums: dict[str, int] = {}
        self._versions: dict[str, int] = {}

    def subforum(self, name: str) -> int:
        if name not in self._subforums:
            values = {"owner_id": LOCAL_USER, "name": name, "name_key": name.casefold(), "created_at": self.now}
            with self.database.transaction() as connection:
                self._subforums[name] = insert(connection, "subforums", **values)
        return self._subforums[name]

    def persona(self, name: str) -> int:
        """A persona with one version; the version's id."""
        if name not in self._versions:
            with self.database.transaction() as connection:
                common = {"name": name, "created_at": self.now}
                persona_id = insert(connection, "personas", owner_id=LOCAL_USER, name_key=name.casefold(), **common)
                self._versions[name] = insert(
                    connection,
                    "persona_versions",
                    persona_id=persona_id,
                    number=1,
                    instructions="Doubt.",
                    parameters={},
                    created_by=LOCAL_USER,
                    **common,
                )
        return self._versions[name]

    def topic(self, title: str, content: str, *, subforum: str = "Homelab") -> int:
        """A topic; the id of its first post, which is the topic's number too in a shelf that has no replies yet."""
        subforum_id = self.subforum(subforum)
        self.now += timedelta(minutes=1)
        with self.database.transaction() as connection:
            topic_id = insert(
                connection,
                "topics",
                subforum_id=subforum_id,
                owner_id=LOCAL_USER,
                title=title,
                created_at=self.now,
                last_post_at=self.now,
                post_count=1,
            )
        return self.post(topic_id, content)

    def post(self, topic_id: int, content: str, *, parent_id: int | None = None, **values: Any) -> int:
        """A post of a topic; its id."""
        self.now += timedelta(minutes=1)
        with self.database.transaction() as connection:
            table = metadata.tables["posts"]
            number = len(connection.execute(table.select().with_only_columns(table.c.id)).all())
            return insert(
                connection,
                "posts",
                topic_id=topic_id,
                parent_id=parent_id,
                content=content,
                path=number.to_bytes(4, "big"),
                **({"owner_id": LOCAL_USER, "created_at": self.now} | values),
            )

    def reply(self, post_id: int, content: str, *, persona: str = "", model: str = "qwen3:8b", **values: Any) -> int:
        """A reply to a post, a person's or a persona's; its id."""
        topic_id = self.topic_of(post_id)
        if persona:
            values |= {"author_kind": "persona", "persona_name": persona, "model_name": model}
            values["persona_version_id"] = self.persona(persona)
        return self.post(topic_id, content, parent_id=post_id, **values)

    def topic_of(self, post_id: int) -> int:
        table = metadata.tables["posts"]
        with self.database.read() as connection:
            query = table.select().with_only_columns(table.c.topic_id).where(table.c.id == post_id)
            return int(connection.execute(query).scalar_one())

    def change(self, table_name: str, row_id: int, **values: Any) -> None:
        table = metadata.tables[table_name]
        with self.database.transaction() as connection:
            connection.execute(update(table).where(table.c.id == row_id).values(values))

    def find(self, text: str, **options: Any) -> Results:
        with self.database.read() as connection:
            values: dict[str, Any] = {"reader_id": LOCAL_USER, "zone": BERLIN, "now": EVENING}
            return find(connection, text, **(values | options))

    def ids(self, text: str, **options: Any) -> list[int]:
        """The posts that a text finds, in their order."""
        return [found.post_id for found in self.find(text, **options).items]
