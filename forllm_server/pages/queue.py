"""The queue: what runs and comes next, what needs a person, and the exact prompt of every LLM request."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from forllm_server.catalog.backend_store import list_backends
from forllm_server.clock import now
from forllm_server.errors import Invalid, NotFound
from forllm_server.forum import post_store
from forllm_server.forum.model import Post
from forllm_server.jobs.standing import list_standings
from forllm_server.pages.acts import acts_of
from forllm_server.pages.plan import PlanRow, group_plan, model_parts
from forllm_server.personas.version_store import list_versions_by_ids
from forllm_server.queue import control
from forllm_server.queue.chunk_store import find_partial
from forllm_server.queue.llm_request_store import count_by_status, get_llm_request, list_llm_requests, list_plan
from forllm_server.queue.model import LlmRequest, Status
from forllm_server.queue.prompt_store import find_prompt
from forllm_server.schedule.gate import read_gate
from forllm_server.settings.values import read_settings
from forllm_server.web.current import current
from forllm_server.web.forms import Form
from forllm_server.web.fragments import notice, page, see_other
from forllm_server.web.paging import decode_cursor, encode_cursor
from forllm_server.web.redirects import safe_next

blueprint = Blueprint("queue", __name__)
blueprint.add_app_template_global(acts_of)

ROWS = 100

#: The lists of the page: what ``show`` may be, its label, and the states it holds. "plan" is in the order of work.
LISTS: dict[str, tuple[str, tuple[Status, ...]]] = {
    "plan": ("Next", (Status.RUNNING, Status.QUEUED)),
    "waiting": ("Waiting and held", (Status.WAITING, Status.HELD)),
    "failed": ("Needs you", (Status.FAILED,)),
    "done": ("Answered", (Status.SUCCEEDED,)),
    "cancelled": ("Cancelled", (Status.CANCELLED,)),
}

_Act = Callable[[Connection, int, datetime], LlmRequest]


def _hold(connection: Connection, llm_request_id: int, _now: datetime) -> LlmRequest:
    return control.hold_llm_request(connection, llm_request_id)


ACTS: dict[str, _Act] = {
    "cancellation": control.cancel_llm_request,
    "retry": control.retry_llm_request,
    "hold": _hold,
    "release": control.release_llm_request,
    "run-now": control.run_llm_request_now,
}


@blueprint.get("/queue")
def show() -> Response:
    """A list of LLM requests: the plan in the order of work, or one sort of state, newest first."""
    shown = request.args.get("show", "plan")
    if shown not in LISTS:
        raise Invalid("There is no such list. Choose one of: " + ", ".join(LISTS) + ".", field="show")
    with current().database.read() as connection:
        counts = count_by_status(connection)
        found = _list(connection, shown)
        rows = _rows(connection, found[:ROWS])
        gate = read_gate(connection, now(), read_settings(connection).zone)
    return page(
        "queue/show.html",
        block="list",
        shown=shown,
        lists=[(key, label, sum(counts.get(s, 0) for s in states)) for key, (label, states) in LISTS.items()],
        groups=group_plan(rows) if shown == "plan" else [("", rows)],
        parts=model_parts(rows) if shown == "plan" else [],
        has_rows=bool(rows),
        next_cursor=encode_cursor(found[ROWS - 1].id) if len(found) > ROWS and shown != "plan" else "",
        more_count=max(0, counts.get(Status.QUEUED, 0) + counts.get(Status.RUNNING, 0) - len(rows)),
        counts={status.value: counts.get(status, 0) for status in Status},
        gate_words=gate.words(),
        is_open=gate.is_open(),
    )


@blueprint.get("/queue/<int:llm_request_id>")
def show_llm_request(llm_request_id: int) -> Response:
    """One LLM request: where it stands, where its tokens went, and the exact prompt."""
    with current().database.read() as connection:
        llm_request = get_llm_request(connection, llm_request_id)
        (row,) = _rows(connection, [llm_request])
        prompt = find_prompt(connection, llm_request_id)
        partial = find_partial(connection, llm_request_id)
        omitted = _posts(connection, prompt.breakdown.get("omitted_post_ids", []) if prompt else [])
    return page(
        "queue/llm_request.html", llm_request=llm_request, row=row, prompt=prompt, partial=partial, omitted=omitted
    )


@blueprint.post("/queue/<int:llm_request_id>/<string:act>")
def change(llm_request_id: int, act: str) -> Response:
    """Cancel, retry, hold, release or run now; then back to where it was done."""
    if act not in ACTS:
        raise NotFound()
    with current().database.transaction() as connection:
        ACTS[act](connection, llm_request_id, now())
    current().wake_worker()
    return see_other(safe_next(Form.of_request().text("next"), f"/queue/{llm_request_id}"))


@blueprint.post("/queue/failed/retry")
def retry_failed() -> Response:
    """Queue everything again that failed, the newest hundred at once."""
    with current().database.transaction() as connection:
        failed = list_llm_requests(connection, statuses=[Status.FAILED], limit=ROWS)
        for llm_request in failed:
            control.retry_llm_request(connection, llm_request.id, now())
    current().wake_worker()
    notice(f"Queued again: {len(failed):,}.")
    return see_other("/queue")


def _list(connection: Connection, shown: str) -> list[LlmRequest]:
    if shown == "plan":
        return list_plan(connection, limit=ROWS)
    before = decode_cursor(request.args.get("after"), int)
    return list_llm_requests(
        connection, statuses=LISTS[shown][1], before_id=before[0] if before else None, limit=ROWS + 1
    )


def _rows(connection: Connection, found: list[LlmRequest]) -> list[PlanRow]:
    standings = list_standings(connection, found, now())
    versions = _by_id(list_versions_by_ids(connection, {r.persona_version_id for r in found if r.persona_version_id}))
    posts = _posts(connection, [r.post_id for r in found if r.post_id is not None])
    backends = _by_id(list_backends(connection))
    return [
        PlanRow(
            llm_request=r,
            standing=standings[r.id],
            version=versions.get(r.persona_version_id),
            post=posts.get(r.post_id or 0),
            backend_name=backends[r.backend_id].name if r.backend_id in backends else "",
        )
        for r in found
    ]


def _by_id(items: list[Any]) -> dict[Any, Any]:
    return {item.id: item for item in items}


def _posts(connection: Connection, post_ids: list[int]) -> dict[int, Post]:
    return _by_id(post_store.list_posts(connection, post_ids)) if post_ids else {}
