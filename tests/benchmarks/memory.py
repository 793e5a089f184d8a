"""What a running `serve` takes of the memory, without a loaded model."""

import time
from pathlib import Path

import psutil
import requests

from tests.benchmarks.measure import Row, Scale, at_most
from tests.benchmarks.places import find_place, forum_copy, forum_folder
from tests.support.processes import ForllmProcess

#: How long after the start it is looked at: the first probes of the backends are over by then.
_SETTLING_SECONDS = 5.0


def measure_memory(folder: Path, scale: Scale) -> list[Row]:
    """At rest after a start with the usual workers, and after pages were served."""
    with forum_copy(forum_folder(scale.posts, scale.topic_sizes, finished=scale.finished), folder / "data") as forum:
        place = find_place(forum.database, scale.topic_sizes)
    with ForllmProcess("serve", folder / "data", "--port", "0", log=folder / "serve.log") as serve:
        serve.wait_until_open()
        time.sleep(_SETTLING_SECONDS)
        own_at_rest, children_at_rest = _megabytes(serve.pid)
        paths = ["/", "/queue", "/subforums/1", *(f"/topics/{topic_id}" for topic_id in place.topic_ids.values())]
        with requests.Session() as session:
            for _ in range(scale.runs):
                for path in paths:
                    session.get(serve.url + path, timeout=60).raise_for_status()
        own_after, children_after = _megabytes(serve.pid)
    return [
        at_most("memory at rest, no model loaded", own_at_rest, "MB", 120, _with_children(children_at_rest)),
        Row(f"memory after {scale.runs * len(paths):,} pages", own_after, "MB", _with_children(children_after)),
    ]


def _megabytes(pid: int) -> tuple[float, float]:
    """Resident memory of a process, and of those that it started."""
    process = psutil.Process(pid)
    children = sum(child.memory_info().rss for child in process.children(recursive=True))
    return process.memory_info().rss / 1e6, children / 1e6


def _with_children(megabytes: float) -> str:
    return f"and {megabytes:.0f} MB in processes that it started" if megabytes else "no further processes"
