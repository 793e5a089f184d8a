"""Whole pages and blocks of them."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from forllm_server.web.fragments import render_block


def test_a_browser_gets_the_whole_page(client: FlaskClient) -> None:
    answer = client.get("/try/page")
    assert "<h1>whole</h1>" in answer.text
    assert "<p>A!</p>" in answer.text
    assert answer.headers["Vary"] == "HX-Request"


def test_a_script_gets_the_block_with_the_macros_it_needs(client: FlaskClient) -> None:
    assert client.get("/try/page", headers={"HX-Request": "true"}).text == "<p>A!</p>"


@pytest.mark.parametrize("header", ["HX-Boosted", "HX-History-Restore-Request"])
def test_a_boosted_link_and_the_history_get_the_whole_page(client: FlaskClient, header: str) -> None:
    assert "<h1>whole</h1>" in client.get("/try/page", headers={"HX-Request": "true", header: "true"}).text


def test_everything_is_escaped_in_both(client: FlaskClient) -> None:
    for headers in ({}, {"HX-Request": "true"}):
        answer = client.get("/try/page", query_string={"text": "<script>"}, headers=headers)
        assert "&lt;SCRIPT&gt;" in answer.text


def test_a_block_that_is_not_there_is_a_mistake(app: Flask) -> None:
    with app.test_request_context(), pytest.raises(KeyError):
        render_block("try/show.html", "nowhere", text="a")


def test_a_missing_value_is_a_mistake_and_not_an_empty_place(client: FlaskClient) -> None:
    assert client.get("/try/missing").status_code == 500
