"""``python3 forllm.py bench``: everything side by side in one run; prints a Markdown table.

Options: ``--quick`` takes about a minute or two, ``--only pages`` one part, ``--folder DIR`` another disk.
``--kill`` measures nothing but strikes FORLLM's processes at random and tells what came of it.
"""

import argparse
import logging
import random
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from forllm_server.clock import now
from tests.benchmarks.crowd import measure_crowd
from tests.benchmarks.gap import measure_gap
from tests.benchmarks.growth import measure_growth
from tests.benchmarks.kill import run_kill
from tests.benchmarks.measure import FULL, QUICK, Row, as_table, fsync_seconds, machine
from tests.benchmarks.memory import measure_memory
from tests.benchmarks.pages import measure_pages
from tests.benchmarks.queueing import measure_drain, measure_enqueue, measure_own_cost, measure_pace, measure_replies
from tests.benchmarks.saturation import measure_saturation
from tests.benchmarks.searching import measure_search

PARTS = {
    "pages": measure_pages,
    "enqueue": measure_enqueue,
    "drain": measure_drain,
    "own-cost": measure_own_cost,
    "replies": measure_replies,
    "pace": measure_pace,
    "memory": measure_memory,
    "growth": measure_growth,
    "gap": measure_gap,
    "saturation": measure_saturation,
    "crowd": measure_crowd,
    "search": measure_search,
}
#: Minutes to hours each: only when named.
LONG = ("growth", "saturation", "crowd", "search")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="forllm bench", description="Measure FORLLM on this machine.")
    parser.add_argument("--quick", action="store_true", help="fewer repeats: a minute or two instead of several")
    parser.add_argument(
        "--only",
        choices=PARTS,
        action="append",
        help=f"one part; may be given several times. Only so: {', '.join(LONG)}, which take long",
    )
    parser.add_argument("--folder", type=Path, help="where to measure: a folder on the disk that matters")
    parser.add_argument(
        "--passages", type=int, metavar="N", help="of saturation: each way of asking so often, instead of three times"
    )
    parser.add_argument("--kill", action="store_true", help="strike real processes at random instead of measuring")
    parser.add_argument("--disturbances", type=int, default=200, metavar="N", help="with --kill: how often")
    parser.add_argument("--seed", type=int, help="with --kill: the same blows as a run that told this seed")
    parser.add_argument("--postgres", action="store_true", help="with --kill: on a PostgreSQL server of its own")
    chosen = parser.parse_args()
    if chosen.folder is not None and not chosen.folder.is_dir():
        parser.error(f"{chosen.folder} is no folder. Make it first, on the disk that is to be measured.")
    if chosen.passages is not None and chosen.passages < 1:
        parser.error("--passages is a number from 1.")
    if chosen.kill:
        _kill(chosen)
    else:
        _measure(chosen)


def _kill(chosen: argparse.Namespace) -> None:
    progress = logging.getLogger("forllm.bench")
    progress.addHandler(logging.StreamHandler(sys.stderr))
    progress.setLevel(logging.INFO)
    seed = random.randrange(100_000) if chosen.seed is None else chosen.seed
    progress.info("seed %d", seed)
    told, is_clean = run_kill(
        disturbances=chosen.disturbances, seed=seed, is_postgres=chosen.postgres, folder=chosen.folder
    )
    print(told)
    if not is_clean:
        sys.exit(1)


def _measure(chosen: argparse.Namespace) -> None:
    scale = QUICK if chosen.quick else FULL
    if chosen.passages is not None:
        scale = replace(scale, passages=chosen.passages)
    rows: list[Row] = []
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="forllm-bench-", dir=chosen.folder) as name:
        folder = Path(name)
        before = fsync_seconds(folder)
        for part in chosen.only or [part for part in PARTS if part not in LONG]:
            place = folder / part
            place.mkdir()
            found = PARTS[part](place, scale)
            rows += found
            # Told at once: whoever ends a long run keeps what it found.
            print(as_table(found), file=sys.stderr, flush=True)
        after = fsync_seconds(folder)
    print(f"{now():%Y-%m-%d}, {machine()}; {time.monotonic() - started:.0f} s in all.")
    print(f"One fsync of 4 KB on this disk: {before * 1000:.2f} ms before, {after * 1000:.2f} ms after.\n")
    print(as_table(rows))


if __name__ == "__main__":
    main()
