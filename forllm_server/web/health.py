"""``GET /health``: whether this process answers and its database can be read."""

from flask import Blueprint, Response, jsonify
from sqlalchemy import literal, select

from forllm_server import __version__
from forllm_server.clock import now
from forllm_server.web.current import current

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def show_health() -> Response:
    """``{"status": "healthy", "timestamp": …, "version": …}``; 503 while the database cannot be read."""
    with current().database.read() as connection:
        connection.execute(select(literal(1)))
    return jsonify(status="healthy", timestamp=now().isoformat(), version=__version__)
