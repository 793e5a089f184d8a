"""Personas by a model: two steps in the queue, and nothing false or lost on the way."""

import json

import pytest

from forllm_server import clock
from forllm_server.errors import Conflict, Invalid, NotFound
from forllm_server.jobs.chores import fail_those_of_deleted_backends
from forllm_server.jobs.draft_asking import NAME, Wish, ask_again, ask_drafts, drop
from forllm_server.personas import draft_store, drafting, persona_store
from forllm_server.personas.assignment_store import list_assignments
from forllm_server.personas.draft_model import PersonaDraft
from forllm_server.personas.editing import create_persona, delete_persona
from forllm_server.queue.control import requeue_llm_request, retry_llm_request
from forllm_server.queue.llm_request_store import get_llm_request, list_llm_requests
from forllm_server.queue.model import Cause, Lane, LlmRequest, Status
from tests.jobs.conftest import Evening
from tests.support.scripted_server import Script
from tests.support.world import LOCAL_USER, insert_backend, insert_model

TEXT = "You are a careful reader of storage questions. You ask for the numbers before you answer."
NOTES = "A librarian of disks. Dry, short, asks back."


def persona(name: str = "Rosa", text: str = TEXT) -> str:
    return json.dumps({"name": name, "description": "Asks for numbers.", "instructions": text})


class Workshop:
    """What a test does: ask for drafts, let models write, read what became of them."""

    def __init__(self, evening: Evening) -> None:
        self.evening = evening

    def ask(self, **wish: object) -> list[PersonaDraft]:
        values: dict[str, object] = {"owner_id": LOCAL_USER, "description": "Somebody who knows disks."}
        with self.evening.database.transaction() as connection:
            return ask_drafts(connection, Wish(**(values | wish)), clock.now())

    def again(self, draft_id: int, **wish: object) -> PersonaDraft:
        with self.evening.database.transaction() as connection:
            return ask_again(connection, draft_id, now=clock.now(), **wish)

    def accept(self, draft_id: int, **given: object) -> persona_store.Persona:
        with self.evening.database.transaction() as connection:
            return drafting.accept_draft(connection, draft_id, owner_id=LOCAL_USER, now=clock.now(), **given)

    def writes(self, *answers: str) -> None:
        self.evening.server.script(*(Script(tokens=(answer,)) for answer in answers))
        for _ in answers:
            assert self.evening.run()

    def get(self, draft_id: int) -> PersonaDraft:
        with self.evening.database.read() as connection:
            return draft_store.get_draft(connection, draft_id)

    def request(self, draft_id: int) -> LlmRequest:
        with self.evening.database.read() as connection:
            return get_llm_request(connection, self.get(draft_id).llm_request_id or 0)

    def written(self, **wish: object) -> PersonaDraft:
        (draft,) = self.ask(**wish)
        self.writes(NOTES, persona())
        return self.get(draft.id)

    def sent(self) -> str:
        return str(self.evening.server.chats[-1]["messages"][-1]["content"])


@pytest.fixture
def workshop(evening: Evening) -> Workshop:
    return Workshop(evening)


def test_a_draft_is_written_in_two_steps_of_the_same_model_and_lane(workshop: Workshop) -> None:
    (draft,) = workshop.ask(is_run_now=True)
    workshop.writes(NOTES)
    first, second = draft.llm_request_id, workshop.request(draft.id)
    assert (second.kind, second.status, second.lane, second.model_name) == (NAME, Status.QUEUED, Lane.LIVE, "qwen3:8b")
    assert second.id != first
    assert "Somebody who knows disks." in workshop.sent()
    workshop.writes(f"Here it is:\n```json\n{persona()}\n```")
    assert NOTES in workshop.sent()
    found = workshop.get(draft.id)
    assert (found.text.name, found.text.instructions, found.expansion) == ("Rosa", TEXT, NOTES)
    assert (found.model_name, found.expansion_llm_request_id, found.llm_request_id) == ("qwen3:8b", first, second.id)
    assert len(workshop.evening.posts()) == 1


def test_the_second_step_is_there_exactly_when_the_first_is_settled(workshop: Workshop) -> None:
    """A worker that dies before the end of the first step leaves no second one, and one that is lost asks for none."""
    (draft,) = workshop.ask()
    workshop.evening.server.answer = lambda body: _lose_the_lease(workshop)
    workshop.evening.run()
    assert len(workshop.evening.server.chats) == 1
    with workshop.evening.database.read() as connection:
        assert len(list_llm_requests(connection, limit=10)) == 1
    assert workshop.get(draft.id).expansion == ""


def _lose_the_lease(workshop: Workshop) -> Script:
    workshop.evening.change("llm_requests", 1, lease_token="somebody else")
    return Script(tokens=(NOTES,))


def test_what_cannot_be_read_is_an_error_with_its_text_kept_and_can_be_tried_again(workshop: Workshop) -> None:
    (draft,) = workshop.ask()
    workshop.writes(NOTES, "<html><script>alert(1)</script>I am but a poem.")
    failed = workshop.request(draft.id)
    assert (failed.status, failed.cause) == (Status.FAILED, Cause.ERROR)
    assert "no persona" in (failed.cause_detail or "")
    partial = workshop.evening.partial(failed.id)
    assert partial is not None
    assert "I am but a poem." in partial.text
    assert not workshop.get(draft.id).is_written
    with workshop.evening.database.transaction() as connection:
        retry_llm_request(connection, failed.id, clock.now())
    workshop.writes(persona())
    assert workshop.get(draft.id).text.name == "Rosa"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (Script(tokens=(persona(),), finish_reason="length"), "longest answer"),
        (
            Script(tokens=('{"name": "Rosa", "instructions": "', *["You are kind and ask back. "] * 200)),
            "again and again",
        ),
        (Script(tokens=(" ",)), "no answer"),
    ],
)
def test_half_an_answer_is_no_draft(workshop: Workshop, script: Script, words: str) -> None:
    (draft,) = workshop.ask()
    workshop.writes(NOTES)
    workshop.evening.server.script(script)
    workshop.evening.run()
    assert words in (workshop.request(draft.id).cause_detail or "")
    assert not workshop.get(draft.id).is_written


def test_ten_are_told_apart_and_a_name_that_is_taken_gets_a_number(workshop: Workshop) -> None:
    drafts = workshop.ask(count=3, description="", subforum_id=workshop.evening.world.subforum_id)
    workshop.writes(NOTES, NOTES)
    assert f"differs from all of them:\n<others>\n- {NOTES}\n</others>" in workshop.sent()
    workshop.writes(NOTES, persona(), persona(), persona("assistant"))
    assert "Homelab" in workshop.sent()
    assert [workshop.get(draft.id).text.name for draft in drafts] == ["Rosa", "Rosa 2", "assistant 2"]
    assert "These names are taken:\n<names>\nRosa\nRosa 2\n</names>" in workshop.sent()
    assert [draft.number for draft in workshop.ask(count=10)] == list(range(1, 11))


def test_the_same_form_sent_twice_asks_once(workshop: Workshop) -> None:
    assert workshop.ask(group_id="ab") == workshop.ask(group_id="ab")


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"description": " \n "}, "description"),
        ({"description": "x" * 100_000}, "description"),
        ({"name": "y" * 101}, "name"),
        ({"count": 0}, "count"),
        ({"count": 11}, "count"),
        ({"model_id": 99}, "model_id"),
        ({"subforum_id": 99}, "subforum_id"),
    ],
)
def test_what_cannot_be_asked_for_names_its_field(workshop: Workshop, wish: dict[str, object], field: str) -> None:
    with pytest.raises((Invalid, NotFound)) as problem:
        workshop.ask(**wish)
    assert problem.value.field == field
    with workshop.evening.database.read() as connection:
        assert draft_store.count_open_drafts(connection) == 0


def test_accepting_makes_a_persona_that_knows_where_it_comes_from(workshop: Workshop) -> None:
    subforum_id = workshop.evening.world.subforum_id
    draft = workshop.written(subforum_id=subforum_id)
    made = workshop.accept(draft.id, name="Rosa Luz", instructions=f"{TEXT} Briefly.", is_assigned=True)
    assert (made.name, made.version.number, made.version.note) == (
        "Rosa Luz",
        1,
        "Written by qwen3:8b. Asks for numbers.",
    )
    with workshop.evening.database.read() as connection:
        origin = draft_store.list_origins(connection, made.id)[made.version.id]
        assert [each.persona_id for each in list_assignments(connection, subforum_id)] == [made.id]
    assert (origin.id, origin.text.instructions) == (draft.id, TEXT)
    with pytest.raises(Conflict, match="already"):
        workshop.accept(draft.id)


def test_a_name_taken_meanwhile_gets_a_number_unless_the_person_wrote_it(workshop: Workshop) -> None:
    draft = workshop.written()
    with workshop.evening.database.transaction() as connection:
        create_persona(connection, owner_id=LOCAL_USER, name="ROSA", instructions=TEXT, now=clock.now())
    with pytest.raises(Conflict) as problem:
        workshop.accept(draft.id, name="assistant")
    assert problem.value.field == "name"
    with pytest.raises(Invalid):
        workshop.accept(draft.id, name=" ")
    assert workshop.accept(draft.id, name="Rosa").name == "Rosa 2"


def test_written_again_with_a_remark_the_text_is_changed_and_the_old_one_kept(workshop: Workshop) -> None:
    draft = workshop.written()
    again = workshop.again(draft.id, remark="Make her angry.")
    workshop.writes(persona(text=f"{TEXT} You are angry."))
    assert "Make her angry." in workshop.sent()
    assert TEXT in workshop.sent()
    found = workshop.get(again.id)
    assert (found.text.name, found.previous_id, found.remark) == ("Rosa", draft.id, "Make her angry.")
    assert workshop.get(draft.id).is_replaced
    with workshop.evening.database.read() as connection:
        assert [each.id for each in draft_store.list_open_drafts(connection, limit=9)] == [again.id]
    assert workshop.accept(draft.id).version.instructions == TEXT
    with pytest.raises(Conflict):
        workshop.again(draft.id)


def test_written_again_without_a_remark_all_is_thought_through_anew(workshop: Workshop) -> None:
    draft = workshop.written()
    again = workshop.again(draft.id)
    with pytest.raises(Conflict, match="being written"):
        workshop.again(again.id)
    workshop.writes("Other notes.", persona("Luz"))
    assert (workshop.get(again.id).expansion, workshop.get(again.id).text.name) == ("Other notes.", "Luz")


def test_only_the_step_that_failed_is_done_again(workshop: Workshop) -> None:
    (draft,) = workshop.ask()
    workshop.writes(NOTES, "nonsense")
    again = workshop.again(draft.id)
    workshop.writes(persona())
    assert workshop.get(again.id).text.name == "Rosa"


def test_a_dropped_draft_is_called_off_and_comes_back(workshop: Workshop) -> None:
    (draft,) = workshop.ask()
    with workshop.evening.database.transaction() as connection:
        drop(connection, draft.id, clock.now())
    assert workshop.request(draft.id).status is Status.CANCELLED
    with workshop.evening.database.transaction() as connection:
        retry_llm_request(connection, draft.llm_request_id or 0, clock.now())
    workshop.evening.run()
    assert workshop.request(draft.id).cause is Cause.SUBJECT_GONE
    with workshop.evening.database.transaction() as connection:
        assert drafting.restore_draft(connection, draft.id).is_open
        retry_llm_request(connection, draft.llm_request_id or 0, clock.now())
    workshop.writes(NOTES, persona())
    assert workshop.get(draft.id).is_written


def test_dropped_drafts_are_erased_after_their_days(workshop: Workshop) -> None:
    draft = workshop.written()
    again = workshop.again(draft.id)
    with workshop.evening.database.transaction() as connection:
        drop(connection, again.id, clock.now())
        assert drafting.erase_dropped_drafts(connection, older_than_days=30, now=clock.now()) == 0
        assert drafting.erase_dropped_drafts(connection, older_than_days=0, now=clock.now()) == 1


def test_a_model_that_went_away_is_told_and_another_one_goes_on(workshop: Workshop) -> None:
    (draft,) = workshop.ask()
    workshop.writes(NOTES)
    evening = workshop.evening
    evening.change("backends", evening.world.backend_id, deleted_at=clock.now())
    fail_those_of_deleted_backends(evening.database, clock.now())
    failed = workshop.request(draft.id)
    assert (failed.status, failed.cause) == (Status.FAILED, Cause.MODEL_GONE)
    with pytest.raises(Invalid) as problem:
        workshop.again(draft.id, model_id=evening.world.model_id)
    assert problem.value.field == "model_id"
    with evening.database.transaction() as connection:
        backend_id = insert_backend(connection, clock.now(), base_url=evening.server.url, name="Attic")
        model_id = insert_model(connection, backend_id, clock.now(), name="other")
        requeue_llm_request(connection, failed.id, model_id=model_id, now=clock.now())
    workshop.writes(persona())
    assert (workshop.get(draft.id).text.name, workshop.get(draft.id).model_name) == ("Rosa", "other")


def test_a_deleted_persona_frees_the_name(workshop: Workshop) -> None:
    made = workshop.accept(workshop.written().id)
    with workshop.evening.database.transaction() as connection:
        delete_persona(connection, made.id, clock.now())
    assert workshop.accept(workshop.written().id).name == "Rosa"
