"""``/api/v1/personas`` as files and on the test bench."""

import json
from typing import Any

from flask import Response
from sqlalchemy import Connection

from forllm_server.api.contract import Noun
from forllm_server.api.creating import IDEMPOTENCY_KEY, create
from forllm_server.api.schemas_llm import PersonaOut
from forllm_server.api.schemas_persona import CardOut, PersonaFileIn, PersonaFileOut, PreviewOut, TrialIn, TrialOut
from forllm_server.clock import now
from forllm_server.errors import NotFound
from forllm_server.exchange.persona_files import export_card, export_persona, import_persona
from forllm_server.jobs.trying import TRIAL, Draft, ask_trial, preview
from forllm_server.personas.model import PersonaContent
from forllm_server.personas.trial_store import find_trial
from forllm_server.queue.llm_request_store import get_llm_request
from forllm_server.web.current import current, current_user_id

blueprint = Noun("Persona files", "Personas given away, taken in, and tried before they are saved.")


@blueprint.route("/personas/<int:persona_id>/file", methods=["GET"])
@blueprint.response(200, PersonaFileOut)
def give(persona_id: int) -> dict[str, Any]:
    """Export a persona with all its versions."""
    with current().database.read() as connection:
        return export_persona(connection, persona_id)


@blueprint.route("/personas/<int:persona_id>/card", methods=["GET"])
@blueprint.response(200, CardOut)
def give_card(persona_id: int) -> dict[str, Any]:
    """Export a persona as a character card."""
    with current().database.read() as connection:
        return export_card(connection, persona_id)


@blueprint.route("/persona-files", methods=["POST"])
@blueprint.arguments(PersonaFileIn)
@blueprint.response(201, PersonaOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def take(values: dict[str, Any]) -> Response:
    """Import a persona. A name that is taken gets a number."""
    content = json.dumps(values["persona"]).encode()

    def work(connection: Connection) -> Any:
        return PersonaOut().dump(import_persona(connection, content, owner_id=current_user_id(), now=now()))

    return create(work, location="/api/v1/personas/{id}")


@blueprint.route("/persona-previews", methods=["POST"])
@blueprint.arguments(TrialIn)
@blueprint.response(200, PreviewOut)
def show_preview(values: dict[str, Any]) -> dict[str, Any]:
    """Tell what an unsaved version would be sent about a post, to the letter. Nothing is stored, no model is asked."""
    with current().database.read() as connection:
        shown = preview(connection, lambda: _draft(values), now())
    breakdown = shown.prompt.breakdown if shown.prompt else None
    return {
        "problem": shown.problem,
        "model": shown.model_words,
        "messages": shown.prompt.messages if shown.prompt else (),
        "prompt_tokens": breakdown.prompt_tokens if breakdown else None,
        "context_tokens": breakdown.context_tokens if breakdown else None,
        "is_exact": breakdown.is_exact if breakdown else None,
    }


@blueprint.route("/persona-trials", methods=["POST"])
@blueprint.arguments(TrialIn)
@blueprint.response(202, TrialOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def try_draft(values: dict[str, Any]) -> Response:
    """Ask an unsaved version about a post. Its answer is kept with the trial and never becomes a post."""

    def work(connection: Connection) -> Any:
        asked = ask_trial(connection, _draft(values), owner_id=current_user_id(), now=now())
        return _describe(connection, asked.id)

    return create(work, status=202, location="/api/v1/persona-trials/{llm_request_id}")


@blueprint.route("/persona-trials/<int:llm_request_id>", methods=["GET"])
@blueprint.response(200, TrialOut)
def show_trial(llm_request_id: int) -> dict[str, Any]:
    """Read a trial. It is cancelled like any LLM request."""
    with current().database.read() as connection:
        return _describe(connection, llm_request_id)


def _draft(values: dict[str, Any]) -> Draft:
    content = PersonaContent(
        values["name"],
        values["instructions"],
        values["model_id"],
        values["parameters"],
        tuple(values["fallback_model_ids"]),
    )
    return Draft(content, values["post_id"], values["persona_id"])


def _describe(connection: Connection, llm_request_id: int) -> dict[str, Any]:
    request = get_llm_request(connection, llm_request_id)
    if request.kind != TRIAL:
        raise NotFound("This LLM request is no trial of a persona.")
    trial = find_trial(connection, llm_request_id)
    return {
        "llm_request_id": request.id,
        "status": request.status.value,
        "finish_reason": request.finish_reason,
        "text": trial.text if trial else None,
        "thinking": trial.thinking if trial else None,
    }
