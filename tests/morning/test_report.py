"""A night's report: what it sums, how it orders, and what it leaves out."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import event

from forllm_server.db import Database, metadata
from forllm_server.errors import NotFound
from forllm_server.morning import night_store
from forllm_server.morning.figures import count_swaps, worked_seconds
from forllm_server.morning.model import Report, Stretch
from forllm_server.morning.report import read_month, read_report
from forllm_server.queue.model import Pause
from forllm_server.schedule.planning import add_window, new_window
from forllm_server.schedule.windows import DAYS
from forllm_server.settings.values import change_settings
from tests.morning.night_world import answer, end_request, open_topic
from tests.support.world import LOCAL_USER, World, insert_model, make_world

MORNING = datetime(2026, 11, 21, 7, 5, tzinfo=UTC)
NIGHT = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
DAY = date(2026, 11, 21)


@pytest.fixture
def world(database: Database, now: datetime) -> World:
    world = make_world(database, now)
    with database.transaction() as connection:
        change_settings(connection, {"timezone": "UTC"}, now)
        window = new_window(days=list(DAYS), start_minute=22 * 60, end_minute=6 * 60)
        add_window(connection, window, owner_id=LOCAL_USER, now=now)
    return world


def report(database: Database, day: date | None = None, at: datetime = MORNING) -> Report:
    with database.read() as connection:
        return read_report(connection, day, at)


def test_a_night_is_summed_up(database: Database, world: World) -> None:
    answer(database, world, NIGHT, usage={"watt_hours": 3.5, "is_energy_measured": True, "cost": 0.01, "currency": "€"})
    answer(database, world, NIGHT + timedelta(minutes=2), usage={"load_seconds": 8.0, "cached_tokens": None})
    end_request(database, world, NIGHT + timedelta(minutes=3), "failed", cause="error", cause_detail="Out of memory.")
    end_request(database, world, NIGHT + timedelta(minutes=4), "cancelled")
    figures = report(database).figures
    assert (figures.answered, figures.failed, figures.cancelled, figures.topics) == (2, 1, 1, 1)
    assert (figures.prompt_tokens, figures.completion_tokens, figures.loads) == (2000, 400, 1)
    assert figures.tokens_per_second == pytest.approx(10.0)
    # The second server did not tell, so its prompt is not held against the first one's.
    assert figures.cached_share == pytest.approx(0.4)
    assert figures.worked_seconds == 240
    assert figures.energy is not None
    assert (figures.energy.watt_hours, figures.energy.is_measured, figures.energy.known_of) == (3.5, True, 1)
    assert figures.energy.costs == {"€": pytest.approx(0.01)}
    assert figures.models == (("qwen3:8b", 2, 400, pytest.approx(10.0)),)


def test_energy_that_is_estimated_in_part_counts_as_estimated(database: Database, world: World) -> None:
    answer(database, world, NIGHT, usage={"watt_hours": 3.0, "is_energy_measured": True})
    answer(database, world, NIGHT, usage={"watt_hours": 1.0, "is_energy_measured": False})
    energy = report(database).figures.energy
    assert energy is not None
    assert (energy.watt_hours, energy.is_measured, energy.costs) == (4.0, False, {})


def test_only_what_ended_in_that_night_is_in_its_report(database: Database, world: World) -> None:
    answer(database, world, datetime(2026, 11, 20, 11, 59, tzinfo=UTC))
    answer(database, world, datetime(2026, 11, 20, 12, 0, tzinfo=UTC))
    answer(database, world, datetime(2026, 11, 21, 11, 59, 59, tzinfo=UTC))
    answer(database, world, datetime(2026, 11, 21, 12, 0, tzinfo=UTC))
    later = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    assert [report(database, day, later).figures.answered for day in (date(2026, 11, 20), DAY, date(2026, 11, 22))] == [
        1,
        2,
        1,
    ]


def test_replies_stand_in_the_order_of_importance(database: Database, world: World, now: datetime) -> None:
    before = NIGHT - timedelta(days=2)
    answer(database, world, before)
    answer(database, world, NIGHT)
    discussed_id, discussed_post = open_topic(database, world, now, "Is a mirror a backup?")
    answer(database, world, before, topic_id=discussed_id, question_id=discussed_post)
    for name in ("Skeptic", "Teacher"):
        answer(
            database,
            world,
            NIGHT + timedelta(hours=1),
            topic_id=discussed_id,
            question_id=discussed_post,
            persona_name=name,
        )
    new_id, new_post = open_topic(database, world, now, "First question")
    answer(database, world, NIGHT + timedelta(hours=2), topic_id=new_id, question_id=new_post)
    found = report(database).topics
    assert [topic.topic_id for topic in found] == [new_id, discussed_id, world.topic_id]
    assert [reply.persona_name for reply in found[1].replies] == ["Skeptic", "Teacher"]
    assert [topic.has_first_replies for topic in found] == [True, False, False]
    with database.read() as connection:
        unread = read_report(connection, None, MORNING, find_unread=lambda ids: set(ids) & {world.topic_id}).topics
    assert [topic.topic_id for topic in unread] == [world.topic_id, new_id, discussed_id]
    assert unread[0].is_unread


@pytest.mark.parametrize("table", ["posts", "topics", "subforums"])
def test_what_lies_in_the_trash_is_counted_but_not_listed(database: Database, world: World, table: str) -> None:
    answer(database, world, NIGHT)
    rows = metadata.tables[table]
    with database.transaction() as connection:
        connection.execute(rows.update().values(deleted_at=MORNING))
    found = report(database)
    assert (found.figures.answered, found.topics) == (1, ())


def test_failures_are_told_as_long_as_they_have_failed(database: Database, world: World) -> None:
    failed_id = end_request(database, world, NIGHT, "failed", cause="model_gone", cause_detail="Gone.")
    assert [request.id for request in report(database).failed] == [failed_id]
    requests = metadata.tables["llm_requests"]
    with database.transaction() as connection:
        connection.execute(requests.update().values(status="queued", finished_at=None))
    found = report(database)
    assert (found.failed, found.waiting, found.figures.failed) == ((), 1, 0)


def test_the_first_morning_and_the_last_are_the_ends(database: Database, world: World) -> None:
    found = report(database)
    assert (found.night.day, found.is_latest, found.next_day, found.is_under_way) == (DAY, True, None, False)
    assert report(database, date(2026, 11, 20)).next_day == DAY
    assert report(database, at=NIGHT).is_under_way
    for day in (date(2026, 11, 22), date(1999, 12, 31)):
        with pytest.raises(NotFound):
            report(database, day)


def test_a_kept_night_keeps_its_hours_when_the_schedule_changes(database: Database, world: World) -> None:
    with database.transaction() as connection:
        night_store.replace_night(connection, report(database).night)
        windows = metadata.tables["schedule_windows"]
        connection.execute(windows.update().values(start_minute=60, end_minute=120))
    assert report(database).night.begins_at == datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
    assert report(database, date(2026, 11, 20)).night.begins_at == datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


def test_a_month_is_counted_by_night(database: Database, world: World) -> None:
    for day in (1, 1, 15, 30):
        answer(database, world, datetime(2026, 11, day, 3, 0, tzinfo=UTC))
    end_request(database, world, datetime(2026, 11, 7, 3, 0, tzinfo=UTC), "failed", cause="error")
    answer(database, world, datetime(2026, 10, 31, 11, 0, tzinfo=UTC))
    with database.read() as connection:
        assert read_month(connection, date(2026, 11, 1), MORNING) == {
            date(2026, 11, 1): 2,
            date(2026, 11, 15): 1,
            date(2026, 11, 30): 1,
        }
        assert read_month(connection, date(2026, 10, 1), MORNING) == {date(2026, 10, 31): 1}


def test_pauses_are_told_that_held_in_the_night(database: Database, world: World) -> None:
    began = NIGHT + timedelta(minutes=41)
    with database.transaction() as connection:
        held = Pause(world.backend_id, None, "GPU in use", began, True)
        night_store.insert_pauses(connection, {world.backend_id: held})
        night_store.insert_pauses(connection, {world.backend_id: held, 0: Pause(0, None, "", MORNING, False)})
        (record,) = (each for each in night_store.list_open_pauses(connection) if each.scope)
        night_store.update_pause_ended(connection, record, began + timedelta(minutes=74))
        night_store.update_pause_ended(connection, record, MORNING)
    (told,) = report(database).pauses
    assert (told.began_at, told.ended_at, told.reason) == (began, began + timedelta(minutes=74), "GPU in use")


def test_a_report_reads_the_index_and_not_the_history(sqlite_database: Database) -> None:
    statements: list[tuple[str, object]] = []

    def note(_c: object, _cursor: object, statement: str, parameters: object, *_rest: object) -> None:
        if "finished_at" in statement and statement.startswith(("SELECT", "WITH")):
            statements.append((statement, parameters))

    event.listen(sqlite_database.engine, "before_cursor_execute", note)
    report(sqlite_database)
    with sqlite_database.read() as connection:
        read_month(connection, date(2026, 11, 1), MORNING)
        event.remove(sqlite_database.engine, "before_cursor_execute", note)
        assert len(statements) == 5
        for statement, parameters in statements:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            read = [row[3] for row in plan if "llm_requests" in row[3]]
            assert read
            assert all("ix_llm_requests_finished" in step for step in read), read


def stretch(begin: int, end: int, model_id: int = 1, backend_id: int = 1) -> Stretch:
    return Stretch(backend_id, model_id, NIGHT + timedelta(seconds=begin), NIGHT + timedelta(seconds=end))


def test_work_that_went_on_side_by_side_is_counted_once() -> None:
    assert worked_seconds([stretch(0, 10), stretch(5, 15), stretch(6, 7), stretch(20, 30)]) == 25
    assert worked_seconds([]) == 0


def test_models_are_changed_backend_by_backend() -> None:
    steps = [
        stretch(0, 1),
        stretch(2, 3, 2),
        stretch(4, 5),
        stretch(2, 3, 7, backend_id=2),
        stretch(4, 5, 7, backend_id=2),
    ]
    assert count_swaps(steps) == 2


def test_several_models_are_told_with_the_most_used_first(database: Database, world: World, now: datetime) -> None:
    with database.transaction() as connection:
        other = insert_model(connection, world.backend_id, now, name="mistral")
    answer(database, world, NIGHT)
    for minute in (10, 20):
        answer(database, world, NIGHT + timedelta(minutes=minute), new={"model_id": other, "model_name": "mistral"})
    figures = report(database).figures
    assert [row[:2] for row in figures.models] == [("mistral", 2), ("qwen3:8b", 1)]
    assert figures.swaps == 1
