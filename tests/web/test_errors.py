"""What is answered when something goes wrong."""

import errno
import logging

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import IntegrityError

from forllm_server.errors import ForllmError, Invalid, NameTaken
from forllm_server.web.errors import status_of
from forllm_server.web.paging import Malformed


def test_a_person_gets_a_page_that_says_what_and_what_to_do(client: FlaskClient) -> None:
    answer = client.get("/try/gone")
    assert answer.status_code == 404
    page = BeautifulSoup(answer.text, "html.parser")
    detail = page.find(class_="problem__detail")
    assert detail is not None
    assert detail.text == "No <such> thing."
    assert answer.headers["X-Request-Id"] in answer.text


def test_a_script_gets_only_the_problem(client: FlaskClient) -> None:
    answer = client.get("/try/gone", headers={"HX-Request": "true"})
    assert answer.status_code == 404
    assert answer.text.startswith("<section")


def test_an_unknown_address_is_a_page_or_a_problem(client: FlaskClient) -> None:
    assert client.get("/nowhere").mimetype == "text/html"
    answer = client.get("/api/v1/nowhere")
    assert answer.mimetype == "application/problem+json"
    assert answer.json is not None
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    assert answer.json["type"] == "urn:forllm:problem:not_found"


@pytest.mark.parametrize("path", ["/try/page", "/api/v1/settings"])
def test_a_wrong_method_is_told_the_right_ones(client: FlaskClient, path: str) -> None:
    answer = client.delete(path)
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_a_busy_database_says_when_to_come_back(client: FlaskClient) -> None:
    answer = client.get("/try/busy")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_a_fault_shows_a_number_and_nothing_else(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="forllm"):
        answer = client.get("/try/fault")
    assert answer.status_code == 500
    for betrayed in ("secret detail", "RuntimeError", "Traceback", "/web/", ".py"):
        assert betrayed not in answer.text
    assert answer.headers["X-Request-Id"] in answer.text
    assert "secret detail" in caplog.text


def test_two_writers_at_once_are_a_clash_and_no_fault(app: Flask, client: FlaskClient) -> None:
    def collide() -> str:
        raise IntegrityError("INSERT …", {}, Exception("UNIQUE constraint failed"))

    app.add_url_rule("/api/v1/collide", view_func=collide)
    answer = client.get("/api/v1/collide")
    assert (answer.status_code, answer.json and answer.json["code"]) == (409, "conflict")
    assert "UNIQUE" not in answer.text


def test_the_nearest_class_decides_the_status() -> None:
    assert status_of(Malformed()) == 400
    assert status_of(Invalid()) == 422
    assert status_of(NameTaken()) == 409
    assert status_of(ForllmError()) == 500


def test_a_full_disk_is_told_as_one_and_other_faults_of_the_system_stay_faults(app: Flask, client: FlaskClient) -> None:
    app.add_url_rule("/try/full", "full", lambda: _raise(OSError(errno.ENOSPC, "No space left on device")))
    app.add_url_rule("/try/broken", "broken", lambda: _raise(OSError(errno.EIO, "Input/output error")))
    full, broken = client.get("/try/full"), client.get("/try/broken")
    assert (full.status_code, broken.status_code) == (503, 500)
    assert "The disk is full" in full.text
    assert "Input/output" not in broken.text


def _raise(error: Exception) -> str:
    raise error
