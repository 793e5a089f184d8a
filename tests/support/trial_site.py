"""A small site of its own on top of the real application, so that web/ is tried without any page of the forum."""

import re

from flask import Blueprint, Flask, Response, request, session
from jinja2 import ChoiceLoader, DictLoader

from forllm_server.errors import Conflict, NotFound, Unavailable
from forllm_server.web.etag import unchanged, with_version
from forllm_server.web.forms import Form, shows_again
from forllm_server.web.fragments import notice, page, see_other

TEMPLATES = {
    "layouts/page.html": "<title>{% block title %}{% endblock %}</title>{% block content %}{% endblock %}",
    "try/macros.html": "{% macro shout(text) %}{{ text|upper }}!{% endmacro %}",
    "try/show.html": (
        '{% extends "layouts/page.html" %}{% from "try/macros.html" import shout %}'
        "{% block content %}<h1>whole</h1>{% block part %}<p>{{ shout(text) }}</p>{% endblock %}{% endblock %}"
    ),
    "try/form.html": (
        '{% extends "layouts/page.html" %}{% block content %}'
        '<input name="csrf_token" value="{{ csrf_token() }}"><textarea>{{ entered("text", "begin") }}</textarea>'
        "<b>{{ problem_with('text') }}</b><i>{{ form_problem() }}</i><s>{{ problem_with('other') }}</s>"
        "{% for kind, text in get_flashed_messages(with_categories=True) %}<u>{{ kind }}: {{ text }}</u>{% endfor %}"
        "{% endblock %}"
    ),
    "try/missing.html": "{{ nothing_of_that_name }}",
}

trial = Blueprint("trial", __name__)


@trial.get("/try/page")
def show_page() -> Response:
    return page("try/show.html", block="part", text=request.args.get("text", "a"))


@trial.get("/try/form")
def show_form() -> Response:
    return page("try/form.html")


@trial.post("/try/form")
@shows_again(show_form)
def take_form() -> Response:
    form = Form.of_request()
    if form.text("text", is_required=True, longest=100) == "taken":
        raise Conflict("Somebody has that.", field="text")
    notice("Saved.")
    return see_other("/try/form")


@trial.get("/try/fault")
def fail() -> Response:
    raise RuntimeError("the secret detail")


@trial.get("/try/missing")
def show_missing() -> Response:
    return page("try/missing.html")


@trial.get("/try/gone")
def lose() -> Response:
    raise NotFound("No <such> thing.")


@trial.get("/try/busy")
def wait() -> Response:
    raise Unavailable()


@trial.get("/try/versioned")
def show_versioned() -> Response:
    return unchanged(7) or with_version(Response("body"), 7)


@trial.get("/try/session")
def show_session() -> Response:
    session["secret"] = "of the session"
    return Response(str(session.get("count", 0)))


@trial.get("/try/count")
def count() -> Response:
    session["count"] = session.get("count", 0) + 1
    return Response(str(session["count"]))


@trial.get("/try/leave")
def leave() -> Response:
    session.clear()
    return Response("")


@trial.get("/try/address")
def show_address() -> Response:
    return Response(f"{request.remote_addr} {request.host_url}")


def with_trial_pages(app: Flask) -> Flask:
    """The same application with the pages under /try."""
    app.register_blueprint(trial)
    own = app.jinja_env.loader
    assert own is not None
    app.jinja_env.loader = ChoiceLoader([DictLoader(TEMPLATES), own])
    return app


def token_in(html: str) -> str:
    """The token of the form on a page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', html)
    assert found
    return found[1]
