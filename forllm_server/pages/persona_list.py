"""The list of personas: where each is used, how it has done lately, its tags; searched, and filtered by a tag."""

from datetime import timedelta
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from forllm_server.catalog.model_store import list_models
from forllm_server.clock import now
from forllm_server.pages.naming import model_label
from forllm_server.pages.words import counted
from forllm_server.personas.draft_store import count_open_drafts
from forllm_server.personas.model import Results
from forllm_server.personas.overview_store import list_overviews
from forllm_server.personas.persona_store import count_personas, list_personas
from forllm_server.personas.tag_store import list_tags
from forllm_server.schedule.words import took_words
from forllm_server.settings.values import read_settings
from forllm_server.web.current import current
from forllm_server.web.forms import Form
from forllm_server.web.fragments import page
from forllm_server.web.paging import decode_cursor, encode_cursor

blueprint = Blueprint("persona_list", __name__)

ROWS = 50
#: How far back results are looked for.
LATELY = timedelta(days=30)
LONGEST_TEXT = 200


@blueprint.get("/personas")
def show() -> Response:
    """A page of the personas; ``after`` says where it goes on."""
    form = Form(request.args.to_dict(flat=False))
    text, tag = form.text("text", longest=LONGEST_TEXT).strip(), form.text("tag", longest=LONGEST_TEXT).strip()
    after = decode_cursor(request.args.get("after"), int)
    with current().database.read() as connection:
        after_id = after[0] if after else 0
        found = list_personas(connection, limit=ROWS + 1, after_id=after_id, words=text.split(), tag=tag)
        overviews = list_overviews(connection, found[:ROWS], since=now() - LATELY)
        tags = list_tags(connection)
        total = count_personas(connection)
        default_id = read_settings(connection).default_persona_id
        draft_count = count_open_drafts(connection)
        models = {listed.model.id: model_label(listed) for listed in list_models(connection)}
    return page(
        "persona/list.html",
        overviews=overviews,
        tags=tags,
        total=total,
        draft_count=draft_count,
        text=text,
        tag=tag,
        default_id=default_id,
        models=models,
        is_first=after is None,
        next_url=_url(text, tag, found[ROWS - 1].id) if len(found) > ROWS else "",
        first_url=_url(text, tag),
        result_words=result_words,
    )


def result_words(results: Results) -> list[str]:
    """``12 replies in 30 days``, ``1 failed``, ``median 40 s``, ``3 votes for, 1 against``; empty without any."""
    words = []
    if results.answered or results.failed:
        words.append(f"{counted(results.answered, 'reply', 'replies')} in {LATELY.days} days")
    if results.failed:
        words.append(f"{results.failed:,} failed")
    if results.median_seconds is not None:
        words.append(f"median {took_words(results.median_seconds)}")
    if results.votes_up or results.votes_down:
        words.append(f"{counted(results.votes_up, 'vote')} for, {results.votes_down:,} against")
    return words


def _url(text: str, tag: str, last_id: int | None = None) -> str:
    kept = {name: value for name, value in (("text", text), ("tag", tag)) if value}
    if last_id is not None:
        kept["after"] = encode_cursor(last_id)
    return "/personas?" + urlencode(kept) if kept else "/personas"
