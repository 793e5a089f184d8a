"""Asking again, from a reply: the same question to another model, another version, another seed, hotter, longer."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response
from sqlalchemy import Connection

from forllm_server.catalog.model_store import list_models
from forllm_server.clock import now
from forllm_server.errors import Conflict
from forllm_server.forum import post_store, topic_store
from forllm_server.forum.model import Post
from forllm_server.jobs.asking import Ask, ask
from forllm_server.pages.asking import asked_words
from forllm_server.pages.naming import model_label
from forllm_server.personas import version_store
from forllm_server.personas.model import PersonaVersion
from forllm_server.personas.parameters import MAX_TOKENS_LIMIT, SEED_MAX, SEED_MIN
from forllm_server.queue.llm_request_store import find_llm_request
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form, shows_again
from forllm_server.web.fragments import notice, page, see_other

blueprint = Blueprint("again", __name__)

#: How much "hotter" adds to the temperature, and the hottest there is.
_HOTTER, _HOTTEST = 0.3, 2.0
#: What most servers take when nobody says otherwise.
_USUAL = 0.8
#: How many times as many tokens "longer" allows.
_LONGER = 2
_BIGGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class Again:
    """A reply that can be asked for once more: by whom, on which model, and how it was asked."""

    reply: Post
    question_id: int
    version: PersonaVersion
    model_id: int | None
    parameters: dict[str, Any]

    @property
    def hotter(self) -> float:
        """The temperature, raised."""
        temperature = self.parameters.get("temperature")
        return min(_HOTTEST, round((_USUAL if temperature is None else float(temperature)) + _HOTTER, 2))

    @property
    def longer(self) -> int:
        """The most tokens, doubled."""
        return min(MAX_TOKENS_LIMIT, int(self.parameters.get("max_tokens") or 1) * _LONGER)


@blueprint.get("/posts/<int:post_id>/ask-again")
def show(post_id: int) -> Response:
    """The form, filled with how the reply was asked for."""
    with current().database.read() as connection:
        again = _read(connection, post_id)
        topic = topic_store.get_topic(connection, again.reply.topic_id)
        versions = version_store.list_versions(connection, again.version.persona_id)
        models = [each for each in list_models(connection, is_available=True) if each.may_be_asked]
    known = {each.model.id for each in models}
    return page(
        "again/show.html",
        topic=topic,
        again=again,
        versions=[(str(each.id), f"v{each.number}" + (f" · {each.note}" if each.note else "")) for each in versions],
        models=[("", "The persona’s own"), *((str(each.model.id), model_label(each)) for each in models)],
        model_id=again.model_id if again.model_id in known else "",
    )


@blueprint.post("/posts/<int:post_id>/ask-again")
@shows_again(show)
def create(post_id: int) -> Response:
    """Queue one more answer to the same question."""
    form = Form.of_request()
    with current().database.transaction() as connection:
        again = _read(connection, post_id)
        asked = ask(connection, _wish(again, form), now())
    current().wake_worker()
    notice(asked_words([asked]), kind="asked", undo=f"/queue/{asked.request.id}/cancellation")
    return see_other(f"/posts/{again.question_id}")


def _wish(again: Again, form: Form) -> Ask:
    parameters: dict[str, Any] = {}
    seed = form.integer("seed", least=SEED_MIN, most=SEED_MAX)
    if seed is not None:
        parameters["seed"] = seed
    if form.flag("is_hotter"):
        parameters["temperature"] = again.hotter
    if form.flag("is_longer"):
        parameters["max_tokens"] = again.longer
    return Ask(
        current_user_id(),
        again.question_id,
        again.version.persona_id,
        form.integer("model_id", least=1, most=_BIGGEST_ID),
        form.flag("is_run_now"),
        is_another=True,
        persona_version_id=form.integer("persona_version_id", least=1, most=_BIGGEST_ID),
        parameters=parameters,
    )


def _read(connection: Connection, post_id: int) -> Again:
    """Raises NotFound, and Conflict for what no persona wrote in answer to a post."""
    reply = post_store.get_post(connection, post_id)
    if not reply.is_by_persona or reply.parent_id is None or reply.persona_version_id is None:
        raise Conflict("Only a persona’s reply can be asked for again.")
    request = find_llm_request(connection, reply.llm_request_id or 0)
    return Again(
        reply,
        reply.parent_id,
        version_store.get_version(connection, reply.persona_version_id),
        request.model_id if request else None,
        dict(reply.parameters or {}),
    )
