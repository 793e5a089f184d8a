"""``/api/v1/channels`` and ``/api/v1/deliveries``: being told elsewhere."""

from typing import Any

from flask import Response
from sqlalchemy import Connection

from forllm_server.api.contract import Noun, PageQuery, database, listing, page_of
from forllm_server.api.creating import IDEMPOTENCY_KEY, create
from forllm_server.api.fields import QueryId
from forllm_server.api.schemas_notify import ChannelChange, ChannelIn, ChannelOut, DeliveryOut
from forllm_server.clock import now
from forllm_server.notify import channel_store, delivery_store
from forllm_server.notify.channels import add_channel, change_channel, delete_channel
from forllm_server.notify.delivering import send_test, try_again
from forllm_server.notify.model import Channel, Delivery
from forllm_server.web.current import current, current_user_id
from forllm_server.web.paging import decode_cursor

blueprint = Noun("Notifications", "Channels that are told when a night is over or nothing goes on, and what was sent.")


class DeliveryQuery(PageQuery):
    """Which deliveries."""

    channel_id = QueryId(metadata={"description": "Of this channel only."})


@blueprint.route("/channels", methods=["GET"])
@blueprint.response(200, listing(ChannelOut))
def show_channels() -> dict[str, Any]:
    """List the channels, those that are switched off too."""
    with current().database.read() as connection:
        return {"items": channel_store.list_channels(connection, owner_id=current_user_id()), "next": None}


@blueprint.route("/channels", methods=["POST"])
@blueprint.arguments(ChannelIn)
@blueprint.response(201, ChannelOut)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def add(values: dict[str, Any]) -> Response:
    """Add a channel. Nothing is sent before something happens, or a test is asked for."""

    def work(connection: Connection) -> Any:
        added = add_channel(
            connection, owner_id=current_user_id(), secret_key=current().secret_key, now=now(), **values
        )
        return ChannelOut().dump(added)

    return create(work, location="/api/v1/channels/{id}")


@blueprint.route("/channels/<int:channel_id>", methods=["GET"])
@blueprint.response(200, ChannelOut)
def show(channel_id: int) -> Channel:
    """Read one channel."""
    with current().database.read() as connection:
        return channel_store.get_channel(connection, channel_id)


@blueprint.route("/channels/<int:channel_id>", methods=["PATCH"])
@blueprint.arguments(ChannelChange)
@blueprint.response(200, ChannelOut)
def change(values: dict[str, Any], channel_id: int) -> Channel:
    """Change some fields of a channel."""
    with current().database.transaction() as connection:
        return change_channel(
            connection, channel_id, secret_key=current().secret_key, changes_secret="secret" in values, **values
        )


@blueprint.route("/channels/<int:channel_id>", methods=["DELETE"])
@blueprint.response(204)
def delete(channel_id: int) -> str:
    """Delete a channel with the list of its deliveries."""
    with current().database.transaction() as connection:
        delete_channel(connection, channel_id)
    return ""


@blueprint.route("/channels/<int:channel_id>/tests", methods=["POST"])
@blueprint.response(201, DeliveryOut)
def test(channel_id: int) -> Delivery:
    """Send a test message now, and say how it went: `status` is sent or failed."""
    return send_test(database(), channel_id, current().secret_key, now())


@blueprint.route("/deliveries", methods=["GET"])
@blueprint.arguments(DeliveryQuery, location="query")
@blueprint.response(200, listing(DeliveryOut))
def show_deliveries(query: dict[str, Any]) -> dict[str, Any]:
    """List what was sent and is to be sent, newest first."""
    after = decode_cursor(query.get("after"), int)
    with current().database.read() as connection:
        rows = delivery_store.list_deliveries(
            connection,
            channel_id=query.get("channel_id"),
            before_id=after[0] if after else None,
            limit=query["limit"] + 1,
        )
    return page_of(rows, query["limit"], lambda delivery: (delivery.id,))


@blueprint.route("/deliveries/<int:delivery_id>/retry", methods=["POST"])
@blueprint.response(200, DeliveryOut)
def retry(delivery_id: int) -> Delivery:
    """Have a delivery that was given up sent after all, within a few seconds."""
    with current().database.transaction() as connection:
        try_again(connection, delivery_id, now())
        return delivery_store.get_delivery(connection, delivery_id)
