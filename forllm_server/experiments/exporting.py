"""An experiment as CSV, JSON or Markdown, piece by piece, so that a long one fits through. Pure.

A value that a spreadsheet would take for a formula (it begins with ``= + - @``, a tab or a carriage return) gets an
apostrophe before it in CSV, as OWASP's page on CSV injection advises; in the other formats it stays as it is.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from forllm_server.experiments.model import Experiment, Pair, Progress
from forllm_server.experiments.report import Report


class ExportFormat(StrEnum):
    """How an experiment is downloaded. The value is the ending of the file's name."""

    CSV = "csv"
    JSON = "json"
    MARKDOWN = "md"


MEDIA_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.JSON: "application/json; charset=utf-8",
    ExportFormat.MARKDOWN: "text/markdown; charset=utf-8",
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
#: By id of a persona version: ``Assistant v2``.
Names = Mapping[int, str]


def head_of(experiment: Experiment, progress: Progress, report: Report, form: ExportFormat) -> str:
    """What stands before the first pair: in JSON and Markdown the report."""
    if form is ExportFormat.CSV:
        return _csv_row(_FIELDS)
    summary = summary_of(experiment, progress, report)
    if form is ExportFormat.JSON:
        return json.dumps(summary, ensure_ascii=False)[:-1] + ', "pairs": ['
    interval = f"{_percent(report.low)} to {_percent(report.high)}"
    share = "no vote has a winner" if report.share is None else f"{_percent(report.share)} (95 % interval {interval})"
    lines = [
        f"# {_in_one_line(experiment.name)}",
        "",
        f"{_in_one_line(experiment.source)}, asked again of {_in_one_line(experiment.challenger)}.",
        "",
        f"- new better: {report.won}, old better: {report.lost}, equally good: {report.ties}, both bad: {report.bad}",
        f"- of the votes with a winner the new answers won: {share}",
        f"- {report.verdict}",
        f"- answered: {progress.answered} of {progress.total}, failed: {progress.failed}",
        "",
    ]
    return "\n".join(lines)


def pairs_of(pairs: Iterable[Pair], names: Names, form: ExportFormat) -> str:
    """These pairs, one after another. In JSON each but the experiment's first begins with a comma."""
    if form is ExportFormat.CSV:
        return "".join(_csv_row([_cell(value) for value in row_of(pair, names).values()]) for pair in pairs)
    if form is ExportFormat.JSON:
        return "".join(
            ("" if pair.number == 1 else ", ") + json.dumps(row_of(pair, names), ensure_ascii=False) for pair in pairs
        )
    return "".join(_markdown(pair, names) for pair in pairs)


def foot_of(form: ExportFormat) -> str:
    """What stands after the last pair."""
    return "]}\n" if form is ExportFormat.JSON else ""


def summary_of(experiment: Experiment, progress: Progress, report: Report) -> dict[str, Any]:
    """The report as plain values."""
    sides = {
        side: {"tokens": sums.tokens, "seconds": sums.seconds, "characters": sums.characters}
        for side, sums in (("old", progress.old), ("new", progress.new))
    }
    return {
        "name": experiment.name,
        "source": experiment.source,
        "challenger": experiment.challenger,
        "pair_count": progress.total,
        "answered": progress.answered,
        "failed": progress.failed,
        "won": report.won,
        "lost": report.lost,
        "ties": report.ties,
        "both_bad": report.bad,
        "share": report.share,
        "low": report.low,
        "high": report.high,
        "verdict": report.verdict,
        "means": sides,
    }


_FIELDS = (
    *("pair", "topic_id", "topic", "question_post_id", "question", "state", "problem", "vote"),
    *("old_post_id", "old_persona", "old_model", "old_tokens", "old_seconds", "old_text"),
    *("new_post_id", "new_persona", "new_model", "new_tokens", "new_seconds", "new_text"),
)


def row_of(pair: Pair, names: Names) -> dict[str, Any]:
    """A pair as plain values, by the names of the columns."""
    old = (pair.old_post_id, names.get(pair.old_version_id, ""), pair.old_model_name)
    new = (pair.post_id, names.get(pair.new_version_id, ""), pair.new_model_name)
    values = (
        *(pair.number, pair.topic_id, pair.topic_title, pair.question_id, pair.question, pair.stage.value),
        *(pair.problem, pair.choice.value if pair.choice else None),
        *(*old, pair.old_tokens, pair.old_seconds, pair.old_text),
        *(*new, pair.new_tokens, pair.new_seconds, pair.new_text),
    )
    return dict(zip(_FIELDS, values, strict=True))


def _markdown(pair: Pair, names: Names) -> str:
    found = pair.choice.value if pair.choice else "no vote"
    parts = [f"\n## {pair.number}. {_in_one_line(pair.topic_title)}\n", _quoted(pair.question), f"Vote: {found}\n"]
    for side, version_id, model, text in (
        ("Old", pair.old_version_id, pair.old_model_name, pair.old_text),
        ("New", pair.new_version_id, pair.new_model_name, pair.new_text),
    ):
        missing = pair.problem or "not there"
        parts.append(f"### {side}: {_in_one_line(names.get(version_id, ''))} on {_in_one_line(model)}\n")
        parts.append(_quoted(missing if text is None else text))
    return "\n".join(parts)


def _quoted(text: str) -> str:
    return "".join(f"> {line}\n" for line in text.strip().splitlines())


def _in_one_line(text: str) -> str:
    return " ".join(text.replace("<", "&lt;").split())


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _csv_row(values: Iterable[str]) -> str:
    file = io.StringIO()
    csv.writer(file).writerow([f"'{value}" if value.startswith(_FORMULA) else value for value in values])
    return file.getvalue()
