"""``/api/docs``: the description of the API to read and to try, with the Swagger UI that comes along."""

from flask import Blueprint, render_template

blueprint = Blueprint("api_documentation", __name__)


@blueprint.get("/api/docs")
def show() -> str:
    """The page; its script reads ``/api/v1/openapi.json``."""
    return render_template("api/docs.html")
