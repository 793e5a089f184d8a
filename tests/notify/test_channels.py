"""Channels and deliveries: what is kept, what is refused, once only, and again after a failure."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

from forllm_server.db import Database, metadata
from forllm_server.errors import Conflict, Invalid, NotFound
from forllm_server.notify import channel_store, delivery_store
from forllm_server.notify.channels import add_channel, change_channel, delete_channel, open_secret
from forllm_server.notify.delivering import (
    LEASE,
    MOST_ATTEMPTS,
    compose,
    forget_old,
    send_due,
    send_test,
    tell,
    try_again,
)
from forllm_server.notify.model import Channel, DeliveryStatus, Message, Occasion
from forllm_server.notify.wording import PLACEHOLDERS, check_template, filled, one_line
from forllm_server.outward.failure import SendFailed
from forllm_server.outward.pauses import wait_after
from tests.support.outside import Hook
from tests.support.world import LOCAL_USER

KEY = b"tests have a secret key of 32 b!"
OTHER_KEY = b"another secret key of 32 bytes!!"
EMAIL = {"host": "mail.example.org", "sender": "forum@example.org", "recipients": "mara@example.org"}


def add(database: Database, now: datetime, kind: str = "webhook", **values: Any) -> Channel:
    options = values.pop("options", {"url": "https://example.org/hook"})
    with database.transaction() as connection:
        return add_channel(
            connection,
            owner_id=LOCAL_USER,
            kind=kind,
            options=options,
            secret_key=KEY,
            now=now,
            **({"name": "Mine"} | values),
        )


def night(key: str = "night:2026-11-21") -> Message:
    return Message(Occasion.NIGHT, key, "13 answered", "13 answered.", {"answered": 13})


def put_in_line(database: Database, now: datetime, message: Message | None = None) -> int:
    with database.transaction() as connection:
        return tell(connection, Occasion.NIGHT, lambda _channel: message or night(), now)


def deliveries(database: Database) -> list[Any]:
    with database.read() as connection:
        return delivery_store.list_deliveries(connection, limit=50)


def local(hook: Hook) -> dict[str, Any]:
    return {"url": f"{hook.url}/in", "may_be_local": True}


def test_a_secret_is_sealed_and_opens_only_for_its_channel_and_server(database: Database, now: datetime) -> None:
    channel = add(database, now, secret="quite secret")
    assert channel.secret_sealed is not None
    assert b"quite secret" not in channel.secret_sealed
    assert "quite" not in repr(channel)
    assert open_secret(channel, KEY) == "quite secret"
    with pytest.raises(SendFailed, match="Enter it again"):
        open_secret(channel, OTHER_KEY)
    with database.transaction() as connection:
        channel_store.update_channel(
            connection, channel.id, options={**channel.options, "url": "https://evil.example/"}
        )
        moved = channel_store.get_channel(connection, channel.id)
    with pytest.raises(SendFailed):
        open_secret(moved, KEY)


def test_a_secret_is_entered_again_for_another_server(database: Database, now: datetime) -> None:
    channel = add(database, now, secret="quite secret")
    with database.transaction() as connection:
        same = change_channel(connection, channel.id, secret_key=KEY, options={"url": "https://example.org/other"})
        assert open_secret(same, KEY) == "quite secret"
        with pytest.raises(Invalid, match="enter the secret again") as caught:
            change_channel(connection, channel.id, secret_key=KEY, options={"url": "https://example.net/hook"})
        assert caught.value.field == "secret"
        moved = change_channel(
            connection,
            channel.id,
            secret_key=KEY,
            options={"url": "https://example.net/hook"},
            changes_secret=True,
            secret="new",
        )
        assert open_secret(moved, KEY) == "new"
        bare = change_channel(connection, channel.id, secret_key=KEY, changes_secret=True, secret=None)
        assert not bare.has_secret


@pytest.mark.parametrize(
    ("kind", "options", "field"),
    [
        ("webhook", {}, "url"),
        ("webhook", {"url": "ftp://example.org"}, "url"),
        ("webhook", {"url": "https://user:pass@example.org/"}, "url"),
        ("webhook", {"url": "https://exa mple.org"}, "url"),
        ("webhook", {"url": "https://example.org\r\nHost: evil"}, "url"),
        ("webhook", {"url": "http:///nowhere"}, "url"),
        ("webhook", {"url": "https://example.org:99999"}, "url"),
        ("webhook", {"url": "https://example.org", "colour": "red"}, "colour"),
        ("webhook", {"url": "https://example.org", "forum_url": "javascript:alert(1)"}, "forum_url"),
        ("ntfy", {"topic": "a b"}, "topic"),
        ("ntfy", {"topic": "x" * 65}, "topic"),
        ("email", EMAIL | {"host": "mail server"}, "host"),
        ("email", EMAIL | {"security": "none"}, "security"),
        ("email", EMAIL | {"security": "ssl"}, "security"),
        ("email", EMAIL | {"port": 0}, "port"),
        ("email", EMAIL | {"port": True}, "port"),
        ("email", EMAIL | {"recipients": ""}, "recipients"),
        ("email", EMAIL | {"recipients": "mara@example.org\nBcc: all"}, "recipients"),
        ("email", EMAIL | {"sender": "Mara <mara@example.org>"}, "sender"),
        ("pigeon", {}, "kind"),
    ],
)
def test_what_cannot_work_is_refused_by_its_field(
    sqlite_database: Database, now: datetime, kind: str, options: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        add(sqlite_database, now, kind, options=options)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": "  "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"subject": "two\nlines"}, "subject"),
        ({"subject": "{nobody}"}, "subject"),
        ({"body": "{day.__class__}"}, "body"),
        ({"body": "x" * 5_001}, "body"),
        ({"secret": "line\nend"}, "secret"),
    ],
)
def test_words_that_cannot_be_are_refused_by_their_field(
    sqlite_database: Database, now: datetime, values: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        add(sqlite_database, now, **values)
    assert caught.value.field == field


def test_a_template_fills_in_names_and_reaches_nothing_else() -> None:
    assert filled(
        "{headline}\n{energy} {cost}\n{link}", {"headline": "3 answered", "energy": "", "cost": "", "link": "x"}
    ) == ("3 answered\nx")
    assert filled("{answered} {{odd} {0}", {"answered": "{link}", "link": "no"}) == "{link} {{odd} {0}"
    assert check_template("{day} {gists}", field="body", longest=100) == "{day} {gists}"
    assert one_line("a\r\nBcc: b\x00c") == "a Bcc: b c"
    assert set(PLACEHOLDERS) >= {"headline", "link"}


def test_a_channel_has_its_own_words_about_a_night_only(sqlite_database: Database, now: datetime) -> None:
    channel = add(sqlite_database, now, subject="Night {day}", body="{answered} there")
    values = dict.fromkeys(PLACEHOLDERS, "") | {"day": "2026-11-21", "answered": "13", "headline": "13 answered"}
    about_night = compose(channel, Occasion.NIGHT, "k", values, {})
    assert (about_night.subject, about_night.body) == ("Night 2026-11-21", "13 there")
    assert compose(channel, Occasion.STALL, "k", values, {}).subject == "13 answered"


def test_a_channel_is_told_of_a_night_once(database: Database, now: datetime) -> None:
    add(database, now)
    add(database, now, tells_nights=False)
    add(database, now, is_enabled=False)
    assert [put_in_line(database, now) for _ in range(3)] == [1, 0, 0]
    assert put_in_line(database, now, night("night:2026-11-22")) == 1


def test_several_processes_send_a_message_once(database: Database, now: datetime) -> None:
    with Hook() as hook:
        for number in range(3):
            add(database, now, name=f"Hook {number}", options=local(hook))
        put_in_line(database, now)
        threads = [threading.Thread(target=send_due, args=(database, KEY, now)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(posted.headers["x-forllm-delivery"] for posted in hook.posted) == ["1", "2", "3"]
    assert {each.status for each in deliveries(database)} == {DeliveryStatus.SENT}
    assert send_due(database, KEY, now + LEASE * 2) == 0


def test_a_failure_is_kept_and_tried_again_later_and_later(sqlite_database: Database, now: datetime) -> None:
    with Hook() as hook, time_machine.travel(now, tick=False) as clock:
        add(sqlite_database, now, options=local(hook))
        put_in_line(sqlite_database, now)
        hook.answers.extend([(503, "")] * 2)
        assert send_due(sqlite_database, KEY, now) == 0
        (waiting,) = deliveries(sqlite_database)
        assert (waiting.status, waiting.attempts, waiting.due_at) == (
            DeliveryStatus.WAITING,
            1,
            now + timedelta(minutes=1),
        )
        assert waiting.problem == "127.0.0.1 answered 503: said <b>so</b>"
        assert send_due(sqlite_database, KEY, now + timedelta(seconds=59)) == 0
        for minutes, sent in ((1, 0), (3, 1)):
            at = now + timedelta(minutes=minutes)
            clock.move_to(at)
            assert send_due(sqlite_database, KEY, at) == sent
        (done,) = deliveries(sqlite_database)
        assert (done.status, done.attempts, done.problem) == (DeliveryStatus.SENT, 3, None)
    assert [wait_after(number).total_seconds() for number in (1, 2, 5, 10)] == [60, 120, 960, 21600]


def test_what_cannot_succeed_or_failed_too_often_is_given_up_and_can_be_sent_after_all(
    sqlite_database: Database, now: datetime
) -> None:
    with Hook() as hook, time_machine.travel(now, tick=False):
        add(sqlite_database, now, options=local(hook))
        put_in_line(sqlite_database, now)
        hook.answers.append((410, ""))
        send_due(sqlite_database, KEY, now)
        (gone,) = deliveries(sqlite_database)
        assert (gone.status, gone.attempts, gone.due_at) == (DeliveryStatus.FAILED, 1, None)
        with sqlite_database.transaction() as connection:
            try_again(connection, gone.id, now)
            with pytest.raises(Conflict):
                try_again(connection, gone.id, now)
            with pytest.raises(NotFound):
                try_again(connection, 999, now)
            table = metadata.tables["deliveries"]
            connection.execute(table.update().values(attempts=MOST_ATTEMPTS - 1))
        hook.answers.append((500, ""))
        send_due(sqlite_database, KEY, now)
        assert deliveries(sqlite_database)[0].status is DeliveryStatus.FAILED


def test_one_whose_sender_died_is_sent_by_another_after_a_while(sqlite_database: Database, now: datetime) -> None:
    with Hook() as hook:
        add(sqlite_database, now, options=local(hook))
        put_in_line(sqlite_database, now)
        with sqlite_database.transaction() as connection:
            assert delivery_store.update_taken(connection, 1, until=now + LEASE, now=now) is not None
            assert delivery_store.update_taken(connection, 1, until=now + LEASE, now=now) is None
        assert send_due(sqlite_database, KEY, now) == 0
        assert send_due(sqlite_database, KEY, now + LEASE) == 1
        assert len(hook.posted) == 1


def test_a_test_is_sent_at_once_and_tells_how_it_went(sqlite_database: Database, now: datetime) -> None:
    with Hook() as hook:
        channel = add(sqlite_database, now, options=local(hook), is_enabled=False)
        assert send_test(sqlite_database, channel.id, KEY, now).status is DeliveryStatus.SENT
        hook.answers.append((500, ""))
        failed = send_test(sqlite_database, channel.id, KEY, now)
        assert (failed.status, failed.occasion) == (DeliveryStatus.FAILED, Occasion.TEST)
        assert "A test from FORLLM" in hook.posted[0].body.decode()
    with pytest.raises(NotFound):
        send_test(sqlite_database, 99, KEY, now)


def test_deliveries_go_with_their_channel_and_with_time(database: Database, now: datetime) -> None:
    with Hook() as hook, time_machine.travel(now, tick=False):
        first, second = (add(database, now, options=local(hook)) for _ in range(2))
        put_in_line(database, now)
        send_due(database, KEY, now)
        with database.transaction() as connection:
            delete_channel(connection, first.id)
            with pytest.raises(NotFound):
                delete_channel(connection, first.id)
            assert [each.channel_id for each in delivery_store.list_deliveries(connection, limit=9)] == [second.id]
            assert forget_old(connection, now + timedelta(days=91)) == 1
