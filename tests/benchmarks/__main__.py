"""``python3 forllm.py bench``: everything side by side in one run; prints a Markdown table.

Options: ``--quick`` takes about a minute or two, ``--only pages`` one part, ``--folder DIR`` another disk.
"""

import argparse
import tempfile
import time
from pathlib import Path

from forllm_server.clock import now
from tests.benchmarks.measure import FULL, QUICK, Row, as_table, fsync_seconds, machine
from tests.benchmarks.memory import measure_memory
from tests.benchmarks.pages import measure_pages
from tests.benchmarks.queueing import measure_drain, measure_enqueue, measure_own_cost, measure_pace, measure_replies

PARTS = {
    "pages": measure_pages,
    "enqueue": measure_enqueue,
    "drain": measure_drain,
    "own-cost": measure_own_cost,
    "replies": measure_replies,
    "pace": measure_pace,
    "memory": measure_memory,
}


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="forllm bench", description="Measure FORLLM on this machine.")
    parser.add_argument("--quick", action="store_true", help="fewer repeats: a minute or two instead of several")
    parser.add_argument("--only", choices=PARTS, action="append", help="one part; may be given several times")
    parser.add_argument("--folder", type=Path, help="where to measure: a folder on the disk that matters")
    chosen = parser.parse_args()
    scale = QUICK if chosen.quick else FULL
    rows: list[Row] = []
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="forllm-bench-", dir=chosen.folder) as name:
        folder = Path(name)
        before = fsync_seconds(folder)
        for part in chosen.only or PARTS:
            place = folder / part
            place.mkdir()
            rows += PARTS[part](place, scale)
        after = fsync_seconds(folder)
    print(f"{now():%Y-%m-%d}, {machine()}; {time.monotonic() - started:.0f} s in all.")
    print(f"One fsync of 4 KB on this disk: {before * 1000:.2f} ms before, {after * 1000:.2f} ms after.\n")
    print(as_table(rows))


if __name__ == "__main__":
    main()
