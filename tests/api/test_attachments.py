"""Files through the API: attached, staged for a post to come, downloaded, removed and given back."""

import base64

import pytest
from flask.testing import FlaskClient

PDF = b"%PDF-1.7 rest"


def content(data: bytes = PDF) -> str:
    return base64.b64encode(data).decode()


def test_a_file_is_attached_listed_downloaded_removed_and_restored(client: FlaskClient, topic: dict[str, int]) -> None:
    address = f"/api/v1/posts/{topic['post_id']}/attachments"
    made = client.post(address, json={"name": "../plan.pdf", "content": content()})
    assert made.status_code == 201
    file = made.get_json()
    assert file["name"] == "plan.pdf"
    assert (file["size_bytes"], file["media_type"], file["label"]) == (len(PDF), "application/pdf", "PDF")
    assert (file["post_id"], file["url"]) == (topic["post_id"], "/attachments/1/plan.pdf")
    assert client.post(address, json={"name": "plan.pdf", "content": content()}).get_json()["id"] == file["id"]
    assert [each["id"] for each in client.get(address).get_json()["items"]] == [file["id"]]
    given = client.get(f"/api/v1/attachments/{file['id']}/content")
    assert (given.data, given.mimetype) == (PDF, "application/octet-stream")
    assert given.headers["Content-Disposition"].startswith("attachment;")
    assert client.delete(f"/api/v1/attachments/{file['id']}").status_code == 204
    assert client.get(f"/api/v1/attachments/{file['id']}").status_code == 404
    assert client.get(f"/api/v1/attachments/{file['id']}/content").status_code == 404
    assert [item["kind"] for item in client.get("/api/v1/trash").get_json()["items"]] == ["attachment"]
    assert client.post(f"/api/v1/attachments/{file['id']}/restoration").get_json()["id"] == file["id"]


def test_staged_files_go_to_a_new_topic_and_a_new_reply(client: FlaskClient, topic: dict[str, int]) -> None:
    first, second = (
        client.post("/api/v1/attachments", json={"name": name, "content": content(name.encode())}).get_json()
        for name in ("a.txt", "b.txt")
    )
    assert first["post_id"] is None
    body = {"title": "T", "content": "x", "attachment_ids": [first["id"]]}
    made = client.post(f"/api/v1/subforums/{topic['subforum_id']}/topics", json=body).get_json()
    replied = client.post(
        f"/api/v1/posts/{made['first_post']['id']}/replies", json={"content": "x", "attachment_ids": [second["id"]]}
    ).get_json()
    assert client.get(f"/api/v1/attachments/{first['id']}").get_json()["post_id"] == made["first_post"]["id"]
    assert client.get(f"/api/v1/attachments/{second['id']}").get_json()["post_id"] == replied["id"]
    taken = {"content": "y", "attachment_ids": [first["id"]]}
    refused = client.post(f"/api/v1/posts/{topic['post_id']}/replies", json=taken)
    assert (refused.status_code, refused.get_json()["field"]) == (422, "files")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "a", "content": ""}, "files"),
        ({"name": "a", "content": "%%%"}, "content"),
        ({"name": "a", "content": "YQ"}, "content"),
        ({"name": "a"}, "content"),
        ({"content": "YQ=="}, "name"),
    ],
)
def test_what_is_no_file_is_refused(client: FlaskClient, body: dict[str, str], field: str) -> None:
    refused = client.post("/api/v1/attachments", json=body)
    assert (refused.status_code, refused.get_json()["field"]) == (422, field)


def test_a_body_may_be_as_large_as_the_largest_file_and_no_larger(client: FlaskClient) -> None:
    client.patch("/api/v1/settings", json={"attachment_megabytes": 1})
    fits = client.post("/api/v1/attachments", json={"name": "a", "content": content(bytes(1_000_000))})
    assert (fits.status_code, fits.get_json()["size_bytes"]) == (201, 1_000_000)
    just = client.post("/api/v1/attachments", json={"name": "a", "content": content(bytes(1_000_001))})
    assert (just.status_code, just.get_json()["code"], just.get_json()["field"]) == (413, "too_large", "files")
    far = client.post("/api/v1/attachments", json={"name": "a", "content": content(bytes(2_000_000))})
    assert (far.status_code, far.get_json()["code"]) == (413, "too_large")
