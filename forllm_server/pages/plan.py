"""The rows of the queue page, grouped as the work will be done: by backend and model. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from forllm_server.forum.model import Post
from forllm_server.jobs.standing import Standing
from forllm_server.pages.bar import BarPart, bar_parts
from forllm_server.personas.model import PersonaVersion
from forllm_server.queue.model import LlmRequest

_EXCERPT_CHARS = 90


@dataclass(frozen=True)
class PlanRow:
    """An LLM request with what a list says of it."""

    llm_request: LlmRequest
    standing: Standing
    version: PersonaVersion | None
    post: Post | None
    backend_name: str

    @property
    def excerpt(self) -> str:
        """The beginning of the post that was asked about."""
        if self.post is None or self.post.is_deleted:
            return "A post that is no longer there"
        text = " ".join(self.post.content.split())
        return text if len(text) <= _EXCERPT_CHARS else text[:_EXCERPT_CHARS].rsplit(" ", 1)[0].rstrip(".,;:") + "…"

    @property
    def persona_words(self) -> str:
        return f"{self.version.name} v{self.version.number}" if self.version else "a persona"

    @property
    def persona_url(self) -> str:
        return f"/personas/{self.version.persona_id}/versions/{self.version.number}" if self.version else ""


def group_plan(rows: Sequence[PlanRow]) -> list[tuple[str, list[PlanRow]]]:
    """Runs of rows with the same model on the same backend, in the order of work, each with its heading."""
    return [(heading, list(group)) for heading, group in groupby(rows, key=_heading)]


def model_parts(rows: Sequence[PlanRow]) -> list[BarPart]:
    """How much of the plan each model has, in the order in which they are loaded first."""
    counts = Counter(row.llm_request.model_name or "no model yet" for row in rows)
    return bar_parts(counts.items(), len(rows))


def _heading(row: PlanRow) -> str:
    model = row.llm_request.model_name or "No model yet"
    return f"{model} on {row.backend_name}" if row.backend_name else model
