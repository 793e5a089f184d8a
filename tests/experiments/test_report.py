"""The report of an experiment: shares with Wilson's interval, and what may be said of them; the files it becomes."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from forllm_server.experiments.exporting import ExportFormat, foot_of, head_of, pairs_of
from forllm_server.experiments.model import Choice, Experiment, Pair, Progress, Stage, State, Sums
from forllm_server.experiments.report import report_of, wilson

NOTHING = Sums(None, None, None)
EXPERIMENT = Experiment(
    id=1, owner_id=1, name="v1 <b>", source="Answers by Ada v1", persona_version_id=2, persona_words="Ada v2",
    model_id=None, model_words="the same model", is_run_now=False, state=State.OPEN, pair_count=2, asked_count=2,
    left_out={}, created_at=datetime(2026, 11, 1, tzinfo=UTC), started_at=None, finished_at=None,
)  # fmt: skip
PAIR = Pair(
    experiment_id=1, number=1, stage=Stage.ANSWERED, problem="", llm_request_id=7, topic_id=3, topic_title="Soil",
    question_id=4, question="Which soil?", is_question_edited=False, old_post_id=5, old_version_id=1,
    old_model_name="qwen3:8b", old_text="=SUM(1)", old_tokens=3, old_seconds=1.5, new_version_id=2,
    new_model_name="qwen3:8b", new_text="# Loam", new_thinking=None, new_finish_reason="stop", new_tokens=4,
    new_seconds=None, post_id=None, choice=Choice.NEW,
)  # fmt: skip


def progress(**votes: int) -> Progress:
    found = {Choice(name): number for name, number in votes.items()}
    return Progress(10, {Stage.ANSWERED: 10}, found, NOTHING, NOTHING, 0)


# By hand from Wilson's formula with z = 1.959964: 8 of 10 gives (0.8 + 0.19207 ± 0.26517 · 1.0000) / 1.38415.
@pytest.mark.parametrize(
    ("won", "number", "low", "high"),
    [(0, 0, 0.0, 1.0), (8, 10, 0.4902, 0.9433), (9, 10, 0.5958, 0.9821), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0)],
)
def test_the_interval_is_wilsons(won: int, number: int, low: float, high: float) -> None:
    assert wilson(won, number) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@pytest.mark.parametrize(
    ("votes", "words"),
    [
        ({}, "before you have voted"),
        ({"tie": 3, "bad": 1}, "No vote has a winner"),
        ({"new": 9, "old": 1, "tie": 4}, "The new answers are better"),
        ({"new": 1, "old": 9}, "The old answers are better"),
        ({"new": 8, "old": 2}, "Not told yet"),
    ],
)
def test_only_what_the_interval_allows_is_said(votes: dict[str, int], words: str) -> None:
    assert words in report_of(progress(**votes)).verdict


def test_skipped_pairs_are_no_votes() -> None:
    report = report_of(progress(new=2, old=1, tie=1, bad=1, skip=5))
    assert (report.votes, report.decided, report.share) == (5, 3, pytest.approx(2 / 3))


def test_each_form_of_file_holds_both_answers_and_csv_no_formula() -> None:
    pairs = [PAIR, replace(PAIR, number=2, stage=Stage.FAILED, problem="gone", new_text=None, choice=None)]
    files = {}
    for form in ExportFormat:
        head = head_of(EXPERIMENT, progress(new=1), report_of(progress(new=1)), form)
        files[form] = head + pairs_of(pairs, {1: "Ada v1", 2: "Ada v2"}, form) + foot_of(form)
    rows = list(csv.DictReader(io.StringIO(files[ExportFormat.CSV])))
    assert (rows[0]["old_text"], rows[0]["new_text"], rows[0]["vote"]) == ("'=SUM(1)", "# Loam", "new")
    assert (rows[1]["state"], rows[1]["problem"], rows[1]["new_text"]) == ("failed", "gone", "")
    found = json.loads(files[ExportFormat.JSON])
    assert (found["won"], found["pairs"][0]["old_text"], found["pairs"][1]["new_text"]) == (1, "=SUM(1)", None)
    words = files[ExportFormat.MARKDOWN]
    assert words.startswith("# v1 &lt;b>\n")
    assert "> # Loam" in words, "a heading inside an answer is none of the file"
    assert "> gone" in words
