"""Who is let in: hosts, origins, content types, sizes."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from forllm_server.db import Database
from forllm_server.web.guard import LARGEST_BODY_BYTES
from tests.support.app import PORT, make_app
from tests.support.trial_site import token_in, with_trial_pages

OWN = f"127.0.0.1:{PORT}"
SUBFORUM = {"name": "Gardening"}


@pytest.mark.parametrize("host", [OWN, f"localhost:{PORT}", f"LOCALHOST:{PORT}", f"[::1]:{PORT}"])
def test_the_loopback_names_with_our_port_are_known(client: FlaskClient, host: str) -> None:
    assert client.get("/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        f"evil.example:{PORT}",
        "127.0.0.1",
        "127.0.0.1:80",
        f"127.0.0.1.evil.example:{PORT}",
        f"127.0.0.1:{PORT}@evil.example",
        f"127.0.0.1:{PORT}, evil.example",
        f"0.0.0.0:{PORT}",
        f"localhost.:{PORT}",
        f"user@127.0.0.1:{PORT}",
        f"127.0.0.1:{PORT}/path",
        f"127.0.0.1:0{PORT}0",
        "[::1",
        "169.254.169.254",
        "xn--e1afmkfd",
        "",
        " ",
    ],
)
@pytest.mark.parametrize("path", ["/health", "/api/v1/settings", "/try/page", "/static/x/icons.svg", "/nowhere"])
def test_any_other_host_is_turned_away_without_a_word(client: FlaskClient, host: str, path: str) -> None:
    answer = client.get(path, headers={"Host": host})
    assert answer.status_code == 421
    assert answer.data == b""
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_a_configured_host_is_known_by_any_port(sqlite_database: Database, tmp_path: Path) -> None:
    client = make_app(sqlite_database, tmp_path, allowed_hosts=("Forum.example", "other.example:81")).test_client()
    hosts = {"forum.example": 200, "FORUM.example:8443": 200, "other.example:81": 200, "other.example": 421}
    for host, status in hosts.items():
        assert client.get("/health", headers={"Host": host}).status_code == status, host


def test_forwarded_headers_count_only_behind_a_configured_proxy(sqlite_database: Database, tmp_path: Path) -> None:
    forged = {"X-Forwarded-For": "8.8.8.8", "X-Forwarded-Host": "forum.example", "X-Forwarded-Proto": "https"}
    plain = with_trial_pages(make_app(sqlite_database, tmp_path, allowed_hosts=("forum.example",)))
    assert plain.test_client().get("/try/address", headers=forged).text == f"127.0.0.1 http://{OWN}/"
    behind = with_trial_pages(make_app(sqlite_database, tmp_path, allowed_hosts=("forum.example",), proxy_count=1))
    assert behind.test_client().get("/try/address", headers=forged).text == "8.8.8.8 https://forum.example/"


SAME_SITE = [
    {},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "same-origin", "Origin": f"http://{OWN}"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": f"http://{OWN}"},
    {"Origin": f"http://{OWN.upper()}"},
]
FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "SAME-ORIGIN"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "cross-site", "Origin": f"http://{OWN}"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"},
    {"Origin": "http://evil.example"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": f"http://localhost:{PORT}"},
    {"Origin": f"http://{OWN}.evil.example"},
    {"Origin": f"http://{OWN}@evil.example"},
    {"Origin": f"file://{OWN}"},
    {"Origin": "http://[bad"},
    {"Origin": ""},
]


@pytest.mark.parametrize("headers", SAME_SITE)
def test_the_api_takes_json_from_here_and_from_scripts(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.post("/api/v1/subforums", json=SUBFORUM, headers=headers).status_code == 201


@pytest.mark.parametrize("headers", [*FOREIGN, {"Origin": "null"}])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_the_api_takes_nothing_from_elsewhere(client: FlaskClient, headers: dict[str, str], method: str) -> None:
    answer = client.open("/api/v1/subforums", method=method, json=SUBFORUM, headers=headers)
    assert answer.status_code == 403
    assert answer.json is not None
    assert answer.json["code"] == "foreign_origin"
    assert client.get("/api/v1/subforums").json == {"items": [], "next": None}


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "application/xml"],
)
def test_the_api_takes_no_body_that_a_foreign_form_could_send(client: FlaskClient, content_type: str) -> None:
    answer = client.post("/api/v1/subforums", data='{"name": "A"}', content_type=content_type)
    assert answer.status_code == 415


def test_the_api_takes_no_compressed_body(client: FlaskClient) -> None:
    send = {"data": "{}", "content_type": "application/json"}
    assert client.post("/api/v1/subforums", **send, headers={"Content-Encoding": "gzip"}).status_code == 415
    assert client.post("/api/v1/subforums", **send, headers={"Content-Encoding": "identity"}).status_code != 415
    assert client.get("/api/v1/subforums").json == {"items": [], "next": None}


def test_no_foreign_origin_may_read(client: FlaskClient) -> None:
    for origin in ("http://evil.example", "null"):
        for answer in (
            client.get("/api/v1/settings", headers={"Origin": origin}),
            client.options("/api/v1/subforums", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}),
        ):
            assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]


def test_a_form_needs_its_token(client: FlaskClient) -> None:
    token = token_in(client.get("/try/form").text)
    for wrong in ({}, {"csrf_token": ""}, {"csrf_token": "guess"}, {"csrf_token": token + "x"}):
        answer = client.post("/try/form", data={"text": "hello", **wrong})
        assert answer.status_code == 400
        assert "your text is still there" in answer.text
    assert client.post("/try/form", data={"text": "hello", "csrf_token": token}).status_code == 303


def test_a_token_is_of_no_use_in_another_session(app: Flask) -> None:
    token = token_in(app.test_client().get("/try/form").text)
    stranger = app.test_client()
    stranger.get("/try/form")
    assert stranger.post("/try/form", data={"text": "hello", "csrf_token": token}).status_code == 400


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_form_from_elsewhere_is_refused_even_with_a_token(client: FlaskClient, headers: dict[str, str]) -> None:
    token = token_in(client.get("/try/form").text)
    assert client.post("/try/form", data={"text": "x", "csrf_token": token}, headers=headers).status_code == 403


def test_a_form_sent_under_no_referrer_passes_by_its_token(client: FlaskClient) -> None:
    token = token_in(client.get("/try/form").text)
    data = {"text": "x", "csrf_token": token}
    assert client.post("/try/form", data=data, headers={"Origin": "null"}).status_code == 303


def test_a_script_may_send_the_token_as_a_header(client: FlaskClient) -> None:
    token = token_in(client.get("/try/form").text)
    assert client.post("/try/form", data={"text": "x"}, headers={"X-CSRFToken": token}).status_code == 303


def test_a_body_that_is_too_large_is_refused_with_words(client: FlaskClient) -> None:
    large = "x" * (LARGEST_BODY_BYTES + 1)
    answer = client.post("/api/v1/subforums", json={"name": large})
    assert (answer.status_code, answer.json and answer.json["status"]) == (413, 413)
    token = token_in(client.get("/try/form").text)
    answer = client.post("/try/form", data={"text": large, "csrf_token": token})
    assert answer.status_code == 413
    assert "6 MB" in answer.text


def test_a_form_of_five_megabytes_is_read(client: FlaskClient) -> None:
    token = token_in(client.get("/try/form").text)
    answer = client.post("/try/form", data={"text": "x" * 5_000_000, "csrf_token": token})
    assert answer.status_code == 422
    assert "5,000,000 characters" in answer.text


def test_too_many_or_too_large_headers_are_refused(client: FlaskClient) -> None:
    assert client.get("/health", headers={f"X-Header-{number}": "x" for number in range(1_000)}).status_code == 431
    assert client.get("/health", headers={"X-Long": "x" * 17_000}).status_code == 431


@pytest.mark.parametrize("path", ["/health", "/api/v1/settings", "/api/v1/subforums", "/api/v1/openapi.json"])
def test_reading_sets_no_cookie(client: FlaskClient, path: str) -> None:
    assert "Set-Cookie" not in client.get(path).headers
