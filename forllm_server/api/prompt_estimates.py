"""``/api/v1/prompt-estimates``: what a question would cost of a model's context, before it is asked."""

from typing import Any

from forllm_server.api.contract import Noun
from forllm_server.api.schemas_llm import PromptEstimateIn, PromptEstimateOut
from forllm_server.clock import now
from forllm_server.jobs.forecast import forecast_for_new
from forllm_server.jobs.previewing import Draft, estimate
from forllm_server.web.current import current

blueprint = Noun("Prompt estimates", "A draft, counted as it would be sent. Nothing is stored and no model is asked.")


@blueprint.route("/prompt-estimates", methods=["POST"])
@blueprint.arguments(PromptEstimateIn)
@blueprint.response(200, PromptEstimateOut)
def show(values: dict[str, Any]) -> dict[str, Any]:
    """Count a draft: a reply to `parent_id`, or the first post of a topic in `subforum_id`."""
    with current().database.read() as connection:
        counted = estimate(connection, Draft(**values))
        asks = [counted.new_ask] if counted.new_ask else []
        return {"estimate": counted, "addition": forecast_for_new(connection, asks, now()) if asks else None}
