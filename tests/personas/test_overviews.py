"""What a list of personas shows: tags, uses, results; and pictures, copies and models in order."""

import struct
from datetime import timedelta

import pytest
from sqlalchemy import Connection, event

from forllm_server.accounts.local import LOCAL_USER_ID as YOU
from forllm_server.catalog.choosing import choose_model
from forllm_server.db import Database, metadata
from forllm_server.errors import Invalid, NotFound
from forllm_server.personas.assigning import assign_persona
from forllm_server.personas.copying import duplicate_persona
from forllm_server.personas.model import Overview, Results, Use
from forllm_server.personas.overview_store import list_overviews
from forllm_server.personas.persona_store import list_personas
from forllm_server.personas.picture_store import find_digest, find_picture, replace_picture
from forllm_server.personas.pictures import PICTURE_BYTES_MOST, check_picture
from forllm_server.personas.tag_store import list_tags
from forllm_server.personas.tagging import TAGS_MOST, tag_persona
from tests.personas.world import EVENING, add_model, add_subforum, change, create
from tests.support.world import insert, insert_post

SINCE = EVENING - timedelta(days=30)
PNG = (
    b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", 64, 64) + b"\x08\x02\0\0\0" + b"\0" * 9
)
JPEG = b"\xff\xd8\xff\xe0\x00\x04\0\0\xff\xc0\x00\x11\x08\x00\x40\x00\x30" + b"\0" * 20
WEBP = b"RIFF\x30\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (99).to_bytes(3, "little") + (49).to_bytes(3, "little") + b"\0" * 9


def overview(connection: Connection, persona_id: int) -> Overview:
    personas = [persona for persona in list_personas(connection) if persona.id == persona_id]
    return list_overviews(connection, personas, since=SINCE)[0]


def add_reply(
    connection: Connection, persona_id: int, *, status: str = "succeeded", seconds: int = 10, days: int = 1
) -> None:
    started_at = EVENING - timedelta(days=days)
    times = {"created_at": started_at, "started_at": started_at, "finished_at": started_at + timedelta(seconds=seconds)}
    values = {"owner_id": YOU, "kind": "reply", "status": status, "lane": "night", "persona_id": persona_id}
    insert(connection, "llm_requests", parameters={}, input={}, **values, **times)


def test_results_count_the_last_days_and_the_median_of_replies(database: Database) -> None:
    with database.transaction() as connection:
        persona = create(connection)
        for seconds in (4, 60, 10):
            add_reply(connection, persona.id, seconds=seconds)
        add_reply(connection, persona.id, status="failed")
        add_reply(connection, persona.id, days=31)
        assert overview(connection, persona.id).results == Results(3, 1, 10.0)
        assert overview(connection, 1).results == Results()


def test_votes_on_what_any_version_wrote_count(database: Database) -> None:
    with database.transaction() as connection:
        persona = create(connection)
        subforum_id = add_subforum(connection)
        topic = {"subforum_id": subforum_id, "owner_id": YOU, "kind": "discussion", "title": "T"}
        topic_id = insert(connection, "topics", **topic, created_at=EVENING, last_post_at=EVENING)
        for number, (version, value) in enumerate(((persona, 1), (change(connection, persona, instructions="B"), -1))):
            post_id = insert_post(connection, topic_id, EVENING, number=number)
            posts = metadata.tables["posts"]
            connection.execute(
                posts.update().where(posts.c.id == post_id).values(persona_version_id=version.version.id)
            )
            insert(connection, "post_votes", post_id=post_id, user_id=YOU, value=value, voted_at=EVENING)
        results = overview(connection, persona.id).results
        assert (results.votes_up, results.votes_down) == (1, 1)


def test_uses_name_the_subforums_and_the_default(database: Database) -> None:
    with database.transaction() as connection:
        persona = create(connection)
        garden, attic = add_subforum(connection), add_subforum(connection, "Attic")
        assign_persona(connection, subforum_id=garden, persona_id=persona.id, is_default=True, now=EVENING)
        assign_persona(connection, subforum_id=attic, persona_id=persona.id, now=EVENING)
        assert overview(connection, persona.id).uses == (Use(attic, "Attic", False), Use(garden, "Garden", True))


def test_tags_are_small_single_and_counted(database: Database) -> None:
    with database.transaction() as connection:
        critic, friend = create(connection), create(connection, "Friend")
        assert tag_persona(connection, critic.id, [" Night ", "night", "Code", ""]) == ("code", "night")
        tag_persona(connection, friend.id, ["night"])
        assert list_tags(connection) == [("code", 1), ("night", 2)]
        assert [p.name for p in list_personas(connection, tag="code")] == ["Critic"]
        assert [p.name for p in list_personas(connection, words=["find", "FRI"])] == ["Friend"]
        assert list_personas(connection, words=["100%"]) == []
        for tags in (["a" * 41], [str(number) for number in range(TAGS_MOST + 1)], ["a,b"], ["\u200b"]):
            with pytest.raises(Invalid) as problem:
                tag_persona(connection, critic.id, tags)
            assert problem.value.field == "tags"
        with pytest.raises(NotFound):
            tag_persona(connection, 99, [])


def test_a_list_costs_the_same_of_ten_and_of_a_thousand(sqlite_database: Database) -> None:
    def statements(connection: Connection) -> int:
        sent: list[str] = []

        def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
            sent.append(statement)

        event.listen(sqlite_database.engine, "before_cursor_execute", note)
        list_overviews(connection, list_personas(connection, limit=50), since=SINCE)
        event.remove(sqlite_database.engine, "before_cursor_execute", note)
        return len(sent)

    with sqlite_database.transaction() as connection:
        for number in range(9):
            create(connection, f"P{number}")
        few = statements(connection)
        for number in range(9, 999):
            create(connection, f"P{number}")
        assert statements(connection) == few <= 8


def test_a_copy_begins_as_its_original_is(database: Database) -> None:
    with database.transaction() as connection:
        model_id, other_id = add_model(connection), add_model(connection, "other")
        original = create(connection, model_id=model_id, fallback_model_ids=[other_id], parameters={"seed": 1})
        tag_persona(connection, original.id, ["x"])
        replace_picture(connection, original.id, check_picture(PNG), EVENING)
        copied = duplicate_persona(connection, original.id, owner_id=YOU, now=EVENING)
        assert (copied.name, copied.version.number, copied.version.note) == (
            "Critic 2",
            1,
            "A copy of Critic, version 1.",
        )
        assert copied.version.fallback_model_ids == (other_id,)
        assert overview(connection, copied.id).tags == ("x",)
        assert find_digest(connection, copied.id) == find_digest(connection, original.id) != ""
        assert duplicate_persona(connection, original.id, owner_id=YOU, now=EVENING).name == "Critic 3"


def test_the_first_model_that_is_there_answers_and_the_reason_is_told(database: Database) -> None:
    with database.transaction() as connection:
        first, second, third = (add_model(connection, name) for name in ("a", "b", "c"))
        models = metadata.tables["models"]
        connection.execute(models.update().where(models.c.id.in_([first, second])).values(is_available=False))
        version = create(connection, model_id=first, fallback_model_ids=[second, third, second]).version
        assert version.fallback_model_ids == (second, third)
        chosen = choose_model(
            connection,
            asked_model_id=None,
            persona_model_id=version.model_id,
            fallback_model_ids=version.fallback_model_ids,
            default_model_id=None,
        )
        assert chosen is not None
        assert chosen.model.id == third
        assert chosen.reason == (
            "the persona's third choice, for the persona's model and the persona's second choice are not available"
        )
        with pytest.raises(Invalid) as problem:
            create(connection, "Other", fallback_model_ids=[99, first])
        assert problem.value.field == "fallback_model_ids"


@pytest.mark.parametrize(("content", "media_type"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp")])
def test_pictures_are_known_by_their_own_header(content: bytes, media_type: str) -> None:
    assert check_picture(content).media_type == media_type


@pytest.mark.parametrize(
    "content",
    [
        b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a" + b"\0" * 50, PNG[:20], JPEG[:12],
        b"\xff\xd8\xff\xe0\0\0" + b"\0" * 40, PNG.replace(struct.pack(">II", 64, 64), struct.pack(">II", 5000, 64)),
        PNG.replace(struct.pack(">II", 64, 64), struct.pack(">II", 0, 64)), PNG + b"\0" * PICTURE_BYTES_MOST,
    ],
)  # fmt: skip
def test_what_is_no_picture_or_too_large_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid) as problem:
        check_picture(content)
    assert problem.value.field == "picture"


def test_a_picture_can_be_taken_away_again(database: Database) -> None:
    with database.transaction() as connection:
        persona = create(connection)
        replace_picture(connection, persona.id, check_picture(PNG), EVENING)
        assert find_picture(connection, persona.id) == check_picture(PNG)
        replace_picture(connection, persona.id, None, EVENING)
        assert (find_picture(connection, persona.id), find_digest(connection, persona.id)) == (None, "")
