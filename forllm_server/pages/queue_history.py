"""The history of the queue: all LLM requests, newest first, filtered."""

from urllib.parse import urlencode

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from forllm_server.catalog.model import ListedModel
from forllm_server.catalog.model_store import list_models
from forllm_server.clock import now
from forllm_server.forum.subforum_store import list_subforums
from forllm_server.forum.topic_store import find_topic
from forllm_server.pages.naming import model_words
from forllm_server.pages.plan_reading import list_rows
from forllm_server.personas.persona_store import list_personas
from forllm_server.queue.history_store import HistoryFilter, list_history
from forllm_server.queue.llm_request_store import count_by_status
from forllm_server.queue.model import Status
from forllm_server.web.current import current
from forllm_server.web.forms import Form
from forllm_server.web.fragments import page
from forllm_server.web.paging import decode_cursor, encode_cursor

blueprint = Blueprint("queue_history", __name__)

ROWS = 100
LONGEST_TEXT = 200
_BIGGEST_ID = 2**63 - 1
_FILTERS = ("status", "persona_id", "model_id", "subforum_id", "topic_id", "text")

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
    wanted = _wanted(Form(request.args.to_dict(flat=False)))
    after = decode_cursor(request.args.get("after"), int)
    with current().database.read() as connection:
        found = list_history(connection, wanted, before_id=after[0] if after else None, limit=ROWS)
        rows = list_rows(connection, found.llm_requests, now())
        topic = find_topic(connection, wanted.topic_id) if wanted.topic_id else None
        choices = _choices(connection)
        counts = count_by_status(connection)
    return page(
        "queue/history.html",
        rows=rows,
        next_url=_next_url(found.next_id),
        is_first=after is None,
        is_filtered=any(request.args.get(name) for name in _FILTERS),
        topic=topic,
        chosen=request.args,
        choices=choices,
        counts=counts,
    )


def _wanted(form: Form) -> HistoryFilter:
    status = form.choice("status", [value for value, _ in STATUS_WORDS], default="")
    return HistoryFilter(
        statuses=[Status(status)] if status else (),
        subforum_id=form.integer("subforum_id", least=1, most=_BIGGEST_ID),
        topic_id=form.integer("topic_id", least=1, most=_BIGGEST_ID),
        persona_id=form.integer("persona_id", least=1, most=_BIGGEST_ID),
        model_id=form.integer("model_id", least=1, most=_BIGGEST_ID),
        text=form.text("text", longest=LONGEST_TEXT).strip(),
    )


def _choices(connection: Connection) -> dict[str, list[tuple[str, str]]]:
    models = list_models(connection)
    return {
        "status": list(STATUS_WORDS),
        "persona_id": [("", "any"), *((str(each.id), each.name) for each in list_personas(connection))],
        "model_id": [("", "any"), *((str(each.model.id), _model_choice(each)) for each in models)],
        "subforum_id": [("", "any"), *((str(each.id), each.name) for each in list_subforums(connection))],
    }


def _next_url(last_id: int | None) -> str:
    if last_id is None:
        return ""
    kept = {name: request.args[name] for name in _FILTERS if request.args.get(name)}
    return "/queue/history?" + urlencode(kept | {"after": encode_cursor(last_id)})


def _model_choice(listed: ListedModel) -> str:
    return f"{model_words(listed.model.name)} on {listed.backend_name}"
