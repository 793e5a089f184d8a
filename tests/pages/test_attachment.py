"""Files in forms and on posts: chosen without scripts, kept through errors, given away as nothing but downloads."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import event
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from forllm_server.db import Database
from forllm_server.forum.editing import add_reply
from forllm_server.forum.subforums import add_subforum
from forllm_server.forum.topics import open_topic
from forllm_server.settings.values import change_settings
from tests.forum.test_file_kinds import png
from tests.pages.conftest import Browser

SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
#: The files that an edit began with; the tests' browser sends one hidden field of a name only.
SHOWN = {"shown_attachment_ids": ["1", "2"]}
#: What RFC 5987 makes of that name.
IN_UTF_8 = "filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%E4%B8%AD.txt"


@pytest.fixture(autouse=True)
def topic(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.transaction() as connection:
        add_subforum(connection, owner_id=1, name="Garden", now=now)
        _, root = open_topic(connection, owner_id=1, subforum_id=1, title="Roses", content="When?", now=now)
        add_reply(connection, owner_id=1, parent_id=root.id, content="Never.", now=now)


def file(content: bytes = b"notes", name: str = "notes.txt") -> tuple[BytesIO, str]:
    return BytesIO(content), name


def names(browser: Browser) -> list[str]:
    return [name.get_text() for name in browser.page.main.find_all("span", class_="file__name")]


def reply(browser: Browser, *files: Any, content: str = "See the file.") -> None:
    browser.open("/posts/1/reply")
    browser.send("/posts/1/reply", {"content": content, "files": list(files)})


def test_a_reply_takes_files_and_shows_them_with_name_size_and_kind(browser: Browser) -> None:
    reply(browser, file(), file(png(), "../../my plan.png"), file(SVG, "drawing.svg"))
    links = browser.page.main.find_all("a", class_="file")
    assert [" ".join(link.get_text(" ").split()) for link in links] == [
        "notes.txt text, 5 bytes",
        "my plan.png PNG picture, 33 bytes",
        f"drawing.svg text, {len(SVG)} bytes",
    ]
    assert [link["href"] for link in links] == [
        "/attachments/1/notes.txt",
        "/attachments/2/my-plan.png",
        "/attachments/3/drawing.svg",
    ]


@pytest.mark.parametrize(
    ("content", "name", "kind", "disposition"),
    [
        (SVG, "x.svg", "application/octet-stream", "attachment; filename=\"x.svg\"; filename*=UTF-8''x.svg"),
        (b"<html><script>alert(1)</script>", "a.html", "application/octet-stream", "attachment; filename=\"a.html\""),
        (png(), "p.exe", "image/png", "attachment; filename=\"p.exe\""),
        (b"x", 'Grüße 中.txt', "application/octet-stream", "attachment; filename=\"Gr__e _.txt\"; " + IN_UTF_8),
    ],
)  # fmt: skip
def test_a_file_is_only_ever_a_download(
    browser: Browser, content: bytes, name: str, kind: str, disposition: str
) -> None:
    reply(browser, file(content, name))
    address = browser.page.main.find("a", class_="file")["href"]
    given = browser.client.get(address)
    assert given.data == content
    assert given.content_type == kind
    assert given.headers["Content-Disposition"].startswith(disposition)
    assert given.headers["X-Content-Type-Options"] == "nosniff"
    assert given.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
    assert given.headers["Cache-Control"] == "private, no-cache"
    known = browser.client.get(address, headers={"If-None-Match": given.headers["ETag"]})
    assert (known.status_code, known.data) == (304, b"")
    assert browser.client.get("/attachments/1/../../etc/passwd").status_code == 404


def test_nothing_is_lost_to_an_error(browser: Browser) -> None:
    reply(browser, file(), file(b"", "empty.txt"), content="Kept")
    assert browser.status == 422
    assert "“empty.txt” is empty" in browser.problem("files")
    assert names(browser) == ["notes.txt"]
    assert browser.page.find("textarea").get_text().strip() == "Kept"
    browser.send("/posts/1/reply", {"content": ""})
    assert browser.status == 422
    assert names(browser) == ["notes.txt"]
    browser.send("/posts/1/reply", {"content": "Now"})
    assert browser.path == "/topics/1"
    assert names(browser) == ["notes.txt"]


def test_a_new_topic_takes_files_and_tags(browser: Browser) -> None:
    browser.open("/subforums/1/topics/new")
    fields = {"title": "Tulips", "content": "Look", "tags": "bulbs, Spring", "files": [file()], "is_asking": None}
    browser.send("/subforums/1/topics/new", fields)
    assert browser.path == "/topics/2"
    assert names(browser) == ["notes.txt"]
    assert [tag.get_text() for tag in browser.page.main.find_all("a", class_="tag")] == ["bulbs", "Spring"]
    browser.open("/subforums/1/topics/new")
    browser.send("/subforums/1/topics/new", fields | {"tags": "a/b", "files": [file()]})
    assert browser.status == 422
    assert "slashes" in browser.problem("tags")
    assert names(browser) == ["notes.txt"]


def test_a_draft_keeps_files(browser: Browser) -> None:
    browser.open("/posts/2/reply")
    browser.send("/drafts", {"content": "", "files": [file(), file(b"", "empty")]})
    assert browser.path == "/posts/2/reply"
    assert names(browser) == ["notes.txt"]
    assert "“empty” is empty" in browser.words()
    browser.send("/posts/2/reply", {"content": "Here"})
    assert names(browser) == ["notes.txt"]


def test_an_edit_adds_and_removes_files_and_the_removal_is_undone(browser: Browser) -> None:
    reply(browser, file(), file(b"2", "two.txt"))
    browser.open("/posts/3/edit")
    assert names(browser) == ["notes.txt", "two.txt"]
    browser.send("/posts/3/edit", {"content": "", "attachment_ids": ["2"], "files": [file(b"3", "three.txt")], **SHOWN})
    assert browser.status == 422
    assert [
        box["value"]
        for box in browser.page.main.find_all("input", {"name": "attachment_ids"})
        if box.has_attr("checked")
    ] == ["2", "3"]
    browser.send("/posts/3/edit", {"content": "New", **SHOWN})
    assert names(browser) == ["two.txt", "three.txt"]
    assert "The file is in the trash" in browser.words()
    browser.send("/trash/attachment/1/restore", {})
    assert names(browser) == ["notes.txt", "two.txt", "three.txt"]


def test_the_history_tells_what_an_edit_did_to_files_and_brings_them_back(browser: Browser) -> None:
    reply(browser, file(), file(b"2", "two.txt"))
    browser.open("/posts/3/edit")
    fields = {"content": "See the file.", "attachment_ids": ["2"], "files": [file(b"3", "three.txt")], **SHOWN}
    browser.send("/posts/3/edit", fields)
    browser.open("/posts/3/history")
    lines = [line.get_text(strip=True) for line in browser.page.main.find_all("div", class_="diff__line")]
    assert lines == ["notes.txt (text, 5 bytes)", "three.txt (text, 1 byte)"]
    browser.send("/posts/3/history/1/restore", {})
    assert names(browser) == ["notes.txt", "two.txt"]
    browser.open("/posts/3/history")
    assert "notes.txt" in browser.page.main.get_text()


def send_large(browser: Browser, content: bytes) -> tuple[int, str]:
    """Status and text after a reply with a large file; the client would put it into a file and leave that open."""
    token = browser.open("/posts/1/reply").find("input", {"name": "csrf_token"})["value"]
    fields = {"csrf_token": token, "content": "x", "files": FileStorage(BytesIO(content), "big.bin")}
    boundary, body = encode_multipart(fields)
    answer = browser.client.post("/posts/1/reply", data=body, content_type=f"multipart/form-data; boundary={boundary}")
    return answer.status_code, answer.text


def test_too_large_and_too_many_are_told(browser: Browser, sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.transaction() as connection:
        change_settings(connection, {"attachment_megabytes": 1, "attachments_per_post": 2}, now)
    status, page = send_large(browser, b"x" * 1_000_001)
    assert status == 413
    assert "“big.bin” is larger than 1.0 MB" in page
    reply(browser, *(file(bytes([number]), f"{number}") for number in range(3)))
    assert browser.status == 409
    assert "at most 2 files" in browser.problem("files")


@contextmanager
def full_disk(database: Database) -> Iterator[None]:
    def fill(connection: Any, _record: Any, _proxy: Any) -> None:
        connection.execute("PRAGMA max_page_count=1")

    event.listen(database.engine, "checkout", fill)
    yield
    event.remove(database.engine, "checkout", fill)


def test_a_full_disk_is_told_and_nothing_is_half_there(browser: Browser, sqlite_database: Database) -> None:
    browser.open("/posts/1/reply")
    with full_disk(sqlite_database):
        browser.send("/posts/1/reply", {"content": "x", "files": [file(b"x" * 9_000)]})
    assert browser.status == 503
    assert "The disk is full" in browser.text


def test_a_script_stages_files_and_hears_what_is_wrong(browser: Browser) -> None:
    sent = {"files": [file(), file(b"", "empty")]}
    answer = browser.client.post("/attachments", data=sent, headers={"HX-Request": "true"})
    assert answer.status_code == 400
    token = browser.open("/posts/1/reply").find("input", {"name": "csrf_token"})["value"]
    sent = {"files": [file(), file(b"", "empty")], "csrf_token": token}
    text = browser.client.post("/attachments", data=sent, headers={"HX-Request": "true"}).get_data(as_text=True)
    assert 'data-file="1"' in text
    assert 'data-puts="[notes.txt](/attachments/1/notes.txt)"' in text
    assert "“empty” is empty" in text
    options = browser.client.get("/writing/files?typed=NOT&attachment_ids=1&parent_id=1").get_data(as_text=True)
    assert 'data-value="[notes.txt](/attachments/1/notes.txt)"' in options
    assert "notes" not in browser.client.get("/writing/files?typed=zz&attachment_ids=1&parent_id=1").text


def test_a_picture_stands_in_the_text_that_shows_it(browser: Browser) -> None:
    reply(browser, file(png(), "plan.png"), content="![plan](/attachments/1/plan.png)")
    assert browser.page.main.find("img", class_="attachment-image")["src"] == "/attachments/1/plan.png"
    assert browser.open("/attachments/1") is not None
    assert browser.path == "/topics/1"
    assert browser.client.get("/attachments/77").status_code == 404
