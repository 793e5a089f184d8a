"""One template, two answers: the whole page, or one block of it for a page that is already open."""

from collections.abc import Iterator
from typing import Any

from flask import (
    Response,
    before_render_template,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
)

#: A notice travels in the session cookie, which has to stay small.
_LONGEST_NOTICE = 500


def page(template: str, *, block: str | None = None, status: int = 200, **context: Any) -> Response:
    """``template`` with ``context``: whole, or only its ``block`` when the request asks for a fragment."""
    if block is not None and is_fragment_request():
        text = render_block(template, block, **context)
    else:
        text = render_template(template, **context)
    response = make_response(text, status)
    response.vary.add("HX-Request")
    return response


def is_fragment_request() -> bool:
    """Whether a script asks for a part to put into its page.

    A boosted link and the restoring of a page from the history take the whole page.
    """
    headers = request.headers
    is_whole = headers.get("HX-Boosted") == "true" or headers.get("HX-History-Restore-Request") == "true"
    return headers.get("HX-Request") == "true" and not is_whole


def render_block(template: str, block: str, **context: Any) -> str:
    """The text of one ``block`` of ``template``. Raises ``KeyError`` when there is no such block."""
    current_app.update_template_context(context)
    loaded = current_app.jinja_env.get_template(template)
    # As for a whole page: what is read for all lists of topics stands in their blocks, too.
    before_render_template.send(current_app.jinja_env.app, template=loaded, context=context)
    values = loaded.new_context(context)
    # The first step of the whole template runs what stands outside of blocks: imports, and the layout's blocks.
    # Nothing of its output is used.
    outside: Iterator[str] = loaded.root_render_func(values)
    next(outside, None)
    return "".join(loaded.blocks[block](values))


def see_other(url: str) -> Response:
    """What follows a successful form post: go and read ``url`` (303), so that a reload does not post again."""
    response = make_response(redirect(url, 303))
    response.vary.add("HX-Request")
    return response


def notice(text: str, *, kind: str = "done", undo: str = "") -> None:
    """Show ``text`` on the next page. ``kind`` is ``done``, ``asked``, ``warning`` or ``error``; ``asked`` is of
    replies that are to come, and goes by itself when they are there.

    ``undo`` is the address that takes back what was done: a button that posts to it stands beside the text.
    """
    flash(text[:_LONGEST_NOTICE], f"{kind} {undo}".rstrip())
