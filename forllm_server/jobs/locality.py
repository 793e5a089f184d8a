"""Which backends run on this machine, and which processes they are."""

import socket
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from sqlalchemy import Connection

from forllm_server.catalog.addresses import is_loopback
from forllm_server.catalog.model import BackendRecord
from forllm_server.machine.model import ModelServers
from forllm_server.machine.processes import list_processes, process_ids_listening_on, programs_running
from forllm_server.queue.worker_store import list_workers

_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_on_this_machine(record: BackendRecord) -> bool:
    """Whether its models work here: the embedded one, and what is reached at a loopback address."""
    return record.is_embedded or is_loopback(record.base_url)


def list_worker_process_ids(connection: Connection) -> frozenset[int]:
    """The FORLLM processes of this host that work on the same queue. One that has ended harms nothing."""
    host = socket.gethostname()
    return frozenset(worker.pid for worker in list_workers(connection) if worker.host == host and not worker.stopped_at)


def find_model_servers(records: Iterable[BackendRecord], worker_process_ids: Collection[int]) -> ModelServers:
    """The processes of these backends and of FORLLM's workers. Takes some 20 ms."""
    known = ModelServers()
    ports = {_port(record) for record in records if not record.is_embedded and is_on_this_machine(record)}
    listening = {port: process_ids_listening_on({port}) for port in ports}
    seen = frozenset[int]().union(worker_process_ids, *listening.values())
    # One that belongs to another user shows no port, but its name.
    is_hidden = not all(listening.values()) and not programs_running(list_processes(), known.names, besides=())
    return ModelServers(process_ids=seen, is_hidden=is_hidden)


def _port(record: BackendRecord) -> int:
    parts = urlsplit(record.base_url)
    return parts.port or _DEFAULT_PORTS.get(parts.scheme, 80)
