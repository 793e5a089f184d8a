"""One request outward: bounded, to the address that was checked, and nowhere else."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from forllm_server.outward import addresses, posting
from forllm_server.outward.failure import SendFailed
from tests.support.outside import Hook, client_tls


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as hook:
        yield hook


def test_what_was_answered_is_kept_where_that_is_wished(hook: Hook) -> None:
    assert posting.post(f"{hook.url}/", b"{}", {}, may_be_local=True) == posting.Answer(200, "")
    kept = posting.post(f"{hook.url}/", b"{}", {}, may_be_local=True, keeps_text=True)
    assert kept == posting.Answer(200, "said <b>so</b>")
    hook.answers.append((503, ""))
    with pytest.raises(SendFailed) as caught:
        posting.post(f"{hook.url}/", b"{}", {}, may_be_local=True)
    assert (caught.value.status, caught.value.said, caught.value.is_permanent) == (503, "said <b>so</b>", False)


def test_a_server_that_says_nothing_is_given_up_in_time(hook: Hook) -> None:
    hook.answers.append((0, ""))
    with pytest.raises(SendFailed, match="did not answer in time") as caught:
        posting.post(f"{hook.url}/", b"{}", {}, may_be_local=True, total_seconds=0.2)
    assert not caught.value.is_permanent


@pytest.mark.parametrize("is_secure", [False, True])
def test_a_server_that_drips_is_given_up_in_time(is_secure: bool) -> None:
    with Hook(is_secure=is_secure) as hook:
        hook.answers.append((Hook.DRIP, ""))
        begun = time.monotonic()
        with pytest.raises(SendFailed, match="did not answer in time"):
            posting.post(f"{hook.url}/", b"{}", {}, may_be_local=True, tls=client_tls(), total_seconds=0.2)
        assert time.monotonic() - begun < 10


@pytest.mark.parametrize("number", ["93.184.216.34", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_what_is_public_may_be_spoken_to(number: str) -> None:
    assert addresses._is_public(number)


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://10.1.2.3/",
                                 "http://192.168.0.1/", "http://169.254.169.254/", "http://[::ffff:127.0.0.1]/",
                                 "http://0.0.0.0/", "http://100.64.0.1/", "http://2130706433/", "http://[64:ff9b::a00:1]/",
                                 "http://[64:ff9b:1::1]/", "http://[2002:7f00:1::]/", "http://[::7f00:1]/",
                                 "http://[fec0::1]/"])  # fmt: skip
def test_own_networks_are_not_spoken_to_unless_that_is_ticked(url: str) -> None:
    with pytest.raises(SendFailed, match="an address of a network of one's own") as caught:
        posting.post(url, b"{}", {}, may_be_local=False)
    assert caught.value.is_permanent


def test_odd_ports_are_not_spoken_to_unless_that_is_ticked() -> None:
    with pytest.raises(SendFailed, match="port 6379"):
        posting.post("http://example.org:6379/", b"{}", {}, may_be_local=False)


def test_a_name_is_looked_up_once_and_the_checked_address_is_used(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = addresses.socket.getaddrinfo

    def look_up(host: str, *rest: Any, **more: Any) -> Any:
        asked.append(host)
        return real("127.0.0.1" if host == "hook.example" else host, *rest, **more)

    monkeypatch.setattr(addresses.socket, "getaddrinfo", look_up)
    posting.post(f"http://hook.example:{hook.port}/", b"{}", {}, may_be_local=True)
    assert asked.count("hook.example") == 1
    assert hook.posted[0].headers["host"] == f"hook.example:{hook.port}"


def test_tls_is_checked() -> None:
    with Hook(is_secure=True) as secure:
        posting.post(f"{secure.url}/", b"{}", {}, may_be_local=True, tls=client_tls())
        assert len(secure.posted) == 1
        with pytest.raises(SendFailed, match="securely"):
            posting.post(f"{secure.url}/", b"{}", {}, may_be_local=True)
        assert len(secure.posted) == 1
