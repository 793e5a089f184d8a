"""The queue: what runs and comes next, what needs a person, what was, and the exact prompt of every LLM request."""

from typing import Any

from flask import Blueprint, Response, render_template, request
from sqlalchemy import Connection

from forllm_server.catalog.model_store import list_models
from forllm_server.clock import now
from forllm_server.errors import Invalid
from forllm_server.jobs.partial_reply import may_post_partial
from forllm_server.pages.acts import acts_of
from forllm_server.pages.needs import needs_of
from forllm_server.pages.pausing import pause_choices
from forllm_server.pages.plan_reading import (
    Evening,
    Stretch,
    list_posts,
    list_rows,
    read_evening,
    read_running,
    read_stretch,
)
from forllm_server.pages.timeline import timeline
from forllm_server.queue.chunk_store import find_partial
from forllm_server.queue.estimate_store import find_estimate
from forllm_server.queue.event_store import list_events
from forllm_server.queue.llm_request_store import count_by_status, get_llm_request, list_llm_requests
from forllm_server.queue.model import Status
from forllm_server.queue.plan import LONGEST_PLAN
from forllm_server.queue.prompt_store import find_prompt
from forllm_server.queue.version_store import WHOLE_QUEUE, get_versions
from forllm_server.settings.values import read_settings
from forllm_server.web.current import current
from forllm_server.web.etag import unchanged, with_version
from forllm_server.web.forms import Form
from forllm_server.web.fragments import page, see_other
from forllm_server.web.paging import decode_cursor, encode_cursor

blueprint = Blueprint("queue", __name__)
blueprint.add_app_template_global(acts_of)

FAILED_ROWS = 100
_BIGGEST_ID = 2**63 - 1
#: Lists that have become filters of the history; their old addresses still lead there.
_MOVED = {"done": "succeeded", "cancelled": "cancelled", "waiting": "waiting"}


@blueprint.get("/queue")
def show() -> Response:
    """The evening: the plan in the order of work; or with ``show=failed`` all that needs a person.

    With ``backend_id`` and ``first`` the line of that backend goes on from that place.
    """
    shown = request.args.get("show", "plan")
    if "backend_id" in request.args:
        return _show_stretch()
    if shown in _MOVED:
        return see_other(f"/queue/history?status={_MOVED[shown]}")
    if shown == "failed":
        return _show_failed()
    if shown != "plan":
        raise Invalid("There is no such list. Choose one of: plan, failed.", field="show")
    with current().database.read() as connection:
        known, tag = _tags(connection)
        evening = read_evening(connection, now())
        zone = read_settings(connection).zone
    return page(
        "queue/show.html", known=known, tag=tag, evening=evening, pace=_pace(evening), pauses=pause_choices(now(), zone)
    )


@blueprint.get("/queue/updates")
def show_updates() -> Response:
    """What is different on an open page: 304 when nothing is, at the cost of two small reads.

    ``known`` says from which state the page was drawn: while only the texts being written grow, only they are sent.
    """
    with current().database.read() as connection:
        known, tag = _tags(connection)
    return unchanged(tag) or with_version(_updates(known), tag)


@blueprint.get("/queue/<int:llm_request_id>")
def show_llm_request(llm_request_id: int) -> Response:
    """One LLM request: where it stands, what happened to it, where its tokens went, and the exact prompt."""
    with current().database.read() as connection:
        llm_request = get_llm_request(connection, llm_request_id)
        (row,) = list_rows(connection, [llm_request], now())
        prompt = find_prompt(connection, llm_request_id)
        partial = find_partial(connection, llm_request_id)
        omitted = list_posts(connection, prompt.breakdown.get("omitted_post_ids", []) if prompt else [])
        steps = timeline(list_events(connection, llm_request_id))
        foretold = find_estimate(connection, llm_request_id)
    return page(
        "queue/llm_request.html",
        llm_request=llm_request,
        row=row,
        prompt=prompt,
        partial=partial,
        may_post_partial=may_post_partial(llm_request, partial),
        omitted=omitted,
        steps=steps,
        foretold=foretold,
    )


def _show_stretch() -> Response:
    with current().database.read() as connection:
        known, tag = _tags(connection)
        stretch = _read_stretch(connection)
    return page("queue/stretch.html", known=known, tag=tag, stretch=stretch)


def _read_stretch(connection: Connection) -> Stretch:
    form = Form(request.args.to_dict(flat=False))
    backend_id = form.integer("backend_id", least=1, most=_BIGGEST_ID)
    if backend_id is None:
        raise Invalid("Say whose line it is.", field="backend_id")
    first = form.integer("first", least=1, most=LONGEST_PLAN)
    return read_stretch(connection, backend_id, first or 1, now())


def _show_failed() -> Response:
    before = decode_cursor(request.args.get("after"), int)
    with current().database.read() as connection:
        found = list_llm_requests(
            connection, statuses=[Status.FAILED], before_id=before[0] if before else None, limit=FAILED_ROWS + 1
        )
        rows = list_rows(connection, found[:FAILED_ROWS], now())
        counts = count_by_status(connection)
        models = list_models(connection)
    return page(
        "queue/failed.html",
        needs=needs_of(rows),
        counts=counts,
        models=models,
        next_cursor=encode_cursor(found[FAILED_ROWS - 1].id) if len(found) > FAILED_ROWS else "",
    )


def _tags(connection: Connection) -> tuple[str, str]:
    """(the state of all but the texts being written, the state of everything).

    Forecasts and words like "in 3 h 12" grow old by themselves: each minute counts as a change.
    """
    _, version = get_versions(connection, WHOLE_QUEUE)
    known = f"{version}.{int(now().timestamp()) // 60}"
    running = list_llm_requests(connection, statuses=[Status.RUNNING], limit=FAILED_ROWS)
    written = sum(each.output_tokens for each in running)
    begun = sum(each.first_token_at is not None for each in running)
    return known, f"{known}.{len(running)}.{begun}.{written}"


def _updates(known: str) -> Response:
    values: dict[str, Any] = {"known": known, "is_known": request.args.get("known") == known}
    with current().database.read() as connection:
        if "backend_id" in request.args:
            values |= {"stretch": _read_stretch(connection)}
        elif values["is_known"]:
            values |= {"running": read_running(connection, now()), "pace": "running"}
        else:
            evening = read_evening(connection, now())
            pauses = pause_choices(now(), read_settings(connection).zone)
            values |= {"evening": evening, "running": evening.running, "pace": _pace(evening), "pauses": pauses}
    template = "queue/_stretch_updates.html" if "stretch" in values else "queue/_updates.html"
    return Response(render_template(template, **values), content_type="text/html; charset=utf-8")


def _pace(evening: Evening) -> str:
    """How lively the page is, for its poll: ``running``, ``waiting`` or ``idle``."""
    if evening.running:
        return "running"
    return "waiting" if evening.lines else "idle"
