"""Batches: a table pasted or uploaded, looked at, asked; its grid while it fills; its download."""

from flask import Blueprint, Response, g, request

from forllm_server.batches import batch_store
from forllm_server.batches.checks import LONGEST_VALUE, Check, CheckKind, new_check
from forllm_server.batches.exporting import MEDIA_TYPES, ExportFormat
from forllm_server.batches.making import MOST_REPEATS, BatchDraft, Prepared, prepare
from forllm_server.batches.model import Batch, Place, State
from forllm_server.batches.reading import Encoding, Format, Table, decode, format_of, read_table
from forllm_server.catalog.model_store import list_models
from forllm_server.clock import now
from forllm_server.errors import Invalid
from forllm_server.forum.subforum_store import list_subforums
from forllm_server.jobs import batches as rules
from forllm_server.jobs.batch_forecast import BatchForecast, foretell_draft
from forllm_server.jobs.batch_lines import FILTERS, pieces_of
from forllm_server.pages.batch_grid import read_grid
from forllm_server.pages.naming import model_label
from forllm_server.pages.words import counted
from forllm_server.personas.persona_store import list_personas
from forllm_server.web.current import current, current_user_id
from forllm_server.web.forms import Form, shows_again
from forllm_server.web.fragments import notice, page, see_other
from forllm_server.web.guard import LARGEST_BODY_BYTES

blueprint = Blueprint("batch", __name__)

LIST = "/batches"
PER_PAGE = 50
PREVIEWED_LINES = 20
OWN_MODEL = "own"
_BIGGEST_ID = 2**63 - 1

FORMAT_WORDS = (
    ("", "by the file’s name, else one question a line"),
    (Format.LINES.value, "one question a line"),
    (Format.CSV.value, "CSV, with the names of the columns first"),
    (Format.TSV.value, "TSV, with the names of the columns first"),
    (Format.JSONL.value, "JSON Lines"),
    (Format.MARKDOWN.value, "a Markdown list"),
)
ENCODING_WORDS = (
    (Encoding.AUTO.value, "as its first bytes say, else UTF-8"),
    (Encoding.UTF_8.value, "UTF-8"),
    (Encoding.UTF_16.value, "UTF-16"),
    (Encoding.LATIN_1.value, "Latin-1"),
)
PLACE_WORDS = ((Place.GRID.value, "in one topic, a post each"), (Place.TOPICS.value, "in a topic each"))


@blueprint.get(LIST)
def show_list() -> Response:
    """All batches, the newest first."""
    before_id = Form(request.args.to_dict(flat=False)).integer("before", least=1, most=_BIGGEST_ID)
    with current().database.read() as connection:
        found = batch_store.list_batches(connection, before_id=before_id, limit=PER_PAGE + 1)
    following = f"{LIST}?before={found[PER_PAGE - 1].id}" if len(found) > PER_PAGE else ""
    return page("batch/list.html", batches=found[:PER_PAGE], next=following, state_words=state_words)


@blueprint.get(f"{LIST}/new")
def show_new() -> Response:
    """The form of a new one."""
    return _form_page()


@blueprint.post(f"{LIST}/preview")
@shows_again(show_new)
def preview() -> Response:
    """What would be asked; nothing is created."""
    draft = _draft(Form.of_request())
    prepared = prepare(draft)
    with current().database.read() as connection:
        foretold = foretell_draft(connection, draft, prepared, now())
    return _form_page(draft=draft, prepared=prepared, foretold=foretold)


@blueprint.post(f"{LIST}/new")
@shows_again(show_new)
def create() -> Response:
    """Make one, and ask its first lines."""
    draft = _draft(Form.of_request())
    with current().database.transaction() as connection:
        batch = rules.create_batch(connection, draft, owner_id=current_user_id(), now=now())
    current().wake_worker()
    notice(f"“{batch.title}”: {counted(batch.cell_count, 'answer')} to come.")
    return see_other(f"{LIST}/{batch.id}")


@blueprint.get(f"{LIST}/<int:batch_id>")
def show(batch_id: int) -> Response:
    """The grid: its lines from ``?after=`` on, perhaps only those in the state ``?show=``."""
    form = Form(request.args.to_dict(flat=False))
    shown = form.choice("show", FILTERS, default="all")
    after = form.integer("after", default=0) or 0
    with current().database.read() as connection:
        batch = batch_store.get_batch(connection, batch_id)
        grid = read_grid(connection, batch, shown=shown, after=after, now=now())
    return page("batch/show.html", block="content", batch=batch, grid=grid, filters=FILTERS, state_words=state_words)


@blueprint.post(f"{LIST}/<int:batch_id>/pause")
def pause(batch_id: int) -> Response:
    """Hold what waits of it, and ask nothing more for now."""
    with current().database.transaction() as connection:
        rules.pause_batch(connection, batch_id, now())
    notice("The batch is paused.")
    return see_other(f"{LIST}/{batch_id}")


@blueprint.post(f"{LIST}/<int:batch_id>/resume")
def resume(batch_id: int) -> Response:
    """Go on."""
    with current().database.transaction() as connection:
        rules.resume_batch(connection, batch_id, now())
    current().wake_worker()
    notice("The batch goes on.")
    return see_other(f"{LIST}/{batch_id}")


@blueprint.post(f"{LIST}/<int:batch_id>/cancellation")
def cancel(batch_id: int) -> Response:
    """Call all of it off."""
    with current().database.transaction() as connection:
        rules.cancel_batch(connection, batch_id, now())
    notice("The batch is cancelled. What was answered stays.")
    return see_other(f"{LIST}/{batch_id}")


@blueprint.post(f"{LIST}/<int:batch_id>/retries")
def retry(batch_id: int) -> Response:
    """Have failed cells tried again."""
    with current().database.transaction() as connection:
        number = rules.retry_failed(connection, batch_id, now())
    current().wake_worker()
    notice(f"{counted(number, 'answer is', 'answers are')} tried again.")
    return see_other(f"{LIST}/{batch_id}")


@blueprint.get(f"{LIST}/<int:batch_id>/delete")
def show_delete(batch_id: int) -> Response:
    """Ask before deleting one."""
    with current().database.read() as connection:
        batch = batch_store.get_batch(connection, batch_id)
    return page("batch/delete.html", batch=batch)


@blueprint.post(f"{LIST}/<int:batch_id>/delete")
def delete(batch_id: int) -> Response:
    """Delete one. Its topics and answers stay."""
    with current().database.transaction() as connection:
        rules.delete_batch(connection, batch_id, now())
    notice("The batch was deleted. Its topics and answers are still there.")
    return see_other(LIST)


@blueprint.get(f"{LIST}/<int:batch_id>/export")
def export(batch_id: int) -> Response:
    """Download it as ``?format=`` csv, jsonl or md."""
    chosen = Form(request.args.to_dict(flat=False)).choice("format", list(ExportFormat), default=ExportFormat.CSV.value)
    form = ExportFormat(chosen)
    read = current().database.read
    with read() as connection:
        batch = batch_store.get_batch(connection, batch_id)
    response = Response(pieces_of(read, batch, form), content_type=MEDIA_TYPES[form])
    response.headers["Content-Disposition"] = f'attachment; filename="batch-{batch_id}.{form.value}"'
    return response


def state_words(batch: Batch) -> str:
    """Where a batch stands, in a word or two."""
    if batch.state is State.CANCELLED:
        return "cancelled"
    if batch.finished_at is not None:
        return "finished"
    if batch.state is State.PAUSED:
        return "paused"
    return "being asked" if batch.asked_count < batch.line_count else "all asked"


def _form_page(
    *, draft: BatchDraft | None = None, prepared: Prepared | None = None, foretold: BatchForecast | None = None
) -> Response:
    with current().database.read() as connection:
        subforums = [(subforum.id, subforum.name) for subforum in list_subforums(connection)]
        personas = [(str(each.id), f"{each.name} v{each.version.number}") for each in list_personas(connection)]
        models = [(str(each.model.id), model_label(each)) for each in list_models(connection, is_available=True)]
    return page(
        "batch/new.html",
        draft=draft,
        prepared=prepared,
        foretold=foretold,
        previewed_lines=PREVIEWED_LINES,
        subforums=subforums,
        personas=personas,
        models=[(OWN_MODEL, "each persona’s own, else the forum’s"), *models],
        formats=FORMAT_WORDS,
        encodings=ENCODING_WORDS,
        places=PLACE_WORDS,
        most_repeats=MOST_REPEATS,
        largest=LARGEST_BODY_BYTES // 2**20,
        text=g.get("batch_text", request.form.get("text", "")),
        text_format=g.get("batch_format", request.form.get("format", "")),
    )


def _draft(form: Form) -> BatchDraft:
    table = _table(form)
    template = form.text("template")
    if not template.strip() and len(table.columns) == 1:
        template = f"{{{{{table.columns[0]}}}}}"
    return BatchDraft(
        subforum_id=form.integer("subforum_id", least=1, most=_BIGGEST_ID) or 0,
        title=form.text("title", longest=1_000).strip(),
        template=template,
        table=table,
        persona_ids=tuple(form.integers("persona_ids", most=_BIGGEST_ID)),
        model_ids=_model_ids(form),
        repeats=form.integer("repeats", least=1, most=MOST_REPEATS, default=1) or 1,
        place=Place(form.choice("place", list(Place), default=Place.GRID.value)),
        checks=tuple(_checks(form)),
        judge_persona_id=form.integer("judge_persona_id", least=1, most=_BIGGEST_ID),
        rubric=form.text("rubric"),
        is_run_now=form.flag("is_run_now"),
        is_each_once=form.flag("is_each_once"),
    )


def _table(form: Form) -> Table:
    """Of the file if there is one, else of the text. What a file held stands in the text field from then on."""
    chosen = form.choice("format", ["", *Format])
    file = request.files.get("file")
    if file is not None and file.filename:
        encoding = Encoding(form.choice("encoding", list(Encoding), default=Encoding.AUTO.value))
        text = decode(file.read(), encoding)
        text_format = Format(chosen) if chosen else format_of(file.filename)
        g.batch_text, g.batch_format = text.replace("\0", "\ufffd"), text_format.value
        return read_table(text, text_format)
    text = form.text("text", longest=LARGEST_BODY_BYTES)
    if not text.strip():
        raise Invalid("Paste some lines, or choose a file.", field="text")
    return read_table(text, Format(chosen) if chosen else Format.LINES)


def _model_ids(form: Form) -> tuple[int | None, ...]:
    words = form.words("model_ids")
    named = Form({"model_ids": [word for word in words if word != OWN_MODEL]}).integers("model_ids", most=_BIGGEST_ID)
    return (None, *named) if OWN_MODEL in words else tuple(named)


def _checks(form: Form) -> list[Check]:
    checks = []
    for kind in CheckKind:
        value = form.text(f"check_{kind.value}", longest=LONGEST_VALUE)
        if value.strip() and kind is not CheckKind.JSON:
            checks.append(new_check(kind.value, value))
    if form.flag("check_json") or form.text("check_members", longest=2_000).strip():
        checks.append(new_check(CheckKind.JSON.value, form.text("check_members", longest=2_000)))
    return checks
