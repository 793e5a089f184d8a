"""Fixtures of this room."""

import socket
from collections.abc import Iterator

import pytest

from tests.machine.scripted import bare_programs, programs

__all__ = ["bare_programs", "loopback_port", "programs"]


@pytest.fixture
def loopback_port() -> Iterator[int]:
    """A port of this machine on which this process listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]
