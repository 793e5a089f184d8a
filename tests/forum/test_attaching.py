"""Files of posts: staged, bound to a post, removed, given back, and swept when their post never came."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO

import pytest
from sqlalchemy import Connection, func, insert, select

from forllm_server.accounts.local import LOCAL_USER_ID as YOU
from forllm_server.db import Database
from forllm_server.db.types import metadata
from forllm_server.errors import Conflict, ForllmError, Invalid, NotFound, TooLarge
from forllm_server.forum import attachment_store, drafting, editing, topic_store, topics
from forllm_server.forum.attaching import (
    STAGED_DAYS,
    attach_files,
    delete_file,
    examine_file,
    iter_content,
    remove_files,
    restore_file,
    stage_file,
    stage_files,
)
from forllm_server.forum.attachment_model import Attachment, FileLimits
from forllm_server.forum.draft_model import DraftKind, DraftPlace, DraftText
from forllm_server.forum.model import TrashKind
from forllm_server.forum.tables import attachment_pieces, attachments
from forllm_server.forum.trash import purge_trash
from forllm_server.forum.trash_store import list_trash
from tests.forum.world import EVENING, minutes_later, reply, start_topic

LIMITS = FileLimits(file_bytes=1_000_000, files_per_post=3, total_bytes=3_000_000)
MARA = 2


def stage(
    connection: Connection, content: bytes = b"notes", name: str = "notes.txt", owner_id: int = YOU
) -> Attachment:
    found = examine_file(BytesIO(content), name, LIMITS)
    return stage_file(connection, found, owner_id=owner_id, limits=LIMITS, now=EVENING)


def attach(connection: Connection, post_id: int, *ids: int) -> tuple[Attachment, ...]:
    return attach_files(connection, post_id, ids, owner_id=YOU, limits=LIMITS)


def add_mara(connection: Connection) -> None:
    values = {"id": MARA, "name": "Mara", "name_key": "mara", "created_at": EVENING}
    connection.execute(insert(metadata.tables["users"]).values(values))


def files_of(connection: Connection, post_id: int) -> list[str]:
    found = attachment_store.list_attachments_of_posts(connection, [post_id])
    return [each.name for each in found.get(post_id, ())]


def pieces(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(attachment_pieces)).scalar_one()


def test_a_file_comes_back_byte_for_byte_however_many_pieces_it_has(database: Database) -> None:
    topic, root = start_topic(database)
    content = bytes(range(256)) * 3_000
    with database.transaction() as connection:
        staged = stage(connection, content, "../bytes.bin")
        assert (staged.name, staged.size_bytes, staged.post_id) == ("bytes.bin", len(content), None)
        assert pieces(connection) == 3
        attach(connection, root.id, staged.id)
        assert topic_store.get_topic(connection, topic.id).version == topic.version + 1
    assert b"".join(iter_content(database, staged.digest)) == content


def test_two_who_send_the_same_at_once_are_both_taken(database: Database) -> None:
    def send() -> Attachment:
        with database.transaction() as connection:
            return stage(connection)

    with ThreadPoolExecutor() as hands:
        with database.transaction() as connection:
            first = stage(connection)
            other = hands.submit(send)
            time.sleep(0.1)
        second = other.result()
    with database.read() as connection:
        assert pieces(connection) == 1
    assert (first.digest, second.id) == (second.digest, first.id + 1)


def test_the_same_file_is_kept_once_and_attached_once(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        first, second, other = stage(connection), stage(connection), stage(connection, name="again.txt")
        assert pieces(connection) == 1
        assert [each.id for each in attach(connection, root.id, second.id, first.id, other.id)] == [second.id, other.id]
        assert [each.id for each in attach(connection, root.id, second.id)] == [second.id, other.id]
        found = examine_file(BytesIO(b"notes"), "notes.txt", LIMITS)
        again = stage_file(connection, found, owner_id=YOU, limits=LIMITS, now=EVENING, beside=[first.id])
        assert again.id == first.id


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [(b"", Invalid, "“a.txt” is empty"), (b"x" * 1_000_001, TooLarge, "larger than 1.0 MB, the most that one file")],
)
def test_what_is_empty_or_too_large_is_refused(content: bytes, kind: type[ForllmError], words: str) -> None:
    with pytest.raises(kind, match=words) as refused:
        examine_file(BytesIO(content), "x/a.txt", LIMITS)
    assert refused.value.field == "files"


def test_one_bad_file_does_not_hinder_the_others(database: Database) -> None:
    sent = [
        ("a.txt", BytesIO(b"a")),
        ("empty", BytesIO(b"")),
        ("b.txt", BytesIO(b"b")),
        ("c.txt", BytesIO(b"c")),
        ("d", BytesIO(b"d")),
    ]
    staged = stage_files(database, sent, owner_id=YOU, limits=LIMITS, now=EVENING)
    assert [each.name for each in staged.attachments] == ["a.txt", "b.txt", "c.txt"]
    assert staged.problem is not None
    assert "“empty” is empty" in staged.problem.message
    assert "at most 3 files" in staged.problem.message


def test_a_post_takes_so_many_files_and_all_together_so_much(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        ids = [stage(connection, bytes([number])).id for number in range(4)]
        attach(connection, root.id, *ids[:3])
        with pytest.raises(Conflict, match="at most 3 files"):
            attach(connection, root.id, ids[3])
        for number in range(2):
            stage(connection, bytes([number]) * 1_000_000)
        with pytest.raises(TooLarge, match="no room for “big”"):
            stage(connection, b"z" * 1_000_000, "big")


def test_what_is_not_staged_by_oneself_cannot_be_attached_or_seen(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        add_mara(connection)
        hers = stage(connection, owner_id=MARA)
        taken = stage(connection, b"taken")
        other = reply(connection, root.id)
        attach(connection, other.id, taken.id)
        for attachment_id in (hers.id, taken.id, 999):
            with pytest.raises(Invalid, match="not there any more"):
                attach(connection, root.id, attachment_id)
        with pytest.raises(NotFound):
            attachment_store.get_attachment(connection, hers.id, reader_id=YOU)
        with pytest.raises(NotFound):
            delete_file(connection, hers.id, owner_id=YOU, now=EVENING)
        assert attachment_store.get_attachment(connection, taken.id, reader_id=MARA).post_id == other.id


def test_a_removed_file_lies_in_the_trash_and_comes_back_to_its_place(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        first, second = stage(connection, b"1", "1.txt"), stage(connection, b"2", "2.txt")
        attach(connection, root.id, first.id, second.id)
        assert remove_files(connection, root.id, [first.id, 999], now=minutes_later(1)) == 1
        assert files_of(connection, root.id) == ["2.txt"]
        (item,) = list_trash(connection, limit=9)
        assert (item.kind, item.id, item.title, item.excerpt) == (TrashKind.ATTACHMENT, first.id, "1.txt", "Roses")
        with pytest.raises(NotFound):
            attachment_store.get_attachment(connection, first.id, reader_id=YOU)
        restore_file(connection, first.id)
        assert files_of(connection, root.id) == ["1.txt", "2.txt"]


def test_files_of_deleted_posts_are_hidden_and_go_with_them_for_good(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        post = reply(connection, root.id)
        kept, gone, removed = (stage(connection, bytes([number])) for number in range(3))
        attach(connection, post.id, gone.id)
        attach(connection, root.id, kept.id, removed.id)
        remove_files(connection, root.id, [removed.id], now=minutes_later(2))
        editing.delete_post(connection, post.id, minutes_later(2))
        with pytest.raises(NotFound):
            attachment_store.get_attachment(connection, gone.id, reader_id=YOU)
        purge_trash(connection, older_than_days=1, now=minutes_later(3))
        assert pieces(connection) == 3
        purge_trash(connection, older_than_days=0, now=minutes_later(4))
        assert connection.execute(select(attachments.c.id)).scalars().all() == [kept.id]
        assert pieces(connection) == 1
        topics.delete_topic(connection, topic.id, minutes_later(5))
        purge_trash(connection, older_than_days=0, now=minutes_later(6))
        assert pieces(connection) == 0


def test_what_was_staged_is_swept_unless_a_draft_names_it(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        stage(connection, b"forgotten")
        kept = stage(connection, b"kept")
        text = DraftText("", fields={"attachment_ids": [str(kept.id), "x"]})
        place = DraftPlace(DraftKind.REPLY, root.id)
        saved = drafting.save_draft(connection, place, text, owner_id=YOU, writer="", now=EVENING)
        assert saved is not None
        purge_trash(connection, older_than_days=30, now=EVENING + timedelta(days=STAGED_DAYS - 1))
        assert pieces(connection) == 2
        purge_trash(connection, older_than_days=30, now=EVENING + timedelta(days=STAGED_DAYS + 1))
        assert connection.execute(select(attachments.c.id)).scalars().all() == [kept.id]
        delete_file(connection, kept.id, owner_id=YOU, now=EVENING)
        assert pieces(connection) == 0


def test_the_files_of_a_page_are_read_in_one_statement(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        attach(connection, root.id, stage(connection).id)
        post = reply(connection, root.id)
        attach(connection, post.id, stage(connection, b"2", "b c'ä.png").id)
        found = attachment_store.list_attachments_of_posts(connection, [root.id, post.id])
        assert [each.url for files in found.values() for each in files] == [
            "/attachments/1/notes.txt",
            "/attachments/2/b-c-.png",
        ]
        assert found[post.id][0].markdown == "[b c'ä.png](/attachments/2/b-c-.png)"
