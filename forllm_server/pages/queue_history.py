"""The history of the queue: all LLM requests, newest first, filtered."""

from collections.abc import Callable
from urllib.parse import urlencode

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from forllm_server.catalog.model_store import list_models
from forllm_server.clock import now
from forllm_server.forum.topic_store import find_topic
from forllm_server.pages.plan_reading import list_rows
from forllm_server.personas.persona_store import list_personas
from forllm_server.queue.llm_request_store import count_by_status, list_llm_requests
from forllm_server.queue.model import LlmRequest, Status
from forllm_server.web.current import current
from forllm_server.web.forms import Form
from forllm_server.web.fragments import page
from forllm_server.web.paging import decode_cursor, encode_cursor

blueprint = Blueprint("queue_history", __name__)

ROWS = 100
#: A filter that finds little is not let look further than this at once; the next page goes on from there.
LOOKED_AT = 2000
_BATCH = 500
_BIGGEST_ID = 2**63 - 1

STATUS_WORDS = (
    ("", "any"),
    (Status.SUCCEEDED.value, "answered"),
    (Status.FAILED.value, "failed"),
    (Status.CANCELLED.value, "cancelled"),
    (Status.RUNNING.value, "being written"),
    (Status.QUEUED.value, "in line"),
    (Status.WAITING.value, "waiting for another try"),
    (Status.HELD.value, "on hold"),
)


@blueprint.get("/queue/history")
def show() -> Response:
    """A page of the history; ``after`` says where it goes on."""
    form = Form(request.args.to_dict(flat=False))
    with current().database.read() as connection:
        found, last_id = _find(connection, form)
        rows = list_rows(connection, found, now())
        topic_id = form.integer("topic_id", least=1, most=_BIGGEST_ID)
        topic = find_topic(connection, topic_id) if topic_id else None
        personas = [(str(each.id), each.name) for each in list_personas(connection)]
        models = [
            (str(each.model.id), f"{each.model.label} on {each.backend_name}") for each in list_models(connection)
        ]
        counts = count_by_status(connection)
    return page(
        "queue/history.html",
        rows=rows,
        next_url=_next_url(last_id),
        is_first=not request.args.get("after"),
        is_filtered=any(request.args.get(name) for name in ("status", "persona_id", "model_id", "topic_id")),
        topic=topic,
        chosen=request.args,
        choices={"status": STATUS_WORDS, "persona_id": [("", "any"), *personas], "model_id": [("", "any"), *models]},
        counts=counts,
    )


def _find(connection: Connection, form: Form) -> tuple[list[LlmRequest], int | None]:
    """The requests of a page, and the id after which the next page begins; None when there is no more."""
    after = decode_cursor(form.text("after"), int)
    before_id: int | None = after[0] if after else None
    status = (
        form.choice("status", [value for value, _ in STATUS_WORDS if value], default=None)
        if form.text("status")
        else ""
    )
    fits = _fitting(form)
    found: list[LlmRequest] = []
    for _ in range(LOOKED_AT // _BATCH):
        batch = list_llm_requests(
            connection,
            statuses=[Status(status)] if status else (),
            topic_id=form.integer("topic_id", least=1, most=_BIGGEST_ID),
            before_id=before_id,
            limit=_BATCH,
        )
        for each in batch:
            if len(found) == ROWS:
                return found, before_id
            before_id = each.id
            found += [each] if fits(each) else []
        if len(batch) < _BATCH:
            return found, None
    return found, before_id


def _fitting(form: Form) -> Callable[[LlmRequest], bool]:
    persona_id = form.integer("persona_id", least=1, most=_BIGGEST_ID)
    model_id = form.integer("model_id", least=1, most=_BIGGEST_ID)
    return lambda each: persona_id in (None, each.persona_id) and model_id in (None, each.model_id)


def _next_url(last_id: int | None) -> str:
    if last_id is None:
        return ""
    kept = {name: value for name, value in request.args.items() if value and name != "after"}
    return "/queue/history?" + urlencode(kept | {"after": encode_cursor(last_id)})
