"""The headers on every answer."""

import pytest
from flask.testing import FlaskClient

EVERYWHERE = [
    "/try/page",
    "/try/fault",
    "/try/gone",
    "/nowhere",
    "/health",
    "/api/v1/settings",
    "/api/v1/nowhere",
    "/api/docs",
    "/static/old/icons.svg",
    "/static/x/nowhere",
]


@pytest.mark.parametrize("path", EVERYWHERE)
def test_every_answer_carries_the_guarding_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} < set(policy)
    assert {"base-uri 'none'", "form-action 'self'", "object-src 'none'", "img-src 'self'"} < set(policy)
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert len(headers["X-Request-Id"]) == 16
    assert "X-Powered-By" not in headers
    assert "Strict-Transport-Security" not in headers


@pytest.mark.parametrize("path", ["/try/page", "/try/gone", "/api/v1/settings", "/health"])
def test_pages_and_api_are_not_stored(client: FlaskClient, path: str) -> None:
    assert client.get(path).headers["Cache-Control"] == "no-store"


def test_under_tls_a_browser_is_told_to_stay_there(client: FlaskClient) -> None:
    answer = client.get("/health", base_url="https://127.0.0.1:4773")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
