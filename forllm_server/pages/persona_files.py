"""Personas as files: taken in, given away, and their pictures."""

import json

from flask import Blueprint, Request, Response, request
from werkzeug.utils import secure_filename

from forllm_server.clock import now
from forllm_server.errors import Invalid, NotFound
from forllm_server.exchange.persona_files import (
    FILE_BYTES_MOST,
    export_card,
    export_card_picture,
    export_persona,
    import_persona,
)
from forllm_server.personas.persona_store import get_persona, get_persona_to_change
from forllm_server.personas.picture_store import find_digest, find_picture, replace_picture
from forllm_server.personas.pictures import PICTURE_BYTES_MOST, check_picture
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form, shows_again
from forllm_server.web.fragments import notice, page, see_other

blueprint = Blueprint("persona_files", __name__)

#: What a form needs besides its file.
_AROUND_BYTES = 64 * 1024


@blueprint.url_value_preprocessor
def allow_large_file(endpoint: str | None, _values: dict[str, object] | None) -> None:
    """A card's picture may be larger than other forms: said before the form is read."""
    if endpoint == "persona_files.take":
        request.max_content_length = FILE_BYTES_MOST + _AROUND_BYTES


@blueprint.get("/personas/import")
def show_import() -> Response:
    """The form that takes a file."""
    return page("persona/import.html")


@blueprint.post("/personas/import")
@shows_again(show_import)
def take() -> Response:
    """Make a persona of a file."""
    content = _file(request, "file", FILE_BYTES_MOST + 1)
    with current().database.transaction() as connection:
        persona = import_persona(connection, content, owner_id=current_user_id(), now=now(), file_name=_file_name())
    notice(f"{persona.name} is there. It is a stranger’s text: read it before you ask it.")
    return see_other(f"/personas/{persona.id}")


@blueprint.get("/personas/<int:persona_id>/persona.json")
def give(persona_id: int) -> Response:
    """A persona with all its versions."""
    with current().database.read() as connection:
        found = export_persona(connection, persona_id)
    return _download(json.dumps(found, ensure_ascii=False, indent=2).encode(), found["name"], "persona.json")


@blueprint.get("/personas/<int:persona_id>/card.json")
def give_card(persona_id: int) -> Response:
    """A persona as a character card."""
    with current().database.read() as connection:
        card = export_card(connection, persona_id)
    return _download(json.dumps(card, ensure_ascii=False, indent=2).encode(), card["data"]["name"], "card.json")


@blueprint.get("/personas/<int:persona_id>/card.png")
def give_card_picture(persona_id: int) -> Response:
    """A persona as a character card in its picture."""
    with current().database.read() as connection:
        persona = get_persona(connection, persona_id)
        content = export_card_picture(connection, persona_id)
    return _download(content, persona.name, "card.png")


@blueprint.get("/personas/<int:persona_id>/picture/<digest>")
def show_picture(persona_id: int, digest: str) -> Response:
    """An uploaded picture; its address names these very bytes, so it may be kept."""
    with current().database.read() as connection:
        picture = find_picture(connection, persona_id) if find_digest(connection, persona_id) == digest else None
    if picture is None:
        raise NotFound("There is no such picture.")
    response = Response(picture.content, content_type=picture.media_type)
    response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    return response


@blueprint.post("/personas/<int:persona_id>/picture")
def change_picture(persona_id: int) -> Response:
    """Give a persona a picture, or its drawn mark again."""
    is_removed = Form.of_request().flag("is_removed")
    picture = None if is_removed else check_picture(_file(request, "picture", PICTURE_BYTES_MOST + 1))
    with current().database.transaction() as connection:
        get_persona_to_change(connection, persona_id)
        replace_picture(connection, persona_id, picture, now())
    notice("The mark is drawn again." if is_removed else "The picture is there.")
    return see_other(f"/personas/{persona_id}")


def _file(sent: Request, name: str, most: int) -> bytes:
    """At most ``most`` bytes of the file in a field. Raises Invalid when none was chosen."""
    uploaded = sent.files.get(name)
    content = b""
    if uploaded is not None:
        content = uploaded.stream.read(most)
        uploaded.close()
    if not content:
        raise Invalid("Choose a file first.", field=name)
    return content


def _file_name() -> str:
    """What the file that was sent is called, without folders."""
    uploaded = request.files.get("file")
    return (uploaded.filename or "").replace("\\", "/").rpartition("/")[2] if uploaded else ""


def _download(content: bytes, name: str, ending: str) -> Response:
    kind = "image/png" if ending.endswith(".png") else "application/json; charset=utf-8"
    file_name = f"{secure_filename(name)[:60] or 'persona'}.{ending}"
    response = Response(content, content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return response
