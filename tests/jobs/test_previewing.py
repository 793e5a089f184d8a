from forllm_server.jobs.previewing import Draft, estimate
from tests.jobs.conftest import Evening


def test_a_draft_is_counted_with_the_thread_above_it(evening: Evening) -> None:
    with evening.database.read() as connection:
        alone = estimate(connection, Draft("Which one?", title="Disks", subforum_id=evening.world.subforum_id))
        below = estimate(connection, Draft("Which one?", parent_id=evening.world.post_id))
    assert alone.text_tokens == below.text_tokens > 0
    assert alone.breakdown is not None
    assert below.breakdown is not None
    assert (below.breakdown.ancestor_count, alone.breakdown.ancestor_count) == (1, 0)
    assert (below.model_name, below.context_tokens, below.persona_name) == ("qwen3:8b", 4096, "Assistant")


def test_what_will_not_fit_is_said_before_it_is_asked(evening: Evening) -> None:
    with evening.database.read() as connection:
        counted = estimate(connection, Draft("word " * 9000, parent_id=evening.world.post_id))
    assert counted.breakdown is None
    assert "do not fit" in (counted.problem or "")


def test_without_a_model_the_text_is_counted_all_the_same(evening: Evening) -> None:
    evening.change("models", evening.world.model_id, is_available=False)
    with evening.database.read() as connection:
        counted = estimate(connection, Draft("Which one?", subforum_id=evening.world.subforum_id))
    assert (counted.model_name, counted.breakdown) == (None, None)
    assert counted.text_tokens > 0
