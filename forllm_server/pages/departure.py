"""Leaving the forum by a link in a post: first a page that shows the true address, then the click that leaves."""

import re
from urllib.parse import quote, urlsplit

from flask import Blueprint, Response, request
from markupsafe import Markup, escape

from forllm_server.errors import Invalid
from forllm_server.markup.links import EXTERNAL_REL, host_of, normalize_link
from forllm_server.pages.frame import current_settings
from forllm_server.web.fragments import page

blueprint = Blueprint("departure", __name__)

SCHEMES = ("http", "https", "mailto", "tel", "xmpp")
LONGEST_ADDRESS = 4_000

# Rendered posts come out of the sanitiser, which writes every attribute the same way.
_LINK = re.compile(r'(<a (?:class="[^"]*" )?href=")((?:[a-z]+:|//)[^"]*)(")')


@blueprint.get("/departure")
def show() -> Response:
    """Where a link leads, in full. It redirects nowhere by itself, so it cannot be used to send people elsewhere."""
    address = request.args.get("to", "")
    if address.startswith("//"):
        address = f"https:{address}"
    scheme = address.partition(":")[0].lower()
    if scheme not in SCHEMES or len(address) > LONGEST_ADDRESS or not address.isprintable():
        raise Invalid("That is not an address that a post can link to.", field="to")
    normal = normalize_link(address)
    host = host_of(normal)
    if host == "":
        raise Invalid("The host of that address cannot be read.", field="to")
    return page(
        "departure/show.html",
        address=normal,
        host=host or scheme,
        has_user="@" in urlsplit(normal).netloc,
        is_secure=scheme != "http",
        rel=EXTERNAL_REL,
    )


@blueprint.app_template_filter("with_departures")
def with_departures(html: str | None) -> Markup:
    """A rendered post in which every link that leaves the forum leads to the page above first, if that is wished."""
    text = html or ""
    if current_settings().shows_link_warning:
        text = _LINK.sub(lambda found: f"{found[1]}/departure?to={_address_of(found[2])}{found[3]}", text)
    return Markup(text)


def _address_of(escaped: str) -> str:
    return str(escape(quote(Markup(escaped).unescape(), safe="")))
