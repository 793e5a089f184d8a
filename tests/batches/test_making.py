"""Templates, repetitions and what is refused before anything is created."""

from typing import Any

import pytest

from forllm_server.batches.making import BatchDraft, prepare
from forllm_server.batches.reading import Table
from forllm_server.batches.template import fill
from forllm_server.errors import Invalid

TABLE = Table(("town", "land"), (("Graz", "Austria"), ("Ulm", "{{town}}"), ("Graz", "Austria")))


def draft(**more: Any) -> BatchDraft:
    values: dict[str, Any] = {
        "subforum_id": 1,
        "title": "Towns",
        "template": "Is {{ town }} in {{land}}?",
        "table": TABLE,
        "persona_ids": (1,),
    }
    return BatchDraft(**(values | more))


def test_a_template_is_filled_once_and_braces_in_values_stay() -> None:
    assert fill("{{ town }}: {{land}} {x}", TABLE.columns, TABLE.lines[1]) == "Ulm: {{town}} {x}"


def test_repetitions_are_found_and_left_out_where_wished() -> None:
    prepared = prepare(draft())
    assert (prepared.duplicates, len(prepared.lines), prepared.cell_count) == (((3, 1),), 3, 3)
    once = prepare(draft(is_each_once=True, repeats=2, model_ids=(None, 7)))
    assert (once.duplicates, len(once.lines), once.cell_count) == (((3, 1),), 2, 8)
    assert once.questions[0] == "Is Graz in Austria?"


def test_the_same_table_asked_the_same_has_the_same_fingerprint() -> None:
    assert prepare(draft()).fingerprint == prepare(draft(title="Other")).fingerprint
    assert prepare(draft()).fingerprint != prepare(draft(persona_ids=(2,))).fingerprint
    assert prepare(draft()).fingerprint != prepare(draft(judge_persona_id=1, rubric="Is short.")).fingerprint


@pytest.mark.parametrize(
    ("more", "field", "words"),
    [
        ({"template": "Why?"}, "template", "names no column, so every line would ask the same. There is {{town}}"),
        ({"template": "{{city}}"}, "template", "names {{city}}, which is no column"),
        ({"title": " "}, "title", "A title has"),
        ({"persona_ids": ()}, "persona_ids", "at least one"),
        ({"persona_ids": (1, 1)}, "persona_ids", "twice"),
        ({"model_ids": ()}, "model_ids", "at least one"),
        ({"repeats": 0}, "repeats", "1 to 20 times"),
        ({"persona_ids": tuple(range(1, 10)), "repeats": 8}, "repeats", "72 answers"),
        ({"table": Table(("town", "land"), (("a", "b"), (" ", "b"))), "template": "{{town}}"}, "text", "Line 2"),
        ({"table": Table(("town", "land"), (("x" * 300_000, "b"),))}, "text", "Line 1 would ask 300,"),
        ({"judge_persona_id": 1, "rubric": " "}, "rubric", "what an answer must do"),
        ({"rubric": "Is short."}, "judge_persona_id", "Choose the persona"),
        ({"judge_persona_id": 1, "rubric": "x" * 4_001}, "rubric", "4,000"),
    ],
)
def test_what_cannot_be_asked_is_told_with_its_field(more: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(Invalid) as caught:
        prepare(draft(**more))
    assert caught.value.field == field
    assert words in caught.value.message
