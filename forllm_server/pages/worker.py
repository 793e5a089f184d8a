"""The workers: the processes that work on the queue, their signs of life, and what they are doing."""

from flask import Blueprint, Response

from forllm_server.catalog.backend_store import list_backends
from forllm_server.clock import now
from forllm_server.pages.plan import PlanRow
from forllm_server.pages.plan_reading import FEW, list_rows
from forllm_server.queue.llm_request_store import count_by_status, list_llm_requests
from forllm_server.queue.model import Status
from forllm_server.queue.worker_store import list_workers
from forllm_server.web.current import current
from forllm_server.web.fragments import page

blueprint = Blueprint("worker", __name__)


@blueprint.get("/workers")
def show_list() -> Response:
    """All workers of the last days, those at work first."""
    at = now()
    with current().database.read() as connection:
        found = list_workers(connection)
        running = list_rows(connection, list_llm_requests(connection, statuses=[Status.RUNNING], limit=FEW), at)
        counts = count_by_status(connection)
        names = {backend.id: backend.name for backend in list_backends(connection)}
    doing: dict[str, list[PlanRow]] = {}
    for row in running:
        doing.setdefault(row.llm_request.worker or "", []).append(row)
    alive = [each for each in found if each.is_alive(at)]
    return page(
        "worker/list.html",
        alive=alive,
        gone=[each for each in found if not each.is_alive(at)],
        doing=doing,
        backend_names=names,
        counts=counts,
        threads=sum(each.threads for each in alive),
    )
