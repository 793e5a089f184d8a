"""Sending to real servers of this machine: what arrives, what is refused, and what is tried again."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from forllm_server.notify.model import Channel, ChannelKind, Delivery, DeliveryStatus, Occasion
from forllm_server.notify.options import clean_options
from forllm_server.notify.sending import send
from forllm_server.outward.failure import SendFailed
from forllm_server.outward.signing import sign
from tests.support.outside import Hook, MailServer, client_tls

AT = datetime(2026, 11, 21, 6, 15, tzinfo=UTC)


def channel(kind: str, **options: Any) -> Channel:
    cleaned = clean_options(ChannelKind(kind), {"may_be_local": True} | options)
    return Channel(7, 1, ChannelKind(kind), "Mine", cleaned, None, True, True, True, "", "", AT)


def delivery(**changes: Any) -> Delivery:
    values = {
        "id": 12, "channel_id": 7, "occasion": Occasion.NIGHT, "key": "night:2026-11-21",
        "subject": "13 of 14 answered, 1 failed", "body": "Grüße\n.\nfrom the night", "facts": {"answered": 13},
        "status": DeliveryStatus.WAITING, "attempts": 1, "created_at": AT, "due_at": AT, "ended_at": None,
        "problem": None,
    }  # fmt: skip
    return Delivery(**(values | changes))


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as hook:
        yield hook


def test_a_webhook_gets_json_that_is_signed(hook: Hook) -> None:
    send(channel("webhook", url=f"{hook.url}/in?who=me"), delivery(), "a key", AT)
    (posted,) = hook.posted
    told = json.loads(posted.body)
    assert posted.path == "/in?who=me"
    assert (told["occasion"], told["delivery"], told["answered"]) == ("night", 12, 13)
    assert told["text"] == "Grüße\n.\nfrom the night"
    at, _, digest = posted.headers["x-forllm-signature"].partition(",v1=")
    signed = at.removeprefix("t=").encode() + b"." + posted.body
    assert digest == hmac.new(b"a key", signed, hashlib.sha256).hexdigest()
    assert posted.headers["x-forllm-delivery"] == "12"
    assert "cookie" not in posted.headers


def test_without_a_key_nothing_is_signed(hook: Hook) -> None:
    send(channel("webhook", url=hook.url), delivery(), None, AT)
    assert "x-forllm-signature" not in hook.posted[0].headers
    assert sign("k", b"x", 1) != sign("k", b"x", 2)


def test_ntfy_gets_a_message_for_its_topic_with_the_token(hook: Hook) -> None:
    link = {"link": "http://desk.local:4773/morning/2026-11-21"}
    send(channel("ntfy", base_url=f"{hook.url}/", topic="my-night"), delivery(facts=link), "tk_secret", AT)
    told = json.loads(hook.posted[0].body)
    assert (told["topic"], told["title"], told["click"]) == ("my-night", "13 of 14 answered, 1 failed", link["link"])
    assert told["message"].startswith("Grüße")
    assert hook.posted[0].headers["authorization"] == "Bearer tk_secret"


def test_a_redirect_is_named_and_not_followed(hook: Hook) -> None:
    with Hook() as other:
        hook.answers.append((307, f"Location: {other.url}/elsewhere\r\n"))
        with pytest.raises(SendFailed, match="sends on to") as caught:
            send(channel("webhook", url=hook.url), delivery(), "a key", AT)
        assert caught.value.is_permanent
        assert other.posted == []


@pytest.mark.parametrize(
    ("status", "is_permanent"), [(400, True), (404, True), (410, True), (429, False), (500, False)]
)
def test_another_status_is_a_failure_that_is_final_or_not(hook: Hook, status: int, is_permanent: bool) -> None:
    hook.answers.append((status, ""))
    with pytest.raises(SendFailed, match=f"answered {status}: said <b>so</b>") as caught:
        send(channel("webhook", url=hook.url), delivery(), None, AT)
    assert caught.value.is_permanent is is_permanent


def test_a_server_that_is_not_there_may_be_there_later() -> None:
    with Hook() as gone:
        url = gone.url
    with pytest.raises(SendFailed, match="does not answer") as caught:
        send(channel("webhook", url=url), delivery(), None, AT)
    assert not caught.value.is_permanent


def mail_channel(server: MailServer, **options: Any) -> Channel:
    given = {"host": "localhost", "port": server.port, "security": server.security, "sender": "forum@example.org",
             "recipients": "mara@example.org, son@example.org"}  # fmt: skip
    return channel("email", **(given | options))


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_a_mail_arrives_as_it_was_written(security: str) -> None:
    with MailServer(security=security, has_login=True) as server:
        own = mail_channel(server, username="mara")
        send(own, delivery(), "pass word", AT, tls=client_tls())
    (mail,) = server.box.mails
    assert (mail["Subject"], mail["To"]) == ("13 of 14 answered, 1 failed", "mara@example.org, son@example.org")
    assert mail["From"] == "FORLLM <forum@example.org>"
    assert mail["Message-ID"] == f"<forllm.12.{int(AT.timestamp())}@example.org>"
    assert mail.get_content().splitlines() == ["Grüße", ".", "from the night"]
    assert server.box.recipients == [["mara@example.org", "son@example.org"]]
    assert server.box.logins == [(base64.b64encode(b"\0mara\0pass word"), security != "none")]


@pytest.mark.parametrize(
    ("verb", "answer", "is_permanent"),
    [("MAIL", "451 later", False), ("MAIL", "550 never", True), ("RCPT", "550 nobody", True),
     ("RCPT", "450 full", False),     ("DATA", "554 no", True), ("AUTH", "535 wrong", True)],
)  # fmt: skip
def test_a_mail_server_that_refuses_is_tried_again_or_not(verb: str, answer: str, is_permanent: bool) -> None:
    with MailServer(has_login=True) as server:
        server.refusals[verb] = answer
        own = mail_channel(server, username="mara", recipients="mara@example.org")
        with pytest.raises(SendFailed) as caught:
            send(own, delivery(), "pass word", AT)
    assert caught.value.is_permanent is is_permanent
    assert "pass word" not in caught.value.message


def test_a_mail_is_not_sent_where_tls_is_wished_and_not_offered_or_not_trusted() -> None:
    with MailServer() as plain, pytest.raises(SendFailed, match="no STARTTLS"):
        send(mail_channel(plain, security="starttls"), delivery(), None, AT)
    with MailServer(security="starttls") as unknown, pytest.raises(SendFailed, match="securely"):
        send(mail_channel(unknown), delivery(), None, AT)
    assert plain.box.mails == unknown.box.mails == []


def test_a_subject_can_add_no_header() -> None:
    with MailServer() as server, pytest.raises(ValueError, match="Header"):
        send(mail_channel(server), delivery(subject="a\r\nBcc: all@example.org"), None, AT)
    assert server.box.mails == []
