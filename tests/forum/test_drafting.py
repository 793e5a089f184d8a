"""Keeping texts that are not sent, from several forms at once."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from forllm_server.accounts.local import LOCAL_USER_ID as YOU
from forllm_server.db import Database, metadata
from forllm_server.errors import Conflict, Invalid, NotFound
from forllm_server.forum import draft_store, drafting, subforums, topics
from forllm_server.forum.draft_model import Draft, DraftKind, DraftPlace, DraftText
from forllm_server.forum.drafting import Saved
from tests.forum.world import EVENING, counted_statements, minutes_later, start_topic

ONE, OTHER = "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"


@pytest.fixture
def place(database: Database) -> DraftPlace:
    return DraftPlace(DraftKind.REPLY, start_topic(database)[1].id)


@pytest.fixture
def connection(database: Database, place: DraftPlace) -> Iterator[Connection]:
    with database.transaction() as connection:
        yield connection


def save(
    connection: Connection,
    place: DraftPlace,
    content: str,
    *,
    writer: str = ONE,
    draft_id: int | None = None,
    version: int | None = None,
    minute: float = 0,
    title: str = "",
) -> Saved | None:
    return drafting.save_draft(
        connection,
        place,
        DraftText(content, title=title, fields={"is_asking": ["1"]}),
        owner_id=YOU,
        writer=writer,
        now=minutes_later(minute),
        draft_id=draft_id,
        known_version=version,
    )


def saved(result: Saved | None) -> Draft:
    assert result is not None
    return result.draft


def kept(connection: Connection, place: DraftPlace) -> list[str]:
    found = draft_store.list_drafts_of_place(connection, place, owner_id=YOU)
    return [draft.text.content for draft in found]


def test_a_form_writes_on_in_its_own_draft(connection: Connection, place: DraftPlace) -> None:
    first = saved(save(connection, place, "One"))
    again = saved(save(connection, place, "One two", draft_id=first.id, version=first.version, minute=1))
    assert (again.id, again.version, again.text.content) == (first.id, 2, "One two")
    assert again.text.fields == {"is_asking": ["1"]}
    assert kept(connection, place) == ["One two"]


def test_an_answer_that_was_lost_on_the_way_makes_no_second_draft(connection: Connection, place: DraftPlace) -> None:
    save(connection, place, "One")
    save(connection, place, "One two", minute=1)
    assert kept(connection, place) == ["One two"]


def test_two_forms_at_one_place_never_overwrite_each_other(connection: Connection, place: DraftPlace) -> None:
    first = saved(save(connection, place, "From the first tab"))
    taken_over = save(connection, place, "Second tab", writer=OTHER, draft_id=first.id, version=1, minute=1)
    assert taken_over is not None
    assert not taken_over.is_beside
    beside = save(connection, place, "First tab goes on", draft_id=first.id, version=1, minute=2)
    assert beside is not None
    assert beside.is_beside
    assert kept(connection, place) == ["First tab goes on", "Second tab"]


def test_an_emptied_form_keeps_nothing(connection: Connection, place: DraftPlace) -> None:
    first = saved(save(connection, place, "One"))
    assert save(connection, place, " \n", draft_id=first.id, version=1) is None
    assert kept(connection, place) == []


def test_a_sent_text_leaves_no_draft_unless_somebody_wrote_on(connection: Connection, place: DraftPlace) -> None:
    mine = saved(save(connection, place, "Mine"))
    drafting.finish_draft(connection, mine.id, owner_id=YOU, writer=ONE)
    other = saved(save(connection, place, "Shared", writer=OTHER))
    save(connection, place, "Shared, and on", writer=ONE, draft_id=other.id, version=1)
    drafting.finish_draft(connection, other.id, owner_id=YOU, writer=OTHER, known_version=1)
    assert kept(connection, place) == ["Shared, and on"]


def test_a_form_that_never_heard_its_drafts_id_still_ends_it(connection: Connection, place: DraftPlace) -> None:
    save(connection, place, "Mine")
    drafting.finish_draft_of_writer(connection, place, owner_id=YOU, writer=ONE)
    drafting.finish_draft_of_writer(connection, place, owner_id=YOU, writer="not a writer")
    assert kept(connection, place) == []


def test_a_discarded_draft_can_be_taken_back_for_thirty_days(connection: Connection, place: DraftPlace) -> None:
    draft = saved(save(connection, place, "Doubtful"))
    drafting.discard_draft(connection, draft.id, owner_id=YOU, now=EVENING)
    assert kept(connection, place) == []
    with pytest.raises(NotFound, match="discarded"):
        drafting.get_kept_draft(connection, draft.id, owner_id=YOU)
    drafting.restore_draft(connection, draft.id, owner_id=YOU)
    assert kept(connection, place) == ["Doubtful"]
    drafting.discard_draft(connection, draft.id, owner_id=YOU, now=EVENING)
    save(connection, place, "Another", writer=OTHER, minute=timedelta(days=31) / timedelta(minutes=1))
    with pytest.raises(NotFound):
        drafting.restore_draft(connection, draft.id, owner_id=YOU)


def test_what_was_never_there_keeps_no_draft(connection: Connection) -> None:
    for kind in DraftKind:
        with pytest.raises(NotFound):
            save(connection, DraftPlace(kind, 999), "Lost")


def test_a_draft_outlives_its_place_and_says_so(connection: Connection, place: DraftPlace) -> None:
    draft = saved(save(connection, place, "Still mine"))
    assert draft.is_place_there
    assert draft.place_name == "Roses"
    topics.delete_topic(connection, 1, EVENING)
    found = draft_store.get_draft(connection, draft.id, owner_id=YOU)
    assert (found.text.content, found.is_place_there) == ("Still mine", False)


def test_a_new_topics_draft_names_its_subforum(connection: Connection) -> None:
    draft = saved(save(connection, DraftPlace(DraftKind.TOPIC, 1), "", title="Only a title"))
    assert (draft.place_name, draft.is_place_there) == ("Garden", True)
    subforums.delete_subforum(connection, 1, EVENING)
    assert not draft_store.get_draft(connection, draft.id, owner_id=YOU).is_place_there


def test_a_text_too_long_for_a_post_is_kept_and_one_without_end_is_refused(
    connection: Connection, place: DraftPlace
) -> None:
    assert len(saved(save(connection, place, "x" * 500_000)).text.content) == 500_000
    with pytest.raises(Invalid, match="at most 1,000,000"):
        save(connection, place, "x" * 1_000_001)


def test_what_no_database_can_hold_is_replaced(connection: Connection, place: DraftPlace) -> None:
    assert saved(save(connection, place, "a\x00b\ud800c\r\nd")).text.content == "a\ufffdb\ufffdc\nd"


def test_there_is_an_end_to_how_many_are_kept(
    connection: Connection, place: DraftPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafting, "MOST_DRAFTS", 1)
    save(connection, place, "One")
    with pytest.raises(Conflict, match="Discard some"):
        save(connection, place, "Two", writer=OTHER)


def test_a_draft_of_another_version_of_forllm_is_read_for_its_text(connection: Connection, place: DraftPlace) -> None:
    draft = saved(save(connection, place, "Old words"))
    table = metadata.tables["drafts"]
    for strange in ([1, 2], "words", None, {"persona_id": {"deep": 1}}):
        connection.execute(table.update().values(fields=strange, format=99))
        assert draft_store.get_draft(connection, draft.id, owner_id=YOU).text.content == "Old words"


def test_changing_over_a_newer_version_is_refused(connection: Connection, place: DraftPlace) -> None:
    draft = saved(save(connection, place, "One"))
    changed = drafting.change_draft(
        connection, draft.id, {"content": "Two"}, owner_id=YOU, known_version=1, now=EVENING
    )
    assert (changed.version, changed.text.content) == (2, "Two")
    with pytest.raises(Conflict, match="its version is 2"):
        drafting.change_draft(connection, draft.id, {"content": "Three"}, owner_id=YOU, known_version=1, now=EVENING)


def test_a_list_costs_one_statement_however_long(database: Database, place: DraftPlace) -> None:
    with database.transaction() as connection:
        for number in range(12):
            save(connection, place, f"Draft {number}", writer=f"{number:016x}", minute=number)
    with database.read() as connection, counted_statements(database) as statements:
        found = draft_store.list_drafts(connection, owner_id=YOU, limit=5)
        last = found[-1]
        rest = draft_store.list_drafts(connection, owner_id=YOU, limit=50, after=(last.updated_at, last.id))
    assert [draft.text.content for draft in found] == [f"Draft {number}" for number in range(11, 6, -1)]
    assert len(rest) == 7
    assert len(statements) == 2
