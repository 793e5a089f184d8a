"""A number of replies at once that cannot be is refused wherever it can be given, and nothing changes."""

import pytest
from flask.testing import FlaskClient

SERVER = {"name": "Workshop", "kind": "ollama", "base_url": "http://workshop.lan:11434", "concurrency": 2}


@pytest.mark.parametrize("number", [-1, -(2**63), 0, 65, 2**63, 1.5, "two", [], True])
def test_a_backend_keeps_its_number_when_another_cannot_be(client: FlaskClient, number: object) -> None:
    added = client.post("/api/v1/backends", json=SERVER).get_json()
    refused = client.patch(f"/api/v1/backends/{added['id']}", json={"concurrency": number})
    assert (refused.status_code, refused.get_json()["field"]) == (422, "concurrency")
    assert client.get(f"/api/v1/backends/{added['id']}").get_json()["concurrency"] == 2
    again = client.post("/api/v1/backends", json=SERVER | {"name": "Attic", "concurrency": number})
    assert (again.status_code, again.get_json()["field"]) == (422, "concurrency")
