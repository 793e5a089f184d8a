"""``/api/v1/prompt-estimates``: what a question would cost of a model's context, before it is asked."""

from dataclasses import replace
from typing import Any

from forllm_server.api.contract import Noun
from forllm_server.api.schemas_llm import PromptEstimateIn, PromptEstimateOut
from forllm_server.clock import now
from forllm_server.jobs.forecast import forecast_for_new
from forllm_server.jobs.mentioning import find_mentioned
from forllm_server.jobs.previewing import Draft, estimate
from forllm_server.web.current import current

blueprint = Noun("Prompt estimates", "A draft, counted as it would be sent. Nothing is stored and no model is asked.")


@blueprint.route("/prompt-estimates", methods=["POST"])
@blueprint.arguments(PromptEstimateIn)
@blueprint.response(200, PromptEstimateOut)
def show(values: dict[str, Any]) -> dict[str, Any]:
    """Count a draft: a reply to `parent_id`, or the first post of a topic in `subforum_id`.

    The prompt is that of `persona_id`, or of the first who is called in the text (`@skeptic`), or of whoever answers by
    the rules. All of them are in what it adds to the queue.
    """
    draft = Draft(**values)
    with current().database.read() as connection:
        mentioned = find_mentioned(connection, draft.text)
        called = [*mentioned.persona_ids, *(persona_id for chain in mentioned.chains for persona_id in chain)]
        if draft.persona_id is None and called:
            draft = replace(draft, persona_id=called[0])
        if draft.persona_id in called:
            called.remove(draft.persona_id)
        counted = estimate(connection, draft)
        others = [estimate(connection, replace(draft, persona_id=persona_id)) for persona_id in called]
        asks = [each.new_ask for each in (counted, *others) if each.new_ask is not None]
        addition = forecast_for_new(connection, asks, now()) if asks else None
    return {"estimate": counted, "addition": addition, "notes": [*mentioned.notes]}
