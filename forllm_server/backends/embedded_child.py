"""The embedded engine's process: llama.cpp's own HTTP server on a free loopback port, until the parent lets go.

A process of its own because the engine's wheel needs a processor with AVX2 and would take the forum down with it.
The first line of standard input is the settings (JSON, with the key: arguments are visible to every user of the
machine); the end of standard input is the parent's end. The only line written to standard output is
`{"url": ...}` or `{"error": ...}`; what llama.cpp logs goes to standard error.
"""

import json
import os
import signal
import sys
import threading
from typing import IO, Any


def main() -> int:
    """Serve until standard input ends. Returns the exit status."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # Ctrl-C reaches the whole group: the parent decides when the engine stops, so that it can checkpoint first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = json.loads(sys.stdin.readline() or "{}")
    threading.Thread(target=_stop_with_parent, name="parent", daemon=True).start()
    try:
        server = start_server(settings)
    except (ImportError, RuntimeError, ValueError, OSError) as error:
        _answer(answers, {"error": str(error) or type(error).__name__})
        return 1
    _answer(answers, {"url": server.listening_address})
    threading.Event().wait()
    return 0


def start_server(settings: dict[str, Any]) -> Any:
    """Load the model and listen. `settings`: gguf_path, api_key, context_tokens, threads, batch_threads,
    batch_tokens, cache_mib, slots."""
    # The one optional driver of this file: without it the message is the parent's.
    from xllamacpp import CommonParams, Server  # noqa: PLC0415

    params = CommonParams()
    params.model.path = settings["gguf_path"]
    params.model_alias = {settings["name"]}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [settings["api_key"]]
    params.n_parallel = settings["slots"]
    params.kv_unified = False
    params.n_ctx = settings["context_tokens"] * settings["slots"]
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["batch_threads"]
    # A cancel is noticed between batches: small ones let go of a long prompt within seconds on slow machines too.
    params.n_batch = params.n_ubatch = settings["batch_tokens"]
    params.cache_ram_mib = settings["cache_mib"]
    # Fitting would shrink the context silently; the budget relies on the size it asked for.
    params.fit_params = False
    params.ctx_shift = False
    params.offline = True
    params.ui = False
    params.verbosity = 1
    return Server(params)


def _stop_with_parent() -> None:
    # By descriptor: a thread that waits inside sys.stdin would hold up the interpreter's own end.
    while os.read(0, 4096):
        continue
    os._exit(0)


def _answer(answers: IO[str], answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
