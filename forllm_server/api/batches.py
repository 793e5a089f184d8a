"""``/api/v1/batches``: a table asked line by line of several personas and models."""

from typing import Any

from flask import Response
from sqlalchemy import Connection

from forllm_server.api.contract import Noun, listing, page_of
from forllm_server.api.contract import PageQuery as Page
from forllm_server.api.creating import IDEMPOTENCY_KEY, create
from forllm_server.api.schemas_batch import (
    BatchIn,
    BatchOut,
    BatchWithProgressOut,
    ExportQuery,
    LineOut,
    LinesQuery,
    RetriedOut,
)
from forllm_server.batches import batch_store, cell_store
from forllm_server.batches.checks import new_check
from forllm_server.batches.exporting import MEDIA_TYPES, ExportFormat
from forllm_server.batches.making import BatchDraft
from forllm_server.batches.model import Batch, Place
from forllm_server.batches.reading import Format, read_table
from forllm_server.clock import now
from forllm_server.jobs import batches as rules
from forllm_server.jobs.batch_forecast import foretell_batch
from forllm_server.jobs.batch_lines import list_shown_lines, pieces_of
from forllm_server.web.current import current, current_user_id
from forllm_server.web.paging import decode_cursor

blueprint = Noun("Batches", "A table asked line by line of several personas and models.")


@blueprint.route("/batches", methods=["GET"])
@blueprint.arguments(Page, location="query")
@blueprint.response(200, listing(BatchOut))
def show_list(query: dict[str, Any]) -> dict[str, Any]:
    """List the batches, the newest first."""
    cursor = decode_cursor(query.get("after"), int)
    limit = query["limit"]
    with current().database.read() as connection:
        found = batch_store.list_batches(connection, before_id=cursor[0] if cursor else None, limit=limit + 1)
    return page_of(found, limit, lambda batch: (batch.id,))


@blueprint.route("/batches", methods=["POST"])
@blueprint.arguments(BatchIn)
@blueprint.response(201, BatchWithProgressOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def add(values: dict[str, Any]) -> Response:
    """Take a table and ask its first lines; the others follow a part at a time."""
    draft = _draft(values)

    def work(connection: Connection) -> Any:
        batch = rules.create_batch(connection, draft, owner_id=current_user_id(), now=now())
        return BatchWithProgressOut().dump(_with_progress(connection, batch))

    return create(work, location="/api/v1/batches/{id}")


@blueprint.route("/batches/<int:batch_id>", methods=["GET"])
@blueprint.response(200, BatchWithProgressOut)
def show(batch_id: int) -> dict[str, Any]:
    """Read one batch, and how far it is."""
    with current().database.read() as connection:
        return _with_progress(connection, batch_store.get_batch(connection, batch_id))


@blueprint.route("/batches/<int:batch_id>", methods=["DELETE"])
@blueprint.response(204)
def delete(batch_id: int) -> str:
    """Delete a batch and call off what waits of it. Its topics and answers stay."""
    with current().database.transaction() as connection:
        rules.delete_batch(connection, batch_id, now())
    return ""


@blueprint.route("/batches/<int:batch_id>/pause", methods=["POST"])
@blueprint.response(200, BatchWithProgressOut)
def pause(batch_id: int) -> dict[str, Any]:
    """Hold what waits of it, and ask nothing more until it is resumed."""
    with current().database.transaction() as connection:
        return _with_progress(connection, rules.pause_batch(connection, batch_id, now()))


@blueprint.route("/batches/<int:batch_id>/resumption", methods=["POST"])
@blueprint.response(200, BatchWithProgressOut)
def resume(batch_id: int) -> dict[str, Any]:
    """Go on with a paused batch."""
    with current().database.transaction() as connection:
        found = _with_progress(connection, rules.resume_batch(connection, batch_id, now()))
    current().wake_worker()
    return found


@blueprint.route("/batches/<int:batch_id>/cancellation", methods=["POST"])
@blueprint.response(200, BatchWithProgressOut)
def cancel(batch_id: int) -> dict[str, Any]:
    """Call all of it off. The answers stay."""
    with current().database.transaction() as connection:
        return _with_progress(connection, rules.cancel_batch(connection, batch_id, now()))


@blueprint.route("/batches/<int:batch_id>/retries", methods=["POST"])
@blueprint.response(200, RetriedOut)
def retry(batch_id: int) -> dict[str, int]:
    """Have failed cells tried again, 1,000 at most."""
    with current().database.transaction() as connection:
        retried = rules.retry_failed(connection, batch_id, now())
    current().wake_worker()
    return {"retried": retried}


@blueprint.route("/batches/<int:batch_id>/lines", methods=["GET"])
@blueprint.arguments(LinesQuery, location="query")
@blueprint.response(200, listing(LineOut))
def show_lines(query: dict[str, Any], batch_id: int) -> dict[str, Any]:
    """List the lines with their cells and answers, in their order."""
    cursor = decode_cursor(query.get("after"), int)
    limit = query["limit"]
    with current().database.read() as connection:
        batch = batch_store.get_batch(connection, batch_id)
        found = list_shown_lines(
            connection, batch, shown=query["show"], after=cursor[0] if cursor else 0, limit=limit + 1
        )
    rows = [
        {
            "number": each.line.number,
            "values": dict(zip(batch.columns, each.line.values, strict=True)),
            "post_id": each.line.post_id,
            "cells": list(each.cells.values()),
        }
        for each in found
    ]
    return page_of(rows, limit, lambda row: (row["number"],))


@blueprint.route("/batches/<int:batch_id>/export", methods=["GET"])
@blueprint.arguments(ExportQuery, location="query")
@blueprint.doc(
    responses={
        "200": {
            "description": "The file.",
            "content": {kind.partition(";")[0]: {"schema": {"type": "string"}} for kind in MEDIA_TYPES.values()},
        }
    }
)
def export(query: dict[str, Any], batch_id: int) -> Response:
    """Download a batch as CSV, JSON Lines or a Markdown table."""
    form = ExportFormat(query["format"])
    read = current().database.read
    with read() as connection:
        batch = batch_store.get_batch(connection, batch_id)
    return Response(pieces_of(read, batch, form), content_type=MEDIA_TYPES[form])


def _with_progress(connection: Connection, batch: Batch) -> dict[str, Any]:
    progress = cell_store.read_progress(connection, batch)
    foretold = foretell_batch(connection, batch, progress, now())
    return vars(batch) | {
        "progress": progress,
        "machine_seconds": foretold.machine_seconds if foretold else None,
        "done_by": foretold.done_by if foretold else None,
    }


def _draft(values: dict[str, Any]) -> BatchDraft:
    table = read_table(values.pop("text"), Format(values.pop("format")))
    checks = tuple(new_check(check["kind"], check["value"]) for check in values.pop("checks"))
    return BatchDraft(
        table=table,
        checks=checks,
        place=Place(values.pop("place")),
        persona_ids=tuple(values.pop("persona_ids")),
        model_ids=tuple(values.pop("model_ids")),
        **values,
    )
