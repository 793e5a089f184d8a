"""Each benchmark runs, at a size that takes a moment, and tells something sane. How fast is for `bench` to say."""

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.acceptance.storm import Findings
from tests.benchmarks.__main__ import PARTS
from tests.benchmarks.kill import Report, as_kill_table
from tests.benchmarks.measure import TINY, Row, Scale, as_table, at_least, at_most, fsync_seconds, medians
from tests.benchmarks.places import find_place, forum_folder, installed

#: These start a process of FORLLM, a real engine, or PostgreSQL.
_SLOW = {"pages", "memory"}
#: These take many minutes even when small: they are run by hand.
_BY_HAND = {"saturation", "crowd"}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forums are written anew for each test: what is written is part of what is tested."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(name, marks=[pytest.mark.slow, pytest.mark.thorough] if name in _SLOW else [])
        for name in PARTS
        if name not in _BY_HAND
    ],
)
def test_each_benchmark_measures_something(part: str, tmp_path: Path) -> None:
    measure: Callable[[Path, Scale], list[Row]] = PARTS[part]
    folder = tmp_path / "here"
    folder.mkdir()
    rows = measure(folder, TINY)
    assert all(row.value > 0 and row.what for row in rows)
    assert len({row.what for row in rows}) == len(rows)


def test_the_forum_has_the_posts_and_shapes_it_was_asked_for(tmp_path: Path) -> None:
    folder = forum_folder(400, (10, 60), finished=50)
    assert forum_folder(400, (10, 60), finished=50) == folder
    with installed(folder) as installation:
        place = find_place(installation.database, (10, 60))
        with installation.database.read() as connection:
            depths = connection.exec_driver_sql(
                "SELECT topic_id, count(*), max(depth) FROM posts GROUP BY topic_id ORDER BY topic_id"
            ).all()
            finished = connection.exec_driver_sql("SELECT count(*) FROM llm_requests").scalar_one()
    by_topic = {topic_id: (count, depth) for topic_id, count, depth in depths}
    assert place.posts == sum(count for count, _ in by_topic.values()) >= 390
    assert by_topic[place.topic_ids["flat", 60]] == (60, 1)
    assert by_topic[place.topic_ids["chain", 60]] == (60, 59)
    assert finished == 50


def test_rows_say_whether_a_target_is_held() -> None:
    rows = [at_most("page", 9.0, "ms", 10), at_least("drain", 900.0, "/s", 1_000), Row("disk", 0.25, "ms")]
    assert [row.is_met for row in rows] == [True, False, None]
    lines = as_table(rows).splitlines()
    assert lines[2] == "| page | 9 ms | ≤ 10 ms | held |  |"
    assert lines[3] == "| drain | 900 /s | ≥ 1,000 /s | **missed** |  |"
    assert lines[4] == "| disk | 0.25 ms |  |  |  |"


def test_the_storm_tells_what_it_did_and_what_came_of_it() -> None:
    findings = Findings(asked=3, answered=2, failed=Counter({"worker_lost": 1}))
    report = Report(findings, Counter({"power cut": 2}), refusals=1, complaints=[], seconds=9.0)
    assert report.is_clean
    lines = as_kill_table(report).splitlines()
    assert lines[2] == "| disturbances | 2 | 2 × power cut |"
    assert lines[5] == "| ended in one visible error | 1 | 1 worker_lost |"
    assert not replace(report, findings=Findings(doubled=1)).is_clean
    assert not replace(report, findings=Findings(), complaints=["the file is damaged"]).is_clean


def test_tasks_are_measured_in_turns() -> None:
    order: list[str] = []

    def task(name: str, values: list[float]) -> Callable[[], float]:
        def run() -> float:
            order.append(name)
            return values.pop()

        return run

    assert medians({"a": task("a", [3.0, 1.0, 2.0]), "b": task("b", [9.0, 9.0, 9.0])}, 3) == {"a": 2.0, "b": 9.0}
    assert order == ["a", "b"] * 3


def test_the_disk_takes_some_time_to_make_something_durable(tmp_path: Path) -> None:
    assert 0 < fsync_seconds(tmp_path, times=3) < 5
