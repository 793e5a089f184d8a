"""Drafts of personas in the tables of both databases."""

from datetime import timedelta

from forllm_server.db import Database
from forllm_server.personas import draft_store, drafting
from forllm_server.personas.draft_model import Brief, DraftText
from tests.personas.world import EVENING, YOU, add_subforum

TEXT = "You ask for the numbers before you answer."


def test_a_draft_goes_its_whole_way(database: Database) -> None:
    with database.transaction() as connection:
        brief = Brief("Knows disks.", subforum_id=add_subforum(connection), subforum_name="Garden")
        first, second, third = (
            draft_store.insert_draft(
                connection, owner_id=YOU, group_id="g", number=number, total=3, brief=brief, now=EVENING
            )
            for number in (1, 2, 3)
        )
        for draft in (first, second):
            text = DraftText("Rosa", "Asks back.", TEXT)
            drafting.write_draft_down(connection, draft, text, answer=TEXT, model_name="qwen3:8b", now=EVENING)
        draft_store.update_draft(connection, third.id, previous_id=second.id)
        assert draft_store.get_draft(connection, first.id).brief == brief
        assert draft_store.list_open_names(connection, leaving_out=first.id) == ["Rosa 2"]
        made = drafting.accept_draft(connection, first.id, owner_id=YOU, is_assigned=True, now=EVENING)
        accepted = draft_store.get_draft(connection, first.id)
        assert draft_store.list_origins(connection, made.id) == {made.version.id: accepted}
        assert draft_store.list_accepted_persona_ids(connection, [accepted, second]) == {first.id: made.id}
        drafting.drop_draft(connection, second.id, EVENING)
        assert [draft.id for draft in draft_store.list_open_drafts(connection, limit=9)] == [third.id]
        assert draft_store.count_open_drafts(connection) == 1
        later = EVENING + timedelta(days=31)
        assert drafting.erase_dropped_drafts(connection, older_than_days=30, now=later) == 1
        group = draft_store.list_drafts_of_group(connection, "g")
        assert [(draft.id, draft.previous_id) for draft in group] == [(first.id, None), (third.id, None)]
