"""What a person does to the queue from its page: one request, many at once, their order, pausing and resuming."""

from collections.abc import Callable, Sequence
from datetime import datetime

from flask import Blueprint, Response, render_template
from sqlalchemy import Connection

from forllm_server.clock import now
from forllm_server.errors import Invalid, NotFound, TooLarge
from forllm_server.pages.pausing import pause_end
from forllm_server.pages.words import counted
from forllm_server.queue import control, pausing
from forllm_server.queue.bulk import Action, Changes, change_many, requeue_many
from forllm_server.queue.llm_request_store import list_llm_requests
from forllm_server.queue.model import LlmRequest, Status
from forllm_server.queue.moving import move_llm_requests, run_llm_request_tonight, unpin_llm_request
from forllm_server.settings.values import read_settings
from forllm_server.web.current import current
from forllm_server.web.forms import Form
from forllm_server.web.fragments import is_fragment_request, notice, see_other
from forllm_server.web.redirects import safe_next

blueprint = Blueprint("queue_changes", __name__)

MOST_AT_ONCE = 1000
#: What is done to all that failed takes so many of the newest.
_FAILED_AT_ONCE = 1000
_BIGGEST_ID = 2**63 - 1
_REQUEUE = "requeue"
_DONE = {
    Action.CANCEL: "cancelled",
    Action.HOLD: "set aside",
    Action.RELEASE: "back in the queue",
    Action.RETRY: "queued again",
    Action.RUN_NOW: "to run now",
    Action.RUN_TONIGHT: "to run tonight",
    Action.UNPIN: "back where the plan puts them",
}

_Act = Callable[[Connection, int, datetime], LlmRequest]

ACTS: dict[str, _Act] = {
    "cancellation": control.cancel_llm_request,
    "retry": control.retry_llm_request,
    "hold": control.hold_llm_request,
    "release": control.release_llm_request,
    "run-now": control.run_llm_request_now,
    "run-tonight": run_llm_request_tonight,
    "unpinning": unpin_llm_request,
}


@blueprint.post("/queue/<int:llm_request_id>/<string:act>")
def change(llm_request_id: int, act: str) -> Response:
    """Cancel, retry, hold, release, run now or tonight, or take its place by hand back; then back to where it was."""
    if act not in ACTS:
        raise NotFound()
    with current().database.transaction() as connection:
        ACTS[act](connection, llm_request_id, now())
    return _done("", f"/queue/{llm_request_id}")


@blueprint.post("/queue/<int:llm_request_id>/move")
def move(llm_request_id: int) -> Response:
    """Put a request right before or behind the one named; without one at the top of its line."""
    form = Form.of_request()
    before_id = form.integer("before_id", least=1, most=_BIGGEST_ID)
    after_id = form.integer("after_id", least=1, most=_BIGGEST_ID)
    with current().database.transaction() as connection:
        move_llm_requests(connection, [llm_request_id], before_id=after_id or before_id, now=now())
        if after_id is not None:
            move_llm_requests(connection, [after_id], before_id=llm_request_id, now=now())
    return _done("", "/queue")


@blueprint.post("/queue/changes")
def change_chosen() -> Response:
    """Do the same to all that were chosen: what can be changed is, and it is told what could not."""
    form = Form.of_request()
    ids = form.integers("ids", most=_BIGGEST_ID)
    action = form.choice("action", [*Action, _REQUEUE])
    if not ids:
        raise Invalid("Nothing was chosen. Tick the requests that it is for.", field="ids")
    if len(ids) > MOST_AT_ONCE:
        raise TooLarge(f"At most {MOST_AT_ONCE:,} at once.", field="ids")
    with current().database.transaction() as connection:
        if action == _REQUEUE:
            changes, what = _requeue(connection, ids, form), "given to the other model"
        else:
            changes, what = change_many(connection, Action(action), ids, now()), _DONE[Action(action)]
    return _done(_words(changes, what), "/queue")


@blueprint.post("/queue/failed/retry")
def retry_failed() -> Response:
    """Queue everything again that failed, the newest thousand at once."""
    with current().database.transaction() as connection:
        changes = change_many(connection, Action.RETRY, _failed_ids(connection), now())
    return _done(_words(changes, "queued again"), "/queue")


@blueprint.post("/queue/failed/requeue")
def requeue_failed() -> Response:
    """Have another model answer everything that failed, the newest thousand at once."""
    form = Form.of_request()
    with current().database.transaction() as connection:
        changes = _requeue(connection, _failed_ids(connection), form)
    return _done(_words(changes, "given to the other model"), "/queue")


def _failed_ids(connection: Connection) -> list[int]:
    failed = list_llm_requests(connection, statuses=[Status.FAILED], limit=_FAILED_AT_ONCE)
    return [each.id for each in failed]


@blueprint.post("/queue/pause")
def pause() -> Response:
    """Begin nothing new, anywhere or on one backend; what runs goes on."""
    form = Form.of_request()
    length = form.choice("length", ["hour", "tomorrow", "resumed"])
    with current().database.transaction() as connection:
        at = now()
        pausing.pause(
            connection,
            backend_id=form.integer("backend_id", least=1, most=_BIGGEST_ID),
            until=pause_end(length, at, read_settings(connection).zone),
            reason=form.text("reason", longest=pausing.LONGEST_REASON).strip(),
            now=at,
        )
    return _done("Paused. What is being written goes on to its end.", "/queue")


@blueprint.post("/queue/resume")
def resume() -> Response:
    """End a pause."""
    backend_id = Form.of_request().integer("backend_id", least=1, most=_BIGGEST_ID)
    with current().database.transaction() as connection:
        was_paused = pausing.resume(connection, backend_id=backend_id)
    return _done("Resumed." if was_paused else "It was not paused any more.", "/queue")


def _requeue(connection: Connection, ids: Sequence[int], form: Form) -> Changes:
    model_id = form.integer("model_id", least=1, most=_BIGGEST_ID)
    if model_id is None:
        raise Invalid("Choose the model that shall answer.", field="model_id")
    return requeue_many(connection, ids, model_id=model_id, now=now())


def _words(changes: Changes, what: str) -> str:
    words = f"{counted(len(changes.changed), 'request')} {what}."
    if changes.refused:
        reasons = list(dict.fromkeys(changes.refused.values()))
        words += f" {len(changes.refused):,} stayed as they were: {reasons[0]}"
    return words


def _done(words: str, default: str) -> Response:
    """Back to the page; a script that did this in place is only told the words."""
    current().wake_worker()
    if is_fragment_request():
        text = render_template("queue/_said.html", words=words)
        return Response(text, content_type="text/html; charset=utf-8")
    if words:
        notice(words)
    return see_other(safe_next(Form.of_request().text("next"), default))
