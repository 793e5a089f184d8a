"""What holds for every route: JSON without surprises, idempotency, and a description that is true."""

import json
import re

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from forllm_server.api.strict_json import read_json
from forllm_server.config import CHECKOUT
from forllm_server.db import Database
from forllm_server.web.paging import Malformed
from tests.api.test_persona_drafts import add_draft
from tests.conftest import EVENING
from tests.support.world import make_world
from tests.votes.world import Contest

ADDRESS = "/api/v1/subforums"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"nonsense",
        b'{"name": "a", "name": "b"}',
        b'{"name": NaN}',
        b'{"name": -Infinity}',
        b'{"name": 1e999}',
        b'{"name": ' + b"9" * 5_000 + b"}",
        b"[" * 100_000,
        b'{"name": ' + b'{"a": ' * 50_000,
        b'{"name": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"name": "a\\u0000b"}',
        b'{"name": "\xff"}',
        b'\xef\xbb\xbf{"name": "a"}',
        '{"name": "a"}'.encode("utf-16"),
        b"{'name': 'a'}",
        b'{"name": "a",}',
        b'{"name": "a"} {"name": "b"}',
    ],
)
def test_json_with_surprises_is_refused_and_never_a_fault(client: FlaskClient, body: bytes) -> None:
    answer = client.post(ADDRESS, data=body, content_type="application/json")
    assert answer.status_code in (400, 422)
    assert answer.mimetype == "application/problem+json"
    assert client.get(ADDRESS).get_json()["items"] == []


def test_json_that_is_only_unusual_is_read() -> None:
    text = '{"a": "\\ud83c\\udf31", "b": "\\\\ud800", "c": -1.5e3, "d": [], "e": "\\\\u0000"}'
    assert read_json(text.encode()) == {"a": "\N{SEEDLING}", "b": "\\ud800", "c": -1500.0, "d": [], "e": "\\u0000"}


def test_a_lone_surrogate_is_found_inside_lists() -> None:
    with pytest.raises(Malformed):
        read_json(b'[["ok", {"x": "\\udfff"}]]')


def test_a_repeated_call_with_its_key_creates_once_and_hears_the_same(client: FlaskClient) -> None:
    headers = {"Idempotency-Key": "b3f9a2"}
    answers = [client.post(ADDRESS, json={"name": "A"}, headers=headers) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert len(client.get(ADDRESS).get_json()["items"]) == 1


def test_a_key_is_for_one_call_only(client: FlaskClient) -> None:
    headers = {"Idempotency-Key": "b3f9a2"}
    client.post(ADDRESS, json={"name": "A"}, headers=headers)
    for address, body in ((ADDRESS, {"name": "B"}), ("/api/v1/personas", {"name": "A", "instructions": "x"})):
        answer = client.post(address, json=body, headers=headers)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "idempotency_key_reused")


def test_a_failed_call_leaves_its_key_free(client: FlaskClient) -> None:
    headers = {"Idempotency-Key": "again"}
    assert client.post(ADDRESS, json={"name": " "}, headers=headers).status_code == 422
    assert client.post(ADDRESS, json={"name": "A"}, headers=headers).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "schl\u00fcssel", "tab\tbed"])
def test_a_key_that_is_none_is_refused(client: FlaskClient, key: str) -> None:
    answer = client.post(ADDRESS, json={"name": "A"}, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.get_json()["field"]) == (422, "Idempotency-Key")


@time_machine.travel(EVENING)
def test_every_create_honours_the_key(app: Flask, topic: dict[str, int], sqlite_database: Database) -> None:
    client = app.test_client()
    replies = Contest(sqlite_database, make_world(sqlite_database, EVENING), EVENING, "A", "B").round()
    question_id = client.get(f"/api/v1/posts/{replies['A']}").get_json()["parent_id"]
    window = {"days": ["mon"], "start_minute": 0, "end_minute": 60}
    creates: list[tuple[str, dict[str, object]]] = [
        (ADDRESS, {"name": "B"}),
        (f"{ADDRESS}/{topic['subforum_id']}/topics", {"title": "T", "content": "x", "ask": [{}]}),
        (f"/api/v1/posts/{topic['post_id']}/replies", {"content": "x"}),
        (f"/api/v1/posts/{topic['post_id']}/llm-requests", {"another": True}),
        (f"/api/v1/posts/{topic['post_id']}/fan-outs", {"repeats": 2}),
        ("/api/v1/personas", {"name": "P", "instructions": "x"}),
        ("/api/v1/personas/1/copies", {}),
        ("/api/v1/persona-files", {"persona": {"name": "C", "description": "x", "first_mes": ""}}),
        ("/api/v1/persona-trials", {"post_id": topic["post_id"], "name": "D", "instructions": "x"}),
        ("/api/v1/persona-drafts", {"description": "x"}),
        (f"/api/v1/persona-drafts/{add_draft(sqlite_database)}/acceptance", {}),
        (f"/api/v1/persona-drafts/{add_draft(sqlite_database)}/regenerations", {}),
        ("/api/v1/schedule/windows", window),
        ("/api/v1/schedule/exceptions", {"date": "2026-12-24", "kind": "closed"}),
        ("/api/v1/schedule/extension", {"until": "23:59", "backend_id": 1}),
        ("/api/v1/queue/pauses", {"reason": "a game"}),
        (
            "/api/v1/recurring-topics",
            {"subforum_id": topic["subforum_id"], "title": "R", "content": "x", "days": ["mon"], "minute": 0},
        ),
        ("/api/v1/recurring-topics/1/runs", {}),
        (
            "/api/v1/batches",
            {
                "subforum_id": topic["subforum_id"],
                "title": "B",
                "text": "Why?",
                "template": "{{line}}",
                "persona_ids": [1],
            },
        ),
        ("/api/v1/experiments", {"post_ids": [replies["A"]], "model_id": 1}),
        ("/api/v1/backends", {"name": "X", "kind": "ollama", "base_url": "http://127.0.0.1:9"}),
        (
            f"/api/v1/posts/{topic['post_id']}/discussions",
            {"kind": "debate", "seats": [{"persona_id": 1, "role": "for"}, {"persona_id": 1, "role": "against"}]},
        ),
        ("/api/v1/drafts", {"kind": "reply", "target_id": topic["post_id"], "content": "x"}),
        ("/api/v1/bookmarks", {"post_id": topic["post_id"]}),
        ("/api/v1/attachments", {"name": "a.txt", "content": "YQ=="}),
        (f"/api/v1/posts/{topic['post_id']}/attachments", {"name": "b.txt", "content": "YQ=="}),
        ("/api/v1/votes", {"left_post_id": replies["A"], "right_post_id": replies["B"], "choice": "tie"}),
        ("/api/v1/unread/markings", {}),
        (f"/api/v1/posts/{question_id}/summaries", {"scope": "replies"}),
        (f"/api/v1/topics/{topic['id']}/summaries", {}),
        ("/api/v1/summaries/1/renewals", {}),
        (
            "/api/v1/persona-files",
            {"persona": {"spec": "chara_card_v2", "spec_version": "2.0", "data": {"name": "Ada", "description": "x"}}},
        ),
        ("/api/v1/persona-trials", {"name": "T", "instructions": "x", "post_id": topic["post_id"]}),
        (
            "/api/v1/channels",
            {
                "name": "C",
                "kind": "ntfy",
                "options": {"base_url": "http://127.0.0.1:9", "topic": "night", "may_be_local": True},
            },
        ),
        ("/api/v1/hooks", {"kind": "command", "name": "H", "events": ["night.over"], "command": "true"}),
        ("/api/v1/hooks/1/tests", {}),
    ]
    for number, (address, body) in enumerate(creates):
        first, second = (
            client.post(address, json=body, headers={"Idempotency-Key": f"key-{number}"}) for _ in range(2)
        )
        assert first.status_code in (201, 202), (address, first.text)
        assert first.get_json() == second.get_json(), address
    assert len(creates) == count_creates(client)


def count_creates(client: FlaskClient) -> int:
    """The operations that are described as taking an Idempotency-Key."""
    paths = client.get("/api/v1/openapi.json").get_json()["paths"]
    return sum(
        any(parameter.get("name") == "Idempotency-Key" for parameter in operation.get("parameters", []))
        for path in paths.values()
        for method, operation in path.items()
        if method == "post"
    )


def test_the_description_names_every_route_and_nothing_secret(app: Flask, client: FlaskClient) -> None:
    answer = client.get("/api/v1/openapi.json")
    described = answer.get_json()
    assert described["openapi"] == "3.1.0"
    routes = {
        re.sub(r"<(?:int:)?(\w+)>", r"{\1}", rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/") and rule.endpoint != "api-docs.openapi_json"
    }
    assert routes == set(described["paths"])
    for path in described["paths"].values():
        for method, operation in path.items():
            if method != "parameters":
                assert operation["summary"].endswith("."), operation
    backend = json.dumps(described["components"]["schemas"]["BackendOut"])
    assert "api_key" not in backend.replace("has_api_key", "")


def test_no_field_is_described_with_a_type_twice(client: FlaskClient) -> None:
    schemas = client.get("/api/v1/openapi.json").get_json()["components"]["schemas"]
    types = [
        (name, member, field["type"])
        for name, schema in schemas.items()
        for member, field in schema.get("properties", {}).items()
        if isinstance(field.get("type"), list)
    ]
    assert len(types) > 50
    assert [each for each in types if len(set(each[2])) != len(each[2])] == []


def test_the_docs_page_needs_nothing_from_elsewhere(client: FlaskClient) -> None:
    text = client.get("/api/docs").text
    assert "://" not in text
    assert "<script>" not in text
    assert "style=" not in text


def test_a_wrong_method_keeps_allow_and_speaks_json(client: FlaskClient) -> None:
    answer = client.put(ADDRESS, json={})
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}
    assert answer.mimetype == "application/problem+json"


def test_the_documentation_names_every_route_with_its_methods(client: FlaskClient) -> None:
    text = (CHECKOUT / "docs" / "api.md").read_text("utf-8")
    for path, operations in client.get("/api/v1/openapi.json").get_json()["paths"].items():
        methods = {name.upper() for name in operations if name != "parameters"}
        row = re.search(rf"^\| `{re.escape(path)}` \| ([A-Z ]+) \|", text, re.MULTILINE)
        assert row is not None, path
        assert set(row[1].split()) == methods, path
