"""The partial text of running LLM requests, append-only, readable from any process while it grows."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, update

from forllm_server.queue.model import Partial
from forllm_server.queue.tables import llm_chunks

_c = llm_chunks.c


def insert_chunk(connection: Connection, llm_request_id: int, *, run: int, seq: int, text: str, thinking: str) -> None:
    """Append a piece. The first of a run drops what earlier runs had written."""
    if seq == 0:
        connection.execute(delete(llm_chunks).where(_c.llm_request_id == llm_request_id))
    connection.execute(
        _INSERT, {"llm_request_id": llm_request_id, "run": run, "seq": seq, "text": text, "thinking": thinking}
    )


_INSERT = insert(llm_chunks)


def update_text_to_thinking(connection: Connection, llm_request_id: int, *, run: int) -> None:
    """What that run has written so far was thinking, and no answer."""
    connection.execute(
        update(llm_chunks)
        .where(_c.llm_request_id == llm_request_id, _c.run == run)
        .values(thinking=_c.thinking + _c.text, text="")
    )


def delete_chunks(connection: Connection, llm_request_id: int) -> None:
    connection.execute(delete(llm_chunks).where(_c.llm_request_id == llm_request_id))


def find_partial(connection: Connection, llm_request_id: int) -> Partial | None:
    return list_partials(connection, [llm_request_id]).get(llm_request_id)


def list_partials(connection: Connection, llm_request_ids: Sequence[int]) -> dict[int, Partial]:
    """The text written so far of each of these requests that has any."""
    if not llm_request_ids:
        return {}
    rows = connection.execute(
        select(_c.llm_request_id, _c.run, _c.text, _c.thinking)
        .where(_c.llm_request_id.in_(llm_request_ids))
        .order_by(_c.llm_request_id, _c.run, _c.seq)
    )
    pieces: dict[int, tuple[int, list[str], list[str]]] = {}
    for llm_request_id, run, text, thinking in rows:
        held = pieces.get(llm_request_id)
        if held is None or held[0] != run:
            held = pieces[llm_request_id] = (run, [], [])
        held[1].append(text)
        held[2].append(thinking)
    return {
        llm_request_id: Partial(llm_request_id, run, "".join(texts), "".join(thoughts))
        for llm_request_id, (run, texts, thoughts) in pieces.items()
    }
