"""Creating something once, however often it is asked for: the ``Idempotency-Key`` header.

As in the IETF draft "The Idempotency-Key HTTP Header Field": the answer is kept in the transaction that does the work,
so a call whose outcome is unknown can be repeated and hears the same again.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from flask import Response, jsonify, request
from sqlalchemy import Connection

from forllm_server.accounts.idempotency_store import find_response, insert_response
from forllm_server.clock import now
from forllm_server.errors import Invalid
from forllm_server.web.current import current, current_user_id

#: Describes the header in OpenAPI.
IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "Any text of your own. A repeated call with the same one changes nothing and is answered the same.",
}


class KeyReused(Invalid):
    """This Idempotency-Key came with another call before. Use a new one for each thing that is to be created."""

    code = "idempotency_key_reused"


def create(work: Callable[[Connection], dict[str, Any]], *, status: int = 201, location: str | None = None) -> Response:
    """Do ``work`` in one transaction and answer with the JSON object that it returns.

    ``location`` is the address of what was made, with the names of the object's fields in braces.
    """
    key = _read_key()
    with current().database.transaction() as connection:
        body = _find_answer(connection, key)
        if body is None:
            body = work(connection)
            _keep_answer(connection, key, status, body)
    current().wake_worker()
    response = jsonify(body)
    response.status_code = status
    if location is not None:
        response.headers["Location"] = location.format(**body)
    return response


def _read_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not (1 <= len(key) <= 255 and key.isascii() and key.isprintable() and " " not in key):
        raise Invalid("An Idempotency-Key has 1 to 255 visible ASCII characters.", field="Idempotency-Key")
    return key


def _find_answer(connection: Connection, key: str | None) -> Any:
    recorded = find_response(connection, owner_id=current_user_id(), key=key) if key else None
    if recorded is None:
        return None
    if recorded.route != _route():
        raise KeyReused(field="Idempotency-Key")
    return recorded.body


def _keep_answer(connection: Connection, key: str | None, status: int, body: Any) -> None:
    if key:
        insert_response(
            connection, owner_id=current_user_id(), key=key, route=_route(), status_code=status, body=body, now=now()
        )


def _route() -> str:
    """What was asked, exactly: method, path and a digest of the body."""
    return f"{request.method} {request.path} {blake2b(request.get_data(cache=True), digest_size=16).hexdigest()}"
