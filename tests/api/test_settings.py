"""Settings by API."""

import pytest
from flask.testing import FlaskClient

from forllm_server.settings.fields import FIELDS


def test_all_settings_are_read_and_some_are_changed(client: FlaskClient) -> None:
    before = client.get("/api/v1/settings").get_json()
    assert set(before) == {field.name for field in FIELDS}
    after = client.patch("/api/v1/settings", json={"theme": "dark", "temperature": 0.5}).get_json()
    assert after == {**before, "theme": "dark", "temperature": 0.5}
    assert client.patch("/api/v1/settings", json={}).get_json() == after


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"theme": "neon"}, "theme"),
        ({"posts_per_page": 0}, "posts_per_page"),
        ({"posts_per_page": 10**30}, "posts_per_page"),
        ({"shows_link_warning": "yes"}, "shows_link_warning"),
        ({"temperature": "warm"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"default_model_id": 99}, "default_model_id"),
        ({"default_persona_id": 99}, "default_persona_id"),
        ({"default_persona_id": None}, "default_persona_id"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_setting_that_will_not_do_changes_nothing(client: FlaskClient, change: dict[str, object], field: str) -> None:
    before = client.get("/api/v1/settings").get_json()
    answer = client.patch("/api/v1/settings", json={"density": "compact", **change})
    assert (answer.status_code, answer.get_json()["field"]) == (422, field)
    assert client.get("/api/v1/settings").get_json() == before
