"""LLM requests named by their ids, many at once: the rows of a page whose order was made elsewhere."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from forllm_server.queue.llm_request_store import COLUMNS, from_row
from forllm_server.queue.model import LlmRequest
from forllm_server.queue.tables import llm_requests

_BY_IDS = select(*COLUMNS).where(llm_requests.c.id.in_(bindparam("ids", expanding=True)))


def list_llm_requests_by_ids(connection: Connection, llm_request_ids: Sequence[int]) -> list[LlmRequest]:
    """These requests in the order of the ids; those that are not there are left out. One statement."""
    if not llm_request_ids:
        return []
    rows = connection.execute(_BY_IDS, {"ids": list(llm_request_ids)}).mappings()
    found = {row["id"]: from_row(row) for row in rows}
    return [found[each] for each in dict.fromkeys(llm_request_ids) if each in found]
