"""Reading forms, and showing them again."""

import math
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from forllm_server.errors import Invalid
from forllm_server.web.forms import Form
from tests.support.trial_site import token_in


def form(**values: str | list[str]) -> Form:
    return Form({name: value if isinstance(value, list) else [value] for name, value in values.items()})


def test_texts_have_plain_line_ends() -> None:
    assert form(text="a\r\nb\rc\n").text("text") == "a\nb\nc\n"
    assert form().text("text") == ""


def test_numbers_are_read_and_bounded() -> None:
    assert form(n=" 12 ").integer("n", least=1, most=12) == 12
    assert form(n="-3").integer("n", least=-5) == -3
    assert form(n="").integer("n", default=4) == 4
    assert form(n="0,5").number("n", least=0, most=2) == 0.5
    assert form().number("n", least=0, most=2) is None


def test_choices_flags_and_lists() -> None:
    assert form(kind="b").choice("kind", ["a", "b"]) == "b"
    assert form().choice("kind", ["a", "b"], default="a") == "a"
    assert form(on="1").flag("on") is True
    assert form(on="0").flag("on") is False
    assert form().flag("on") is False
    assert form(ids=["1", "", "2"]).integers("ids") == [1, 2]
    assert form(days=["mon", "tue"]).words("days") == ["mon", "tue"]
    assert form(a="").has("a")
    assert not form().has("a")


@pytest.mark.parametrize(
    "read",
    [
        lambda: form(x="").text("x", is_required=True),
        lambda: form(x=" \n\t ").text("x", is_required=True),
        lambda: form(x="a\0b").text("x"),
        lambda: form(x="abc").text("x", longest=2),
        lambda: form(x="1.5").integer("x"),
        lambda: form(x="٣").integer("x"),
        lambda: form(x="1_0").integer("x"),
        lambda: form(x="9" * 5000).integer("x"),
        lambda: form(x="--1").integer("x", least=-5),
        lambda: form(x="13").integer("x", most=12),
        lambda: form(x="nan").number("x", least=0, most=2),
        lambda: form(x="inf").number("x", least=0, most=math.inf / math.inf),
        lambda: form(x="warm").number("x", least=0, most=2),
        lambda: form(x="c").choice("x", ["a", "b"]),
        lambda: form().choice("x", ["a", "b"]),
        lambda: form(x=["1", "b"]).integers("x"),
        lambda: form(x=["0"]).integers("x"),
    ],
)
def test_what_cannot_be_taken_names_its_field(read: Callable[[], object]) -> None:
    with pytest.raises(Invalid) as caught:
        read()
    assert caught.value.field == "x"
    assert caught.value.message.endswith(".")


def test_a_form_is_shown_again_with_all_that_was_entered(client: FlaskClient) -> None:
    token = token_in(client.get("/try/form").text)
    long = "<b>\u202e" + "long " * 40
    answer = client.post("/try/form", data={"text": long, "csrf_token": token})
    assert answer.status_code == 422
    assert "&lt;b&gt;\u202e" + "long " * 40 in answer.text
    assert answer.text.count("at most 100 are possible") == 2
    assert "<s>None</s>" in answer.text


def test_a_clash_is_shown_at_its_field(client: FlaskClient) -> None:
    token = token_in(client.get("/try/form").text)
    answer = client.post("/try/form", data={"text": "taken", "csrf_token": token})
    assert answer.status_code == 409
    assert "<b>Somebody has that.</b>" in answer.text


def test_a_form_that_is_taken_leads_on_with_a_notice_shown_once(client: FlaskClient) -> None:
    token = token_in(client.get("/try/form").text)
    answer = client.post("/try/form", data={"text": "fine", "csrf_token": token})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/try/form")
    assert "<u>done: Saved.</u>" in client.get("/try/form").text
    assert "Saved." not in client.get("/try/form").text


def test_a_fresh_form_shows_its_defaults(client: FlaskClient) -> None:
    assert "<textarea>begin</textarea><b>None</b>" in client.get("/try/form").text
