"""How a reply came about, fact by fact. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from forllm_server.forum.model import Post
from forllm_server.pages.naming import model_words
from forllm_server.personas.model import PersonaVersion
from forllm_server.queue.model import LlmRequest
from forllm_server.schedule.words import duration_words


@dataclass(frozen=True)
class Detail:
    """A line: what it is, what it says, perhaps a page of its own."""

    name: str
    words: str
    url: str = ""


def details_of(post: Post, llm_request: LlmRequest | None, version: PersonaVersion | None) -> list[Detail]:
    """All that is known about how a persona's post was made; nothing for a person's."""
    if not post.is_by_persona:
        return []
    found = []
    if version is not None:
        url = f"/personas/{version.persona_id}/versions/{version.number}"
        found.append(Detail("Persona", f"{version.name} v{version.number}", url))
    if post.model_name:
        found.append(Detail("Model", model_words(post.model_name, llm_request.backend_id if llm_request else None)))
    found += _usage(post)
    if llm_request is not None and llm_request.started_at and llm_request.finished_at:
        found.append(Detail("Took", _took(llm_request.finished_at - llm_request.started_at)))
    for name, value in sorted((post.parameters or {}).items()):
        if value is not None:
            found.append(Detail(name.replace("_", " ").capitalize(), str(value)))
    return found


def _took(duration: timedelta) -> str:
    seconds = duration.total_seconds()
    return f"{seconds:.1f} s" if seconds < 120 else duration_words(duration)


def _usage(post: Post) -> list[Detail]:
    usage = post.usage or {}
    found = []
    read, written, seconds = (usage.get(key) for key in ("prompt_tokens", "completion_tokens", "generation_seconds"))
    if read:
        cached = f", {usage['cached_tokens']:,} from the cache" if usage.get("cached_tokens") else ""
        found.append(Detail("Read", f"{read:,} tokens{cached}"))
    if written:
        speed = f", {written / seconds:.1f} a second" if seconds else ""
        found.append(Detail("Written", f"{written:,} tokens{speed}"))
    if usage.get("load_seconds"):
        found.append(Detail("Loading the model", f"{usage['load_seconds']:.1f} s"))
    if "is_complete_thread" in usage:
        found.append(Detail("Saw", _seen(usage)))
    return found


def _seen(usage: Mapping[str, Any]) -> str:
    if usage["is_complete_thread"]:
        return "the whole thread"
    summarised = usage.get("summarised_posts")
    return f"the thread, {summarised:,} posts of it as a summary" if summarised else "not all of the thread"
