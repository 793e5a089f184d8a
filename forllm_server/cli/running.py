"""Which processes of FORLLM use the data and the port, so that what would harm is refused with a name."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil

from forllm_server.config import Config
from forllm_server.db import process_lock
from forllm_server.errors import ConfigurationError, NotAllowed, Unavailable

LOCK_NAME = "running.lock"


@contextmanager
def using_data(config: Config) -> Iterator[None]:
    """Use the data together with others: web servers and workers, as many as one likes."""
    with ExitStack() as held:
        try:
            held.enter_context(process_lock.shared(config.data_dir / LOCK_NAME, timeout_seconds=5))
        except Unavailable as error:
            raise NotAllowed(
                f"The data in {config.data_dir} is being restored or migrated. Start again when that has ended."
            ) from error
        # Outside the try: what becomes unavailable while the lock is held has its own words.
        yield


@contextmanager
def changing_data(config: Config, *, doing: str, timeout_seconds: float = 0.5) -> Iterator[None]:
    """Have the data alone; refused while a server or worker uses it. ``doing``: what for, as "restore"."""
    with ExitStack() as held:
        try:
            held.enter_context(process_lock.alone(config.data_dir / LOCK_NAME, timeout_seconds=timeout_seconds))
        except Unavailable as error:
            raise NotAllowed(
                f"FORLLM is running on the data in {config.data_dir}: it cannot {doing} meanwhile. "
                "Stop the server and the workers, and try again."
            ) from error
        yield


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address; says who has the port when it is taken."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, kind, protocol)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            # Windows would share the port otherwise, and requests would reach either server.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        # Bound but not listening would let a second one bind too, and fail only later.
        bound.listen(1024)
    except OSError as error:
        bound.close()
        raise ConfigurationError(
            f"FORLLM cannot listen on {host}:{port}: {_reason(error, port)} Choose another port with --port."
        ) from error
    return bound


def _reason(error: OSError, port: int) -> str:
    if error.errno is not None and isinstance(error, PermissionError):
        return "this port needs special rights."
    owner = _owner_of(port)
    if owner is None:
        return f"{(error.strerror or str(error)).lower()}."
    return f"the port is taken by process {owner.pid} ({_command_of(owner)})."


def _owner_of(port: int) -> psutil.Process | None:
    try:
        for connection in psutil.net_connections(kind="tcp"):
            is_listening = connection.status == psutil.CONN_LISTEN
            if is_listening and connection.laddr and connection.laddr.port == port and connection.pid:
                return psutil.Process(connection.pid)
    except (psutil.Error, OSError):
        # Some systems show other processes' connections to administrators only.
        return None
    return None


def _command_of(process: psutil.Process) -> str:
    try:
        command = process.cmdline()
    except psutil.Error:
        return "unknown"
    is_forllm = any("forllm" in part for part in command)
    return "another FORLLM" if is_forllm else (command[0] if command else "unknown")
