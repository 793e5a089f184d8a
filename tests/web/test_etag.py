"""Answers that need not be sent again."""

from flask.testing import FlaskClient


def test_an_unchanged_version_is_answered_without_a_body(client: FlaskClient) -> None:
    first = client.get("/try/versioned")
    assert (first.status_code, first.text, first.headers["ETag"]) == (200, "body", 'W/"7"')
    again = client.get("/try/versioned", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", 'W/"7"')


def test_another_version_is_answered_in_full(client: FlaskClient) -> None:
    for tag in ('W/"6"', '"70"', "nonsense", ""):
        assert client.get("/try/versioned", headers={"If-None-Match": tag}).status_code == 200
