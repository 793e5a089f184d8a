"""Personas by API."""

from flask.testing import FlaskClient

CRITIC = {"name": "Critic", "instructions": "Find what is wrong.", "parameters": {"temperature": 0.2}}


def test_every_change_makes_a_version_and_a_reversion_too(client: FlaskClient) -> None:
    added = client.post("/api/v1/personas", json=CRITIC)
    assert added.status_code == 201
    address = added.headers["Location"]
    changed = client.put(address, json={"name": "Critic", "instructions": "Be kind.", "note": "milder"}).get_json()
    assert (changed["version"], changed["parameters"], changed["note"]) == (2, {}, "milder")
    reverted = client.post(f"{address}/reversion", json={"version": 1}).get_json()
    assert (reverted["version"], reverted["instructions"]) == (3, "Find what is wrong.")
    versions = client.get(f"{address}/versions").get_json()["items"]
    assert [(item["number"], item["instructions"]) for item in versions] == [
        (3, "Find what is wrong."),
        (2, "Be kind."),
        (1, "Find what is wrong."),
    ]


def test_a_persona_is_deleted_but_the_built_in_one_stays(client: FlaskClient) -> None:
    address = client.post("/api/v1/personas", json=CRITIC).headers["Location"]
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert client.delete("/api/v1/personas/1").status_code == 403
    assert [item["name"] for item in client.get("/api/v1/personas").get_json()["items"]] == ["Assistant"]


def test_what_cannot_be_a_persona_names_its_field(client: FlaskClient) -> None:
    client.post("/api/v1/personas", json=CRITIC)
    for change, status, field in (
        ({"name": "critic"}, 409, "name"),
        ({"name": ""}, 422, "name"),
        ({"name": "N", "instructions": " "}, 422, "instructions"),
        ({"name": "N", "model_id": 99}, 422, "model_id"),
        ({"name": "N", "parameters": {"temperature": 9}}, 422, "temperature"),
        ({"name": "N", "parameters": [1]}, 422, "parameters"),
    ):
        answer = client.post("/api/v1/personas", json={**CRITIC, **change})
        assert (answer.status_code, answer.get_json()["field"]) == (status, field), change


def test_a_version_that_was_never_made_cannot_come_back(client: FlaskClient) -> None:
    answer = client.post("/api/v1/personas/1/reversion", json={"version": 7})
    assert (answer.status_code, answer.get_json()["field"]) == (404, "version")


def test_a_change_to_an_outdated_version_is_refused(client: FlaskClient) -> None:
    address = client.post("/api/v1/personas", json=CRITIC).headers["Location"]
    client.put(address, json={**CRITIC, "instructions": "A"})
    late = client.put(address, json={**CRITIC, "instructions": "B", "expected_version": 1})
    assert late.status_code == 409


def test_the_exact_prompt_of_an_unsaved_version_is_told_and_nothing_is_kept(
    client: FlaskClient, topic: dict[str, int]
) -> None:
    body = {"post_id": topic["post_id"], "name": "Draft", "instructions": "You are brief."}
    shown = client.post("/api/v1/persona-previews", json=body).get_json()
    assert (shown["messages"][0], shown["problem"]) == ({"role": "system", "content": "You are brief."}, "")
    assert 0 < shown["prompt_tokens"] < shown["context_tokens"]
    assert shown["model"].startswith("Tiny")
    for wrong, words in (({"parameters": {"temperature": 9}}, "temperature must be"), ({"post_id": 999}, "post")):
        refused = client.post("/api/v1/persona-previews", json=body | wrong).get_json()
        assert (refused["messages"], refused["prompt_tokens"]) == ([], None)
        assert words in refused["problem"]
    assert client.get("/api/v1/llm-requests").get_json()["items"] == []
