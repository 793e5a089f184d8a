"""The schedule by API."""

import pytest
from flask.testing import FlaskClient

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
