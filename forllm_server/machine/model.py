"""What is read from the machine: plain values, with their units."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class NotAvailable:
    """A reading that this machine does not give, and why: a sentence for people, without a full stop."""

    why: str

    def __str__(self) -> str:
        return f"not available: {self.why}"


#: A part of the whole, 0.0 to 1.0.
Share = float | NotAvailable


@dataclass(frozen=True)
class GpuLoad:
    """One graphics card."""

    name: str
    #: the whole card's, whoever uses it
    busy_share: Share
    others_share: Share
    memory_used_mib: float | None = None
    memory_total_mib: float | None = None


@dataclass(frozen=True)
class Load:
    """How busy others keep the machine. Others: all but FORLLM's own processes and its model servers'.

    The shares are averages since the reading before (CPU) or over the last second or less (GPU).
    """

    at: datetime
    #: of all cores together
    cpu_others_share: Share
    #: of the card that others use most
    gpu_others_share: Share
    #: names of running programs that were looked for, sorted, each once
    programs: tuple[str, ...] = ()
    gpus: tuple[GpuLoad, ...] = ()


@dataclass(frozen=True)
class ModelServers:
    """Which processes are FORLLM's model servers: their work is not others'.

    Names may hold ``*`` and ``?``; case and a final ``.exe`` do not count. Descendants belong to them.
    """

    names: tuple[str, ...] = ("ollama*", "llama-server*", "llamafile*", "koboldcpp*", "lm studio*", "lms", "vllm*")
    process_ids: frozenset[int] = frozenset()
    #: one of them works on this machine where its processes cannot be seen, as in another container
    is_hidden: bool = False
