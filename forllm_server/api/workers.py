"""``/api/v1/workers``: the processes that work on the queue."""

from typing import Any

from forllm_server.api.contract import Noun, listing
from forllm_server.api.schemas_queue import WorkerOut
from forllm_server.clock import now
from forllm_server.queue.worker_store import list_workers
from forllm_server.web.current import current

blueprint = Noun("Workers", "Processes that work on the queue, or did within the last days.")


@blueprint.route("/workers", methods=["GET"])
@blueprint.response(200, listing(WorkerOut))
def show_list() -> dict[str, Any]:
    """List the workers, the latest sign of life first."""
    at = now()
    with current().database.read() as connection:
        found = list_workers(connection)
    return {"items": [{"worker": worker, "is_alive": worker.is_alive(at)} for worker in found], "next": None}
