"""What all nouns of the API share: strict input, listings, problems, and how these are described in OpenAPI."""

import http
from functools import cache
from typing import Any, cast

import flask_smorest
from flask import current_app, request
from flask_smorest.utils import prepare_response
from marshmallow import RAISE, Schema, fields
from webargs.flaskparser import FlaskParser

from forllm_server.api.fields import Cursor, QueryId
from forllm_server.api.strict_json import read_json
from forllm_server.db import Database
from forllm_server.errors import Invalid
from forllm_server.web.current import current

PREFIX = "/api/v1"
MOST_PER_PAGE = 200
PROBLEM_TYPE = "application/problem+json"


class Input(Schema):
    """What is sent. Unknown fields are refused, so that a misspelt one is noticed."""

    class Meta:
        unknown = RAISE


class Problem(Schema):
    """An error (RFC 9457)."""

    type = fields.String(required=True, metadata={"description": "urn:forllm:problem:<code>"})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True, metadata={"description": "What is wrong and what to do, for people."})
    code = fields.String(required=True, metadata={"description": "The same for programs; see docs/api.md."})
    field = fields.String(allow_none=True, metadata={"description": "The field or parameter that is meant."})
    request_id = fields.String(required=True, metadata={"description": "Under which the log knows more."})
    errors = fields.Dict(keys=fields.String(), values=fields.String(), metadata={"description": "All, by field."})


class PageQuery(Input):
    """Which part of a list."""

    after = fields.String(metadata={"description": "The `next` of the page before."})
    limit = QueryId(most=MOST_PER_PAGE, load_default=50, metadata={"description": "How many at most."})


@cache
def listing(item: type[Schema]) -> Schema:
    """The schema of a page of ``item``: ``{"items": […], "next": cursor or null}``. One for all who list it."""
    name = item.__name__.removesuffix("Out") + "List"
    members: dict[str, Any] = {
        "items": fields.List(fields.Nested(item), required=True),
        "next": Cursor(required=True, allow_none=True),
    }
    return Schema.from_dict(members, name=name)()


def database() -> Database:
    """The database with everything it can do, for rules that open transactions of their own."""
    return cast(Database, current().database)


def page_of(rows: list[Any], limit: int, keys: Any) -> dict[str, Any]:
    """A page from ``limit`` + 1 rows at most: the one too many only tells that there is a next page.

    ``keys(row)`` are the sort keys of a row.
    """
    items = rows[:limit]
    return {"items": items, "next": keys(items[-1]) if len(rows) > limit else None}


class Parser(FlaskParser):
    """Reads arguments strictly and tells of errors in the domain's words."""

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": RAISE}  # noqa: RUF012

    def _raw_load_json(self, req: Any) -> Any:
        raw = req.get_data(cache=True)
        return read_json(raw) if raw else {}

    def handle_error(self, error: Any, req: Any, schema: Any, **_options: Any) -> Any:
        """Raise :class:`Invalid` for the first field that will not do; ``facts["errors"]`` has them all."""
        found: dict[str, str] = {}
        for messages in error.messages.values():
            _flatten(messages, "", found)
        field, message = next(iter(found.items()), ("", "The input cannot be taken."))
        raise Invalid(message, field=field or None, errors=found)


class Noun(flask_smorest.Blueprint):
    """The views of one noun. Its name heads its routes in the description; that of a page is in lower case."""

    ARGUMENTS_PARSER = Parser()

    def __init__(self, name: str, description: str) -> None:
        super().__init__(name, __name__, url_prefix=PREFIX, description=description)
        self.before_request(refuse_unknown_input)


class Api(flask_smorest.Api):
    """flask-smorest with our errors: web/errors.py answers them, and they are described as problem+json."""

    ERROR_SCHEMA = Problem

    def _register_error_handlers(self) -> None:
        """Errors of the API are answered where all errors are."""

    def _register_responses(self) -> None:
        for status in http.HTTPStatus:
            self._register_response(status.name, status.phrase, has_body=status >= 400)
        self._register_response(self.DEFAULT_ERROR_RESPONSE_NAME, "Problem", has_body=True)

    def _register_response(self, name: str, description: str, *, has_body: bool) -> None:
        response: dict[str, Any] = {"description": description}
        if has_body:
            response["schema"] = self.ERROR_SCHEMA
        prepare_response(response, self.spec, PROBLEM_TYPE)
        self.spec.components.response(name, response, lazy=True)


def refuse_unknown_input() -> None:
    """A view that takes no parameters or no body is sent none."""
    view = current_app.view_functions[str(request.endpoint)]
    arguments = getattr(view, "_apidoc", {}).get("arguments", {}).get("parameters", [])
    locations = {argument["in"] for argument in arguments}
    if request.args and "query" not in locations:
        name = next(iter(request.args))
        raise Invalid(f"There is no parameter {name[:60]!r} here.", field=name[:60])
    for name, values in request.args.lists():
        if len(values) > 1:
            raise Invalid(f"The parameter {name[:60]!r} stands twice.", field=name[:60])
    if "json" not in locations:
        raw = request.get_data(cache=True)
        if raw and read_json(raw) != {}:
            raise Invalid("This takes no body.")


def _flatten(messages: Any, path: str, found: dict[str, str]) -> None:
    if isinstance(messages, dict):
        for name, inner in messages.items():
            # marshmallow's name for what is wrong with the whole object
            step = "" if name == "_schema" else str(name)[:60]
            _flatten(inner, ".".join(filter(None, (path, step))), found)
    elif isinstance(messages, list):
        found[path] = " ".join(str(message) for message in messages)
    else:
        found[path] = str(messages)
