"""The kinds of job that the queue runs: a new one is a module with ``ask`` and ``run``, and a line here."""

from collections.abc import Callable, Mapping

from forllm_server.jobs.context import Connections, JobContext
from forllm_server.jobs.digest import DigestKind
from forllm_server.jobs.experiment import ExperimentKind
from forllm_server.jobs.judgement import JudgementKind
from forllm_server.jobs.persona_draft import PersonaDraftKind
from forllm_server.jobs.ranking import RankingKind
from forllm_server.jobs.reply import ReplyKind
from forllm_server.jobs.trial import TrialKind
from forllm_server.jobs.verdict import VerdictKind
from forllm_server.queue.worker import Kind

__all__ = ["KINDS", "Connections", "JobContext", "build_kinds"]

#: Name in ``llm_requests.kind`` → what performs it.
KINDS: Mapping[str, Callable[[JobContext], Kind]] = {
    ReplyKind.name: ReplyKind,
    DigestKind.name: DigestKind,
    TrialKind.name: TrialKind,
    JudgementKind.name: JudgementKind,
    RankingKind.name: RankingKind,
    VerdictKind.name: VerdictKind,
    ExperimentKind.name: ExperimentKind,
    PersonaDraftKind.name: PersonaDraftKind,
}


def build_kinds(context: JobContext) -> Mapping[str, Kind]:
    """The kinds, ready to run."""
    return {name: kind(context) for name, kind in KINDS.items()}
