"""NVIDIA cards, through the program that comes with their driver.

The columns are those of ``nvidia-smi --help-query-gpu`` and of ``nvidia-smi pmon -h``. A column that a card does not
give reads ``[N/A]``, ``[Not Supported]`` or ``-``.
"""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from forllm_server.machine.model import GpuLoad, NotAvailable, Share
from forllm_server.machine.tools import ask_tool, find_tool

_PROGRAM = "nvidia-smi"
_CARDS = (
    "--query-gpu=index,uuid,name,utilization.gpu,memory.used,memory.total",
    "--format=csv,noheader,nounits",
)
_COMPUTE = ("--query-compute-apps=gpu_uuid,pid,used_memory", "--format=csv,noheader,nounits")
#: one sample of the processes on each card, with their shares; takes a second on some drivers
_PROCESSES = ("pmon", "-c", "1", "-s", "u")
_PROCESSES_SECONDS = 1.3
_POWER = ("--query-gpu=power.draw", "--format=csv,noheader,nounits")


@dataclass
class _Card:
    index: str
    uuid: str
    name: str
    busy_share: float | None
    memory_used_mib: float | None
    memory_total_mib: float | None
    #: process id → its share, None where the driver does not tell
    processes: dict[int, float | None] = field(default_factory=dict)


def read_nvidia(own: Collection[int], *, is_working: bool) -> tuple[GpuLoad, ...] | NotAvailable:
    """The cards' load by others than the processes ``own``, in 2 s at most.

    ``is_working``: whether own models work just now, anywhere on this machine. While none does, all that a card
    does is others' wherever the driver does not tell processes apart.
    """
    found = find_tool(_PROGRAM)
    if isinstance(found, NotAvailable):
        return found
    with ThreadPoolExecutor(3, thread_name_prefix="nvidia") as pool:
        compute = pool.submit(ask_tool, (_PROGRAM, *_COMPUTE))
        processes = pool.submit(ask_tool, (_PROGRAM, *_PROCESSES), timeout_seconds=_PROCESSES_SECONDS)
        said = ask_tool((_PROGRAM, *_CARDS))
    if isinstance(said, NotAvailable):
        return said
    cards = _parse_cards(said)
    _add_compute(cards, compute.result())
    _add_processes(cards, processes.result())
    return tuple(_load(card, own, is_working=is_working) for card in cards)


def read_nvidia_watts() -> float | NotAvailable:
    """What all cards draw just now, in watts; in 2 s at most."""
    said = ask_tool((_PROGRAM, *_POWER))
    if isinstance(said, NotAvailable):
        return said
    watts = [value for (cell,) in _rows(said, 1) if (value := _number(cell)) is not None]
    return sum(watts) if watts else NotAvailable(f"{_PROGRAM} tells no power draw of this card")


def _load(card: _Card, own: Collection[int], *, is_working: bool) -> GpuLoad:
    busy: Share = NotAvailable(f"{_PROGRAM} tells no utilisation of this card")
    others: Share = busy
    if card.busy_share is not None:
        busy = card.busy_share
        others = _others_share(card, card.busy_share, own, is_working=is_working)
    return GpuLoad(card.name, busy, others, card.memory_used_mib, card.memory_total_mib)


def _others_share(card: _Card, busy: float, own: Collection[int], *, is_working: bool) -> Share:
    own_shares = [share for process_id, share in card.processes.items() if process_id in own]
    known_own = sum(share for share in own_shares if share is not None)
    known_others = sum(share or 0.0 for process_id, share in card.processes.items() if process_id not in own)
    are_told_apart = any(share is not None for share in card.processes.values())
    if are_told_apart:
        # The difference finds those that are hidden from us.
        return min(1.0, max(known_others, busy - known_own))
    if not is_working or (card.processes and not own_shares):
        return busy
    if not card.processes:
        return NotAvailable(f"{_PROGRAM} names no process, so others' work cannot be told from our models'")
    return NotAvailable(f"{_PROGRAM} does not tell what each process uses of this card while our models work")


def _parse_cards(said: str) -> list[_Card]:
    return [
        _Card(index, uuid, name, _share(busy), _number(used), _number(total))
        for index, uuid, name, busy, used, total in _rows(said, 6)
    ]


def _add_compute(cards: Sequence[_Card], said: str | NotAvailable) -> None:
    if isinstance(said, NotAvailable):
        return
    by_uuid = {card.uuid: card for card in cards}
    for uuid, process_id, _memory in _rows(said, 3):
        if uuid in by_uuid and process_id.isdigit():
            by_uuid[uuid].processes.setdefault(int(process_id))


def _add_processes(cards: Sequence[_Card], said: str | NotAvailable) -> None:
    """The table of ``pmon``: two lines of headings, then a line a process; ``-`` for no process and no share."""
    if isinstance(said, NotAvailable):
        return
    lines = [line.split() for line in said.splitlines() if line.strip()]
    headings = next((line[1:] for line in lines if line[0] == "#" and "pid" in line), None)
    if headings is None or not {"gpu", "sm"} <= set(headings):
        return
    gpu, pid, share = headings.index("gpu"), headings.index("pid"), headings.index("sm")
    by_index = {card.index: card for card in cards}
    for line in lines:
        if len(line) < len(headings) or line[gpu] not in by_index or not line[pid].isdigit():
            continue
        by_index[line[gpu]].processes[int(line[pid])] = _share(line[share])


def _rows(said: str, columns: int) -> list[list[str]]:
    """The lines of a CSV without quotes, as this program writes it."""
    rows = [[cell.strip() for cell in line.split(",")] for line in said.splitlines()]
    return [row for row in rows if len(row) == columns]


def _share(percent: str) -> float | None:
    value = _number(percent)
    return None if value is None else min(1.0, max(0.0, value / 100))


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
