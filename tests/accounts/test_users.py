from datetime import datetime, timedelta

import pytest

from forllm_server.accounts.idempotency_store import delete_responses_before, find_response, insert_response
from forllm_server.accounts.local import LOCAL_USER_ID, ensure_local_user
from forllm_server.accounts.tables import users
from forllm_server.accounts.user_store import find_user, insert_user, list_users
from forllm_server.db import Database
from forllm_server.errors import Conflict


def test_the_local_user_is_made_once(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        connection.execute(users.update().values(name="Ada"))
        assert ensure_local_user(connection, now).name == "Ada"
        assert len(list_users(connection)) == 1


def test_a_new_database_gets_its_local_user_and_others_get_other_numbers(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        # the rows every forum starts with belong to the user that is taken away here
        connection.exec_driver_sql("UPDATE personas SET current_version_id = NULL")
        for table in ("persona_versions", "personas", "backends", "users"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
        made = ensure_local_user(connection, now)
        assert (made.id, made.name) == (LOCAL_USER_ID, "You")
        assert find_user(connection, LOCAL_USER_ID) == made
        assert insert_user(connection, name=" Grace ", now=now).name == "Grace"
        assert [user.id for user in list_users(connection)] == [1, 2]


def test_an_answer_is_kept_under_its_key(database: Database, now: datetime) -> None:
    body = {"id": 7, "content": "ä"}
    with database.transaction() as connection:
        assert find_response(connection, owner_id=1, key="k") is None
        insert_response(connection, owner_id=1, key="k", route="POST /x", status_code=201, body=body, now=now)
    with database.read() as connection:
        found = find_response(connection, owner_id=1, key="k")
        assert find_response(connection, owner_id=2, key="k") is None
    assert found is not None
    assert (found.route, found.status_code, found.body, found.created_at) == ("POST /x", 201, body, now)


def test_the_second_call_with_a_key_undoes_its_work(database: Database, now: datetime) -> None:
    def answer(name: str) -> None:
        with database.transaction() as connection:
            insert_user(connection, name=name, now=now)
            insert_response(connection, owner_id=1, key="k", route="POST /x", status_code=201, body=None, now=now)

    answer("Ada")
    with pytest.raises(Conflict):
        answer("Grace")
    with database.read() as connection:
        assert [user.name for user in list_users(connection)] == ["You", "Ada"]


def test_old_answers_are_forgotten(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        for key, age in (("old", 25), ("new", 1)):
            insert_response(
                connection, owner_id=1, key=key, route="POST /x", status_code=201, body={},
                now=now - timedelta(hours=age),
            )  # fmt: skip
        assert delete_responses_before(connection, now - timedelta(hours=24)) == 1
        assert find_response(connection, owner_id=1, key="old") is None
        assert find_response(connection, owner_id=1, key="new") is not None
