"""The encrypted session cookie."""

import base64
from datetime import UTC, datetime, timedelta

import time_machine
from flask import Flask
from flask.testing import FlaskClient

from tests.support.app import PORT

COOKIE = f"forllm_{PORT}"
START = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)


def cookie_of(client: FlaskClient) -> str:
    cookie = client.get_cookie(COOKIE, domain="127.0.0.1")
    assert cookie is not None
    return cookie.value


def test_a_session_lasts_from_page_to_page(client: FlaskClient) -> None:
    assert [client.get("/try/count").text for _ in range(3)] == ["1", "2", "3"]


def test_the_cookie_is_kept_from_scripts_and_other_sites(client: FlaskClient) -> None:
    header = client.get("/try/count").headers["Set-Cookie"]
    assert "HttpOnly" in header
    assert "SameSite=Lax" in header
    assert "Path=/" in header
    assert "Domain" not in header


def test_under_tls_the_cookie_stays_there(client: FlaskClient) -> None:
    assert "Secure" in client.get("/try/count", base_url=f"https://127.0.0.1:{PORT}").headers["Set-Cookie"]
    assert "Secure" not in client.get("/try/count").headers["Set-Cookie"]


def test_nothing_in_the_cookie_can_be_read(client: FlaskClient) -> None:
    client.get("/try/session")
    value = cookie_of(client)
    raw = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    assert b"secret" not in raw
    assert b"session" not in raw


def test_an_altered_or_foreign_cookie_is_an_empty_session(app: Flask, client: FlaskClient) -> None:
    client.get("/try/count")
    good = cookie_of(client)
    for bad in ("", "x", "%%%", good[:-4], "A" * len(good), good[:10] + "AAAA" + good[14:], good * 2, "\u00e9"):
        stranger = app.test_client()
        stranger.set_cookie(COOKIE, bad, domain="127.0.0.1")
        assert stranger.get("/try/count").text == "1", bad


def test_a_session_ends_after_thirty_days_without_use(client: FlaskClient) -> None:
    with time_machine.travel(START, tick=False) as clock:
        client.get("/try/count")
        kept = cookie_of(client)
        clock.shift(timedelta(days=29))
        assert client.get("/try/count").text == "2"
        clock.shift(timedelta(days=2))
        client.set_cookie(COOKIE, kept, domain="127.0.0.1")
        assert client.get("/try/count").text == "1"


def test_a_session_in_use_is_renewed_once_a_day(client: FlaskClient) -> None:
    with time_machine.travel(START, tick=False) as clock:
        client.get("/try/form")
        clock.shift(timedelta(hours=23))
        assert "Set-Cookie" not in client.get("/try/form").headers
        clock.shift(timedelta(hours=2))
        assert "Set-Cookie" in client.get("/try/form").headers


def test_an_emptied_session_takes_its_cookie_away(client: FlaskClient) -> None:
    client.get("/try/count")
    client.get("/try/leave")
    assert client.get_cookie(COOKIE, domain="127.0.0.1") is None
