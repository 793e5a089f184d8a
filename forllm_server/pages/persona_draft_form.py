"""The choices of the forms that have a model write personas, and what that adds to the queue."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.catalog.choosing import choose_model
from forllm_server.catalog.model import ChosenModel
from forllm_server.catalog.model_store import list_models
from forllm_server.jobs.draft_asking import STEP_TOKENS
from forllm_server.jobs.forecast import NewAsk, forecast_for_new
from forllm_server.pages.naming import model_label, model_words
from forllm_server.settings.values import read_settings

BIGGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class DraftForm:
    """``models``: (value, label) pairs, the empty value leaves it to the forum. ``adds``: what one persona adds to the
    queue; empty while no model is there. ``is_tiny``: the embedded model would write it."""

    models: tuple[tuple[str, str], ...]
    adds: str
    is_tiny: bool


def read_draft_form(connection: Connection, now: datetime) -> DraftForm:
    """What can be chosen."""
    settings = read_settings(connection)
    chosen = choose_model(
        connection, asked_model_id=None, persona_model_id=None, default_model_id=settings.default_model_id
    )
    models = [listed for listed in list_models(connection, is_available=True) if listed.may_be_asked]
    called = model_words(chosen.model.name) if chosen else ""
    default = f"{called} on {chosen.backend.name} ({chosen.reason})" if chosen else "none is there yet"
    return DraftForm(
        models=(("", default), *((str(each.model.id), model_label(each)) for each in models)),
        adds=_adds(connection, chosen, now) if chosen else "",
        is_tiny=bool(chosen and chosen.backend.is_embedded),
    )


def _adds(connection: Connection, chosen: ChosenModel, now: datetime) -> str:
    asks = [
        NewAsk(backend_id=chosen.backend.id, model_id=chosen.model.id, max_tokens=tokens)
        for tokens in STEP_TOKENS.values()
    ]
    return forecast_for_new(connection, asks, now).words_for(f"{len(asks)} LLM requests")
