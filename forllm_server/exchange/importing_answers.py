"""Replies that models wrote in an original FORLLM, and the LLM requests they came from."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from forllm_server.catalog import model_store
from forllm_server.catalog.model import Model
from forllm_server.errors import Conflict
from forllm_server.exchange.importing_personas import Cast
from forllm_server.exchange.ledger import Ledger
from forllm_server.exchange.original_model import OriginalForum, OriginalLlmRequest, OriginalPost
from forllm_server.exchange.past_answers import post_past_answer
from forllm_server.forum import post_store
from forllm_server.forum.model import Answer
from forllm_server.personas.model import PersonaVersion
from forllm_server.queue import llm_request_store, prompt_store
from forllm_server.queue.model import LlmRequest, NewLlmRequest, Status

#: The name of the only job kind that the original's requests are.
REPLY = "reply"
#: The layout under which the original's prompts are kept: one text, no account of its parts.
LAYOUT = "original"

#: A request in one of these can still become the history of a reply that the original got meanwhile.
_OPEN = (Status.QUEUED, Status.WAITING, Status.HELD, Status.FAILED, Status.CANCELLED)


@dataclass
class Answered:
    """Who wrote the replies, and the completed requests that are not matched with their reply yet."""

    cast: Cast
    complete: dict[int, list[OriginalLlmRequest]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, forum: OriginalForum, cast: Cast) -> "Answered":
        answered = cls(cast)
        for request in forum.llm_requests:
            if request.status == "complete" and request.post_id is not None:
                answered.complete[request.post_id].append(request)
        return answered

    def take(self, post: OriginalPost) -> OriginalLlmRequest | None:
        """The request that led to this reply: the original does not say, so the oldest of persona and question."""
        candidates = self.complete.get(post.parent_id or 0, [])
        for candidate in candidates:
            if candidate.persona_id == post.persona_id:
                candidates.remove(candidate)
                return candidate
        return None


def add_imported_answer(
    connection: Connection, post: OriginalPost, content: str, parent_id: int, ledger: Ledger, answered: Answered
) -> int:
    """Post a model's reply with the succeeded LLM request that every reply has; the post's id."""
    version = answered.cast.version_at(post.persona_id, post.created_at)
    original = answered.take(post)
    request = _request_for(connection, post, parent_id, original, version, ledger)
    now = post.created_at or ledger.now
    answer = Answer(
        llm_request_id=request.id,
        owner_id=ledger.owner_id,
        parent_id=parent_id,
        content=content,
        persona_version_id=version.id,
        persona_name=version.name,
        model_name=post.model_name or "unknown",
        parameters={},
        finish_reason="stop",
    )
    finished_at = (original.processed_at if original else None) or now
    return post_past_answer(connection, request, answer, posted_at=now, finished_at=finished_at).id


def _request_for(
    connection: Connection,
    post: OriginalPost,
    parent_id: int,
    original: OriginalLlmRequest | None,
    version: PersonaVersion,
    ledger: Ledger,
) -> LlmRequest:
    earlier = _earlier(connection, original, ledger)
    if earlier is not None:
        return earlier
    request = insert_imported(
        connection,
        parent_id=parent_id,
        version=version,
        model_name=(original.model_name if original else None) or post.model_name,
        requested_at=(original.requested_at if original else None) or post.created_at,
        ledger=ledger,
    )
    if original is not None:
        if ledger.find("llm_request", original.id) is None:
            ledger.add(connection, "llm_request", original.id, request.id)
        keep_prompt(connection, original, request, ledger)
    return request


def _earlier(connection: Connection, original: OriginalLlmRequest | None, ledger: Ledger) -> LlmRequest | None:
    """The request as an earlier import brought it, still unanswered then and here."""
    local_id = ledger.find("llm_request", original.id) if original else None
    request = llm_request_store.find_llm_request(connection, local_id) if local_id else None
    return request if request is not None and request.status in _OPEN else None


def insert_imported(
    connection: Connection,
    *,
    parent_id: int,
    version: PersonaVersion,
    model_name: str | None,
    requested_at: datetime | None,
    ledger: Ledger,
) -> LlmRequest:
    """Add a held LLM request about a post: nothing that was imported starts by itself. Raises NotFound (post)."""
    question = post_store.get_post(connection, parent_id)
    model = find_model_named(connection, model_name)
    number = llm_request_store.count_answers(
        connection, post_id=parent_id, persona_id=version.persona_id, model_id=model.id if model else None
    )
    request = llm_request_store.insert_llm_request(
        connection,
        NewLlmRequest(
            owner_id=ledger.owner_id,
            kind=REPLY,
            topic_id=question.topic_id,
            post_id=parent_id,
            persona_id=version.persona_id,
            persona_version_id=version.id,
            backend_id=model.backend_id if model else None,
            model_id=model.id if model else None,
            model_name=model_name,
            answer_number=number + 1,
            input={"imported_from": LAYOUT},
            status=Status.HELD,
        ),
        requested_at or ledger.now,
    )
    if request is None:
        raise Conflict("This was asked already.")
    return request


def keep_prompt(connection: Connection, original: OriginalLlmRequest, request: LlmRequest, ledger: Ledger) -> None:
    """Keep the exact prompt that the original sent, if it has it."""
    if original.prompt:
        message = {"role": "user", "content": original.prompt.replace("\x00", "\ufffd")}
        now = original.processed_at or ledger.now
        prompt_store.replace_prompt(connection, request.id, layout=LAYOUT, messages=[message], breakdown={}, now=now)


def find_model_named(connection: Connection, name: str | None) -> Model | None:
    """A model of that name on any backend here; Ollama's ``:latest`` may be left out."""
    names = {name, f"{name}:latest"}
    listed = model_store.list_models(connection, is_available=True) if name else []
    return next((one.model for one in listed if one.model.name in names), None)
