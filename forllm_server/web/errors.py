"""Errors become answers: a page for people, ``application/problem+json`` (RFC 9457) for programs."""

import errno
from typing import Any

from flask import Flask, Response, jsonify, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import IntegrityError
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from forllm_server import log
from forllm_server.errors import Conflict, ForllmError, Invalid, NotAllowed, NotFound, TooLarge, Unavailable
from forllm_server.web.current import request_id
from forllm_server.web.fragments import page
from forllm_server.web.guard import LARGEST_BODY_BYTES, is_api_path
from forllm_server.web.paging import Malformed

#: The first class that fits decides; so a class stands before those it descends from.
STATUSES: tuple[tuple[type[ForllmError], int], ...] = (
    (Malformed, 400),
    (NotFound, 404),
    (Invalid, 422),
    (Conflict, 409),
    (NotAllowed, 403),
    (TooLarge, 413),
    (Unavailable, 503),
)

#: When to try again after a 503, in seconds.
RETRY_AFTER_SECONDS = 5

#: What HTTP's own errors say here; anything else keeps the sentence that it came with.
_SENTENCES = {
    404: "There is nothing here. It may have been deleted, or the address is mistyped.",
    405: "This address does not take that method. The header Allow lists those that it takes.",
    413: f"That is larger than FORLLM accepts: {LARGEST_BODY_BYTES // 2**20} MB with everything in it. "
    "Go back (your text is still there) and shorten it or post it in parts.",
    431: "The browser sent more headers than FORLLM reads. Delete the cookies of this address and try again.",
    500: "Something went wrong inside FORLLM. What you sent may not have been saved. The log has the details, "
    "under the number below.",
}

_TITLES = {
    400: "This cannot be read",
    403: "Not possible here",
    404: "Nothing here",
    409: "This clashes",
    413: "Too large",
    422: "This cannot be taken",
    500: "Something went wrong",
    503: "Just now it does not work",
}


def install(app: Flask) -> None:
    """Answer every error of ``app``."""
    app.register_error_handler(ForllmError, _answer_domain_error)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.register_error_handler(CSRFError, _answer_stale_form)
    app.register_error_handler(IntegrityError, _answer_clash)
    app.register_error_handler(OSError, _answer_full_disk)
    app.register_error_handler(Exception, _answer_fault)


def status_of(error: ForllmError) -> int:
    """The HTTP status of a domain error."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 500)


def _answer_domain_error(error: ForllmError) -> Response:
    status = status_of(error)
    if status == 500:
        # Not the asker's doing, but its sentence is for people all the same.
        log.event("request.failed", level=log.ERROR, error=error.code, request=request_id(), path=request.path)
    response = _answer(status, error.code, error.message, field=error.field, errors=error.facts.get("errors"))
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _answer_http_error(error: HTTPException) -> Response:
    status = error.code or 500
    phrase = HTTP_STATUS_CODES[status]
    code = TooLarge.code if status == 413 else phrase.lower().replace(" ", "_")
    response = _answer(status, code, _SENTENCES.get(status) or error.description or phrase)
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def _answer_stale_form(_error: CSRFError) -> Response:
    detail = (
        "This form has grown too old, or the cookies of this address were deleted. "
        "Go back (your text is still there), copy it, reload the page and send it again."
    )
    return _answer(400, "stale_form", detail)


def _answer_clash(error: IntegrityError) -> Response:
    """Two writers at once: each was right when it looked, and the database let only one through."""
    log.event("request.clashed", level=log.WARNING, request=request_id(), path=request.path, error=str(error.orig))
    return _answer(409, Conflict.code, str(Conflict()), field=None)


def _answer_full_disk(error: OSError) -> Response:
    """A file that is being sent lies in a temporary one first; any other fault of the system is one of ours."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return _answer_fault(error)
    return _answer_domain_error(Unavailable("The disk is full: FORLLM could not save. Make some room and try again."))


def _answer_fault(error: Exception) -> Response:
    """The one place that takes every exception: it says no more than a number, under which the log has it all."""
    log.event("request.failed", level=log.ERROR, error=type(error).__name__, request=request_id(), path=request.path)
    return _answer(500, "internal_error", _SENTENCES[500])


def _answer(
    status: int, code: str, detail: str, *, field: str | None = None, errors: dict[str, Any] | None = None
) -> Response:
    if is_api_path(request.path):
        return _problem(status, code, detail, field=field, errors=errors)
    # The layout reads the database, which may be what is broken: then the page does without it.
    template = "errors/fault.html" if status >= 500 else "errors/show.html"
    title = _TITLES.get(status, HTTP_STATUS_CODES[status])
    return page(template, block="problem", status=status, title=title, detail=detail, http_status=status)


def _problem(status: int, code: str, detail: str, *, field: str | None, errors: dict[str, Any] | None) -> Response:
    members: dict[str, Any] = {
        "type": f"urn:forllm:problem:{code}",
        "title": HTTP_STATUS_CODES[status],
        "status": status,
        "detail": detail,
        "code": code,
        "field": field,
        "request_id": request_id(),
    }
    if errors:
        members["errors"] = errors
    response = jsonify(members)
    response.status_code = status
    response.content_type = "application/problem+json"
    return response
