"""The schedule by API."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask.testing import FlaskClient

from tests.conftest import EVENING

NIGHT = {"days": ["fri", "mon"], "start_minute": 1350, "end_minute": 360, "timezone": "Europe/Berlin"}


def test_windows_are_added_replaced_and_deleted(client: FlaskClient) -> None:
    added = client.post("/api/v1/schedule/windows", json=NIGHT)
    assert added.status_code == 201
    window = added.get_json()
    assert (window["days"], window["closing"], window["is_enabled"]) == (["mon", "fri"], "finish", True)
    address = added.headers["Location"]
    assert client.get(address).get_json() == window
    replaced = client.put(address, json={**NIGHT, "closing": "pause", "is_enabled": False, "end_minute": 1440})
    assert (replaced.get_json()["closing"], replaced.get_json()["end_minute"]) == ("pause", 1440)
    assert client.delete(address).status_code == 204
    assert client.get("/api/v1/schedule/windows").get_json() == {"items": [], "next": None}


def test_without_windows_it_is_always_open(client: FlaskClient) -> None:
    status = client.get("/api/v1/schedule/status").get_json()
    assert (status["is_open"], status["is_always_open"], status["open_until"]) == (True, True, None)
    assert [item["backend_id"] for item in status["backends"]] == [1]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"days": []}, "days"),
        ({"days": ["monday"]}, "days.0"),
        ({"start_minute": 1440}, "start_minute"),
        ({"end_minute": 1441}, "end_minute"),
        ({"end_minute": "06:00"}, "end_minute"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"closing": "explode"}, "closing"),
        ({"backend_id": 99}, "backend_id"),
    ],
)
def test_what_cannot_be_a_window_names_its_field(client: FlaskClient, change: dict[str, object], field: str) -> None:
    answer = client.post("/api/v1/schedule/windows", json={**NIGHT, **change})
    assert (answer.status_code, answer.get_json()["field"]) == (422, field)


def test_the_status_tells_when_it_opens_under_its_old_names_too(client: FlaskClient) -> None:
    client.patch("/api/v1/settings", json={"timezone": "UTC"})
    client.post("/api/v1/schedule/windows", json={**NIGHT, "timezone": "UTC"})
    with time_machine.travel(EVENING, tick=False):
        status = client.get("/api/v1/schedule/status").get_json()
    (embedded,) = status["backends"]
    for told in (status, embedded):
        assert (told["active"], told["is_open"], told["open_until"]) == (False, False, None)
        assert told["words"] == "opens 22:30, in 1 h 30"
        assert told["next_start"] == told["next_opening"]
        assert datetime.fromisoformat(told["next_start"]) == EVENING + timedelta(minutes=90)
    with time_machine.travel(EVENING + timedelta(hours=2), tick=False):
        status = client.get("/api/v1/schedule/status").get_json()
    assert status["active"] is True
    assert datetime.fromisoformat(status["open_until"]) == datetime(2026, 11, 21, 6, 0, tzinfo=UTC)


def test_exceptions_are_added_listed_and_taken_back(client: FlaskClient) -> None:
    with time_machine.travel(EVENING, tick=False):
        added = client.post(
            "/api/v1/schedule/exceptions",
            json={"date": "2026-12-24", "kind": "open", "start_minute": 600, "end_minute": 0, "note": " Holiday "},
        )
    assert added.status_code == 201
    told = added.get_json()
    assert (told["date"], told["kind"], told["start_minute"], told["end_minute"]) == ("2026-12-24", "open", 600, 1440)
    assert (told["note"], told["backend_id"]) == ("Holiday", None)
    assert client.get(added.headers["Location"]).get_json() == told
    assert client.get("/api/v1/schedule/exceptions").get_json()["items"] == [told]
    assert client.delete(added.headers["Location"]).status_code == 204
    assert client.get(added.headers["Location"]).status_code == 404
    assert client.delete(added.headers["Location"]).status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"date": "24.12.2026"}, "date"),
        ({"date": "2026-13-01"}, "date"),
        ({"date": 20261224}, "date"),
        ({"date": "2126-12-24"}, "date"),
        ({"kind": "half"}, "kind"),
        ({"start_minute": 5}, "end_minute"),
        ({"end_minute": 5}, "start_minute"),
        ({"backend_id": 99}, "backend_id"),
        ({"note": "x" * 501}, "note"),
        ({"day": "mon"}, "day"),
    ],
)
def test_what_cannot_be_an_exception_names_its_field(
    client: FlaskClient, change: dict[str, object], field: str
) -> None:
    answer = client.post("/api/v1/schedule/exceptions", json={"date": "2026-12-24", "kind": "closed", **change})
    assert (answer.status_code, answer.get_json()["field"]) == (422, field)


def test_tonight_can_be_made_longer(client: FlaskClient) -> None:
    client.patch("/api/v1/settings", json={"timezone": "UTC"})
    client.post("/api/v1/schedule/windows", json={**NIGHT, "timezone": "UTC"})
    with time_machine.travel(EVENING, tick=False):
        added = client.post("/api/v1/schedule/extension", json={"until": "09:00"})
        status = client.get("/api/v1/schedule/status").get_json()
    assert added.status_code == 201
    assert client.get(added.headers["Location"]).get_json() == added.get_json()
    assert datetime.fromisoformat(status["open_until"]) == datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
    for until in ("9", "25:00", "", "nine"):
        refused = client.post("/api/v1/schedule/extension", json={"until": until})
        assert (refused.status_code, refused.get_json()["field"]) == (422, "until"), until
