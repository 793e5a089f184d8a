"""Personas as files: our own JSON and character cards in and out, and files that mean ill."""

import base64
import json
import struct
import zlib
from typing import Any

import pytest
from sqlalchemy import Connection

from forllm_server.accounts.local import LOCAL_USER_ID as YOU
from forllm_server.db import Database
from forllm_server.errors import Invalid, NotFound, TooLarge
from forllm_server.exchange import cards, png
from forllm_server.exchange.persona_files import (
    FILE_BYTES_MOST,
    export_card,
    export_card_picture,
    export_persona,
    import_persona,
)
from forllm_server.personas.model import Persona
from forllm_server.personas.picture_store import find_picture
from forllm_server.personas.tag_store import list_tags_of
from forllm_server.personas.version_store import list_versions
from tests.personas.world import EVENING, add_model, change, create

V2: dict[str, Any] = {
    "spec": "chara_card_v2",
    "spec_version": "2.0",
    "data": {
        "name": "Ada",
        "description": "{{char}} is a mathematician who talks to {{user}}.",
        "personality": "Exact.",
        "scenario": "",
        "first_mes": "Good evening.",
        "mes_example": "<START>\n{{char}}: Numbers first.",
        "system_prompt": "",
        "post_history_instructions": "Never guess.",
        "alternate_greetings": ["Hello."],
        "character_book": {"entries": [{"keys": ["engine"], "content": "It is analytical."}]},
        "tags": ["History", "maths", "maths", "a,b"],
        "creator": "somebody",
        "character_version": "3",
        "extensions": {"depth_prompt": {"depth": 4}},
        "something_new": 7,
    },
}
V1 = {
    "name": "Old",
    "description": "An old card.",
    "personality": "",
    "scenario": "",
    "first_mes": "",
    "mes_example": "",
}


def take(connection: Connection, found: Any) -> Persona:
    content = found if isinstance(found, bytes) else json.dumps(found).encode()
    return import_persona(connection, content, owner_id=YOU, now=EVENING)


def picture(texts: dict[str, bytes] | None = None, *, filling: int = 0) -> bytes:
    """A PNG of one pixel."""
    pieces = [
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0\0") + b"\0" * filling),
        (b"IEND", b""),
    ]
    made = png.SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in pieces
    )
    return png.with_texts(made, texts) if texts else made


def encoded(card: Any) -> bytes:
    return base64.b64encode(json.dumps(card).encode())


def test_a_card_becomes_a_persona_and_keeps_what_it_has_no_place_for(database: Database) -> None:
    with database.transaction() as connection:
        persona = take(connection, V2)
        text = persona.version.instructions
        assert "Ada is a mathematician who talks to the user." in text
        assert all(part in text for part in ("Exact.", "Ada: Numbers first.", "Never guess."))
        assert list_tags_of(connection, [persona.id])[persona.id] == ("a b", "history", "maths")
        data = export_card(connection, persona.id)["data"]
        assert (data["name"], data["description"], data["personality"]) == ("Ada", text, "")
        for name in ("first_mes", "alternate_greetings", "character_book", "creator", "something_new"):
            assert data[name] == V2["data"][name]
        assert data["extensions"]["depth_prompt"] == {"depth": 4}


def test_an_exported_card_comes_back_as_it_was(database: Database) -> None:
    with database.transaction() as connection:
        original = create(connection, "Critic", parameters={"temperature": 0.3, "stop": ["END"]})
        again = take(connection, export_card(connection, original.id))
        assert again.name == "Critic 2"
        assert (again.version.instructions, again.version.parameters) == (
            original.version.instructions,
            original.version.parameters,
        )


def test_a_card_of_the_first_version_is_read(database: Database) -> None:
    with database.transaction() as connection:
        assert take(connection, V1).version.instructions == "You are Old.\n\nAn old card."


def test_a_picture_gives_its_newer_card_and_itself(database: Database) -> None:
    newer = {**V2, "spec": "chara_card_v3", "data": V2["data"] | {"name": "Ada the third"}}
    with database.transaction() as connection:
        persona = take(connection, picture({"chara": encoded(V2), "ccv3": encoded(newer)}))
        assert persona.name == "Ada the third"
        kept = find_picture(connection, persona.id)
        assert kept is not None
        assert kept.content == picture()
        texts = png.read_texts(export_card_picture(connection, persona.id))
        assert set(texts) == {"chara", "ccv3"}
        assert json.loads(base64.b64decode(texts["ccv3"]))["data"]["name"] == "Ada the third"


def test_a_large_picture_is_left_out_and_its_persona_is_not(database: Database) -> None:
    with database.transaction() as connection:
        persona = take(connection, picture({"chara": encoded(V2)}, filling=600_000))
        assert find_picture(connection, persona.id) is None
        with pytest.raises(NotFound):
            export_card_picture(connection, persona.id)


def test_our_own_form_holds_every_version(database: Database) -> None:
    with database.transaction() as connection:
        model_id = add_model(connection)
        persona = create(connection, "Critic", model_id=model_id, note="first")
        persona = change(connection, persona, instructions="Find more.", parameters={"seed": 7}, note="more")
        again = take(connection, export_persona(connection, persona.id))
        versions = [(v.instructions, v.model_id, v.parameters, v.note) for v in list_versions(connection, again.id)]
        assert versions == [
            ("Find more.", model_id, {"seed": 7}, "more"),
            ("Find what is wrong.", model_id, {}, "first"),
        ]


HUGE = {"spec": "chara_card_v2", "data": {"name": "x", "description": "y" * 70_000}}
DEEP = b'{"name":"x","first_mes":' + b"[" * 5_000 + b"]" * 5_000 + b"}"
BROKEN = picture({"chara": encoded(V2)})
BAD = {
    "nothing": b"",
    "no json": b"{",
    "other json": b'{"a": 1}',
    "a list": b"[]",
    "not a number": b'{"name": "x", "first_mes": NaN}',
    "nested": DEEP,
    "no name": {"spec": "chara_card_v2", "data": {"name": "  ", "description": "y"}},
    "an undrawn name": {"spec": "chara_card_v2", "data": {"name": "\u200b\u202e", "description": "y"}},
    "no text": {"spec": "chara_card_v2", "data": {"name": "x"}},
    "no data": {"spec": "chara_card_v2", "data": []},
    "too much text": HUGE,
    "a picture without": picture(),
    "a picture cut off": BROKEN[:-20],
    "a picture with a flaw": BROKEN[:60] + bytes([BROKEN[60] ^ 1]) + BROKEN[61:],
    "a length that lies": png.SIGNATURE + b"\xff\xff\xff\xffIHDR" + b"\0" * 50,
    "a card that is not base64": picture({"chara": b"!!!!"}),
    "no versions": {"format": "forllm.persona", "format_version": 1, "versions": []},
    "a newer form": {"format": "forllm.persona", "format_version": 2, "versions": [{}]},
    "a bad parameter": {
        "format": "forllm.persona",
        "format_version": 1,
        "versions": [{"name": "x", "instructions": "y", "parameters": {"temperature": 9}}],
    },
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_taken_says_why(sqlite_database: Database, name: str) -> None:
    with sqlite_database.transaction() as connection, pytest.raises(Invalid) as problem:
        take(connection, BAD[name])
    assert problem.value.field == "file"


def test_a_file_of_thirty_megabytes_is_refused(sqlite_database: Database) -> None:
    with sqlite_database.transaction() as connection, pytest.raises(TooLarge):
        take(connection, b" " * (FILE_BYTES_MOST + 1))


def test_a_name_is_brought_to_one_plain_line(database: Database) -> None:
    data = {"name": "<script>alert(1)</script>\n\u202eevil\x00", "description": "half \ud800 a letter \x00"}
    with database.transaction() as connection:
        persona = take(connection, {"spec": "chara_card_v2", "data": data})
        assert persona.name == "<script>alert(1)</script> evil\ufffd"
        assert "\x00" not in persona.version.instructions


def test_a_card_with_too_much_besides_is_taken_without_it() -> None:
    data = {"name": "x", "description": "y", "first_mes": "z" * (cards.KEPT_CHARACTERS_MOST + 1)}
    assert cards.read_card({"spec": "chara_card_v2", "data": data}).kept == {}
