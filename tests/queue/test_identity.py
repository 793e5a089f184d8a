"""Who a worker is, and when it is certain that it is gone."""

import os
import socket
from pathlib import Path

import psutil
import pytest

from forllm_server.queue import identity
from forllm_server.queue.identity import is_gone, worker_identity

#: No process has a number so high.
NOBODY = 2**30


def of(**changes: object) -> str:
    """This process's identity, changed in a part."""
    host, since, pid, start = worker_identity().split("/")
    boot, _, machine = since.partition(".")
    parts = {"host": host, "boot": boot, "machine": machine, "pid": pid, "start": start} | changes
    since = ".".join(str(part) for part in (parts["boot"], parts["machine"]) if part)
    return f"{parts['host']}/{since}/{parts['pid']}/{parts['start']}"


def test_a_worker_has_its_host_its_process_and_its_start_in_its_name() -> None:
    host, since, pid, start = worker_identity().split("/")
    assert (host, pid) == (socket.gethostname(), str(os.getpid()))
    assert since == worker_identity().split("/")[1]
    assert abs(int(start) - (psutil.Process().create_time() - psutil.boot_time())) < 2


def test_where_starts_of_the_machine_have_no_number_the_second_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "BOOT_ID", Path("/nowhere/at/all"))
    boot = int(worker_identity().split("/")[1].partition(".")[0])
    assert abs(boot - psutil.boot_time()) < 5
    assert not is_gone(of(boot=boot + 2))
    assert is_gone(of(boot=boot + 60))


def test_this_process_is_not_gone() -> None:
    assert not is_gone(worker_identity())


@pytest.mark.parametrize("change", [{"pid": NOBODY}, {"start": 1}, {"boot": 1}])
def test_a_process_of_this_machine_is_gone_when_another_has_its_number_or_none(change: dict[str, object]) -> None:
    assert is_gone(of(**change))


@pytest.mark.parametrize("change", [{"host": "attic"}, {"pid": "x"}])
def test_of_another_host_nothing_is_certain(change: dict[str, object]) -> None:
    assert not is_gone(of(**({"pid": NOBODY} | change)))


def test_of_another_machine_with_the_same_name_nothing_is_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_machine", lambda: "aaaaaaaa")
    assert is_gone(of(pid=NOBODY))
    assert not is_gone(of(machine="bbbbbbbb", pid=NOBODY, boot=1))
    # One of before machines were told apart.
    assert is_gone(of(machine="", pid=NOBODY))


def test_without_a_network_card_the_host_name_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    identity._machine.cache_clear()
    monkeypatch.setattr(identity.uuid, "getnode", lambda: 1 << 40 | 5)
    assert identity._machine() == ""
    assert worker_identity().count(".") == socket.gethostname().count(".")
    assert is_gone(of(machine="bbbbbbbb", pid=NOBODY))
    identity._machine.cache_clear()
