"""Being told: channels with their deliveries, the feeds' private address, and what the open page asks for."""

from typing import Any

from flask import Blueprint, Response, render_template, request
from markupsafe import Markup

from forllm_server.clock import now
from forllm_server.errors import Invalid
from forllm_server.morning.feed_store import list_news
from forllm_server.notify import channel_store, delivery_store
from forllm_server.notify.channels import add_channel, change_channel, delete_channel
from forllm_server.notify.delivering import send_test, try_again
from forllm_server.notify.feed_tokens import find_token, remove_token, renew_token
from forllm_server.notify.model import ChannelKind, Delivery, DeliveryStatus
from forllm_server.notify.options import SECURITIES
from forllm_server.notify.wording import BODY, PLACEHOLDERS, SUBJECT
from forllm_server.pages.database import database
from forllm_server.web.current import current, current_user_id
from forllm_server.web.etag import unchanged, with_version
from forllm_server.web.forms import Form, shows_again
from forllm_server.web.fragments import notice, page, see_other

blueprint = Blueprint("notification", __name__)

KIND_WORDS = {
    ChannelKind.NTFY: "ntfy: a message on a phone",
    ChannelKind.EMAIL: "E-mail",
    ChannelKind.WEBHOOK: "Webhook: JSON to an address",
}
SECRET_WORDS = {
    ChannelKind.NTFY: "Access token",
    ChannelKind.EMAIL: "Password",
    ChannelKind.WEBHOOK: "Key for the signature",
}
_SHOWN = 30
_MOST_NEWS = 99


@blueprint.get("/notifications")
def show() -> Response:
    """All ways of being told, and what was sent."""
    with current().database.read() as connection:
        channels = channel_store.list_channels(connection, owner_id=current_user_id())
        deliveries = delivery_store.list_deliveries(connection, limit=_SHOWN)
        token = find_token(connection, current_user_id(), current().secret_key)
    names = {channel.id: channel.name for channel in channels}
    feeds = f"{request.host_url}feeds/{token}" if token else ""
    return page(
        "notification/list.html", channels=channels, deliveries=deliveries, names=names, feeds=feeds, kinds=KIND_WORDS
    )


@blueprint.get("/notifications/channels/new")
def show_new() -> Response:
    """The form of a new channel; ``kind`` says of which."""
    kind = Form(request.values.to_dict(flat=False)).choice("kind", list(ChannelKind), default=ChannelKind.NTFY.value)
    return _form(ChannelKind(kind), None)


@blueprint.post("/notifications/channels/new")
@shows_again(show_new)
def create() -> Response:
    """Add a channel."""
    form = Form.of_request()
    kind = ChannelKind(form.choice("kind", list(ChannelKind)))
    with current().database.transaction() as connection:
        channel = add_channel(
            connection,
            owner_id=current_user_id(),
            kind=kind,
            options=_options(form, kind),
            secret_key=current().secret_key,
            now=now(),
            secret=form.text("secret").strip() or None,
            **_words(form),
        )
    notice("The channel was added. Send a test to see that it works.")
    return see_other(f"/notifications/channels/{channel.id}")


@blueprint.get("/notifications/channels/<int:channel_id>")
def show_channel(channel_id: int) -> Response:
    """A channel: its form, its test, its deliveries."""
    return _form(None, channel_id)


@blueprint.post("/notifications/channels/<int:channel_id>")
@shows_again(show_channel)
def change(channel_id: int) -> Response:
    """Change a channel. An empty secret field leaves the secret as it is; a tick removes it."""
    form = Form.of_request()
    secret = form.text("secret").strip() or None
    with current().database.transaction() as connection:
        channel = channel_store.get_channel(connection, channel_id)
        change_channel(
            connection,
            channel_id,
            secret_key=current().secret_key,
            options=_options(form, channel.kind),
            changes_secret=secret is not None or form.flag("removes_secret"),
            secret=secret,
            **_words(form),
        )
    notice("Saved.")
    return see_other(f"/notifications/channels/{channel_id}")


@blueprint.post("/notifications/channels/<int:channel_id>/test")
def test(channel_id: int) -> Response:
    """Send a test message now, and say how it went."""
    delivery = send_test(database(), channel_id, current().secret_key, now())
    if delivery.status is DeliveryStatus.SENT:
        notice("The test was sent and taken. Look whether it arrived.")
    else:
        notice(f"The test failed: {delivery.problem}", kind="warning")
    return see_other(f"/notifications/channels/{channel_id}")


@blueprint.get("/notifications/channels/<int:channel_id>/delete")
def show_delete(channel_id: int) -> Response:
    """Ask before a channel is deleted."""
    with current().database.read() as connection:
        channel = channel_store.get_channel(connection, channel_id)
    return page("notification/delete.html", channel=channel)


@blueprint.post("/notifications/channels/<int:channel_id>/delete")
def delete(channel_id: int) -> Response:
    """Delete a channel with the list of what it was told."""
    with current().database.transaction() as connection:
        delete_channel(connection, channel_id)
    notice("The channel was deleted.")
    return see_other("/notifications")


@blueprint.post("/notifications/deliveries/<int:delivery_id>/retry")
def retry(delivery_id: int) -> Response:
    """Send what was given up after all."""
    with current().database.transaction() as connection:
        try_again(connection, delivery_id, now())
    notice("It is sent again within a few seconds.")
    return see_other("/notifications#deliveries")


@blueprint.post("/notifications/feeds")
def renew_feeds() -> Response:
    """Switch the feeds on, or give them a new address; the old one leads nowhere then."""
    with current().database.transaction() as connection:
        renew_token(connection, current_user_id(), current().secret_key, now())
    notice("The feeds have a new address.")
    return see_other("/notifications#feeds")


@blueprint.post("/notifications/feeds/removal")
def remove_feeds() -> Response:
    """Switch the feeds off."""
    with current().database.transaction() as connection:
        remove_token(connection, current_user_id())
    notice("The feeds are switched off.")
    return see_other("/notifications#feeds")


@blueprint.get("/notifications/news")
def show_news() -> Response:
    """For an open page that nobody looks at: replies of personas after the post ``after``; 304 when there are none."""
    after_id = Form(request.args.to_dict(flat=False)).integer("after", most=2**63 - 1, default=0) or 0
    with current().database.read() as connection:
        news = list_news(connection, after_id=after_id, limit=_MOST_NEWS if after_id else 1)
    newest = news[0].post_id if news else after_id
    known = unchanged(newest)
    text = render_template("notification/_news.html", news=news, newest=newest, is_counted=after_id > 0)
    return known or with_version(Response(text, content_type="text/html; charset=utf-8"), newest)


@blueprint.get("/notifications/icon/<int:count>.svg")
def show_icon(count: int) -> Response:
    """The site's icon with a number on it."""
    text = render_template("notification/_icon.svg", count="9+" if count > 9 else str(count))
    response = Response(text, content_type="image/svg+xml")
    response.headers["Cache-Control"] = "private, max-age=86400"
    return response


@blueprint.app_template_global()
def delivery_words(delivery: Delivery) -> Markup:
    """How a delivery stands, marked by how much it matters."""
    kind, words = {
        DeliveryStatus.SENT: ("state--good", "sent"),
        DeliveryStatus.WAITING: ("", "to be sent" if not delivery.problem else "tried again"),
        DeliveryStatus.FAILED: ("state--bad", "given up"),
    }[delivery.status]
    return Markup('<span class="state {}">{}</span>').format(kind, words)


def _form(kind: ChannelKind | None, channel_id: int | None) -> Response:
    channel, deliveries = None, []
    if channel_id is not None:
        with current().database.read() as connection:
            channel = channel_store.get_channel(connection, channel_id)
            deliveries = delivery_store.list_deliveries(connection, channel_id=channel_id, limit=_SHOWN)
        kind = channel.kind
    return page(
        "notification/channel.html",
        channel=channel,
        kind=kind,
        kinds=KIND_WORDS,
        secret_label=SECRET_WORDS[kind or ChannelKind.NTFY],
        options=dict(channel.options) if channel else {},
        deliveries=deliveries,
        placeholders=PLACEHOLDERS,
        usual={"subject": SUBJECT, "body": BODY},
        securities=[(each, _SECURITY_WORDS[each]) for each in SECURITIES],
    )


_SECURITY_WORDS = {
    "tls": "TLS from the start (usually port 465)",
    "starttls": "STARTTLS (usually port 587)",
    "none": "none, only on this machine",
}


def _options(form: Form, kind: ChannelKind) -> dict[str, Any]:
    """The options as they were entered."""
    shared = {"may_be_local": form.flag("may_be_local"), "forum_url": form.text("forum_url", longest=2_000)}
    if kind is ChannelKind.WEBHOOK:
        return shared | {"url": form.text("url", longest=2_000)}
    if kind is ChannelKind.NTFY:
        return shared | {"base_url": form.text("base_url", longest=2_000), "topic": form.text("topic", longest=200)}
    names = ("host", "security", "username", "sender", "recipients")
    port = form.integer("port", least=1, most=65_535)
    return shared | {name: form.text(name, longest=5_000) for name in names} | {"port": port}


def _words(form: Form) -> dict[str, Any]:
    subject = form.text("subject", longest=10_000)
    if "\n" in subject.strip():
        raise Invalid("A subject is one line.", field="subject")
    return {
        "name": form.text("name", longest=1_000),
        "subject": subject,
        "body": form.text("body", longest=50_000),
        "tells_nights": form.flag("tells_nights"),
        "tells_stalls": form.flag("tells_stalls"),
        "is_enabled": form.flag("is_enabled"),
    }
