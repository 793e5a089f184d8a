"""The process that renders large texts: ``python -m forllm_server.markup.render_child``.

Jobs come on standard input and answers go to standard output, each a JSON object after its length in four bytes
(big-endian). The process ends with its input, so it does not outlive its parent. It can be killed at any moment.
"""

import importlib
import json
import signal
import struct
import sys
from typing import IO, Any

import psutil

from forllm_server.markup.faults import Unrenderable
from forllm_server.markup.pipeline import render_markdown

#: What rendering may take on top of what the process has mapped when it is ready.
EXTRA_MEMORY_BYTES = 300 * 1024 * 1024
#: Far beyond the parent's patience: ends a job whose parent died meanwhile.
ORPHAN_SECONDS = 20


def write_message(pipe: IO[bytes], message: dict[str, Any]) -> None:
    """Write one message and flush it."""
    body = json.dumps(message).encode()
    pipe.write(struct.pack(">I", len(body)) + body)
    pipe.flush()


def read_message(pipe: IO[bytes]) -> dict[str, Any] | None:
    """The next message, or None when the other end is gone."""
    head = pipe.read(4)
    if len(head) < 4:
        return None
    size = int(struct.unpack(">I", head)[0])
    body = pipe.read(size)
    if len(body) < size:
        return None
    message = json.loads(body)
    return message if isinstance(message, dict) else None


def main() -> None:
    """Render until the input ends."""
    # Ctrl-C in a terminal reaches the whole group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    render_markdown("ready", anchor_prefix="p")
    _limit_memory()
    write_message(sys.stdout.buffer, {"is_ready": True})
    while (job := read_message(sys.stdin.buffer)) is not None:
        if hasattr(signal, "alarm"):
            signal.alarm(ORPHAN_SECONDS)
        write_message(sys.stdout.buffer, _answer(job))
        if hasattr(signal, "alarm"):
            signal.alarm(0)


def _answer(job: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"html": render_markdown(job["source"], anchor_prefix=job["anchor_prefix"])}
    except Unrenderable as error:
        return {"reason": error.reason}
    except MemoryError:
        return {"reason": "it needs too much memory"}


def _limit_memory() -> None:
    try:
        resource = importlib.import_module("resource")
        limit = psutil.Process().memory_info().vms + EXTRA_MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (ImportError, ValueError, OSError):
        # Windows has no such limit; there only the time is limited.
        return


if __name__ == "__main__":
    main()
