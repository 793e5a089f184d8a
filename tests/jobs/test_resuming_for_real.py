"""The small engine that comes along goes on with a text that was broken off, as any llama.cpp server does."""

import threading
import time

import pytest

from forllm_server import clock
from forllm_server.catalog.model_store import list_models_of
from forllm_server.catalog.probing import probe_backend
from forllm_server.queue.job import Interruption
from forllm_server.queue.model import Status
from tests.jobs.conftest import SECRET_KEY, Evening

EMBEDDED = 1
PATIENCE_SECONDS = 60.0


@pytest.mark.slow
def test_the_embedded_model_goes_on_where_it_was(evening: Evening) -> None:
    evening.change("backends", EMBEDDED, is_enabled=True)
    found = probe_backend(evening.database, EMBEDDED, secret_key=SECRET_KEY, silence_seconds=60, now=clock.now())
    assert found.is_reachable, found.probe
    with evening.database.read() as connection:
        (model,) = list_models_of(connection, EMBEDDED)
    evening.change("posts", evening.world.post_id, content="Tell a long story about a lighthouse keeper.")
    asked = evening.ask(model_id=model.id)
    evening.change("llm_requests", asked.request.id, parameters={"max_tokens": 120})
    worker = threading.Thread(target=evening.run)
    worker.start()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not ((written := evening.partial(asked.request.id)) and len(written.text) > 40):
        assert time.monotonic() < deadline, "the model said nothing"
        time.sleep(0.01)
    evening.pool.running_jobs()[0].interrupt(Interruption.STOPPING)
    worker.join(PATIENCE_SECONDS)
    left = evening.partial(asked.request.id)
    assert left is not None
    assert evening.run()
    done = evening.get(asked)
    assert (done.status, done.attempts) == (Status.SUCCEEDED, 1)
    assert done.usage is not None
    assert done.usage["resumed_characters"] == len(left.text.rstrip())
    # What it had written is read from the cache or anew, but not written again.
    assert done.usage["prompt_tokens"] > done.usage["resumed_tokens"] > 0
    reply = evening.posts()[-1].content
    assert reply.startswith(left.text.rstrip())
    assert len(reply) > len(left.text)
    assert reply.count(left.text.rstrip()) == 1
