"""Searching a forum: what is found, in which order, and what is never found."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forllm_server.db import Database, metadata
from forllm_server.search import finding
from forllm_server.search.model import Order, Piece
from tests.search.test_query import SHREDS
from tests.search.world import BERLIN, Shelf
from tests.support.world import LOCAL_USER, insert


@pytest.fixture
def shelf(database: Database) -> Shelf:
    return Shelf(database)


def marked(pieces: Iterable[Piece]) -> list[str]:
    return [piece.text for piece in pieces if piece.is_match]


def test_words_phrases_beginnings_and_exclusions(shelf: Shelf) -> None:
    mirror = shelf.topic("Two disks", "A mirror of two disks is not a backup.")
    naive = shelf.reply(mirror, "Naïve question: who restores a backup of `config.py`?")
    other = shelf.topic("Garden", "Roses and restoration of old walls", subforum="Garden")
    assert shelf.ids("backups", order=Order.NEWEST) == [naive, mirror]
    assert shelf.ids("backup mirror") == [mirror]
    assert shelf.ids('"disks two"') == []
    assert shelf.ids('"two disks"') == [mirror]
    assert shelf.ids("backup -naive") == [mirror]
    assert shelf.ids("NAIVE") == [naive]
    assert shelf.ids("resto*", order=Order.NEWEST) == [other, naive]
    assert shelf.ids("config.py") == shelf.ids("config") == [naive]
    assert set(shelf.ids("roses OR mirror")) == {mirror, other}
    assert shelf.ids("roses OR mirror two") == [mirror]
    assert shelf.ids("is not a") == [mirror]
    assert shelf.ids("-backup") == [other]
    assert shelf.ids("-backup -roses") == []
    assert shelf.ids("mir", is_typing=True) == [mirror]
    assert shelf.ids("mir") == []


def test_titles_weigh_more_than_texts(shelf: Shelf) -> None:
    in_text = shelf.topic("About disks", "mirror mirror")
    in_title = shelf.topic("The mirror", "About disks and how they are kept in step.")
    assert shelf.ids("mirror") == [in_title, in_text]
    assert shelf.ids("mirror", order=Order.NEWEST) == [in_title, in_text]
    assert shelf.ids("disks", order=Order.RELEVANCE) == [in_text, in_title]


def test_what_was_found_is_told_with_its_surroundings(shelf: Shelf) -> None:
    root = shelf.topic("Mirrors", "Question", subforum="Home lab")
    reply = shelf.reply(root, "before " * 200 + "the mirror here" + " after" * 200, persona="Skeptic")
    by_id = {found.post_id: found for found in shelf.find("mirror").items}
    assert by_id.keys() == {root, reply}
    assert marked(by_id[root].title) == ["Mirrors"]
    found = by_id[reply]
    assert (marked(found.title), marked(found.snippet)) == ([], ["mirror"])
    assert 20 < len(found.text.split()) < 60
    assert (found.topic_title, found.subforum_name, found.author_name) == ("Mirrors", "Home lab", "Skeptic")
    assert (found.is_by_persona, found.persona_version_number, found.model_name) == (True, 1, "qwen3:8b")
    assert found.created_at == shelf.now
    assert (found.is_root, by_id[root].is_root) == (False, True)


def test_deleted_posts_topics_and_subforums_are_never_found(shelf: Shelf) -> None:
    root = shelf.topic("Mirrors", "mirror")
    reply = shelf.reply(root, "mirror")
    shelf.change("posts", reply, deleted_at=shelf.now)
    assert shelf.ids("mirror") == shelf.ids("by:me") == [root]
    shelf.change("posts", reply, deleted_at=None)
    assert set(shelf.ids("mirror")) == {root, reply}
    for table, row_id in (("topics", shelf.topic_of(root)), ("subforums", shelf.subforum("Homelab"))):
        shelf.change(table, row_id, deleted_at=shelf.now)
        assert shelf.ids("mirror") == shelf.ids("by:me") == shelf.ids("-roses") == []
        shelf.change(table, row_id, deleted_at=None)
        assert len(shelf.ids("mirror")) == 2


def test_the_index_follows_every_change(shelf: Shelf) -> None:
    root = shelf.topic("Mirrors", "first words")
    reply = shelf.reply(root, "second words")
    other = shelf.topic("Roses", "third")
    shelf.change("posts", reply, content="changed thoughts")
    assert (shelf.ids("second"), shelf.ids("thoughts")) == ([], [reply])
    shelf.change("topics", shelf.topic_of(root), title="Lenses")
    assert (shelf.ids("mirrors"), shelf.ids("lenses first")) == ([], [root])
    # A branch becomes a topic of its own, and a topic becomes a branch of another.
    shelf.change("posts", reply, topic_id=shelf.topic_of(other), parent_id=None, path=b"\x07")
    assert set(shelf.ids("roses")) == {reply, other}
    shelf.change("posts", root, topic_id=shelf.topic_of(other), parent_id=other, path=b"\x08")
    assert shelf.ids("lenses") == []
    shelf.change("topics", shelf.topic_of(other), title="Thorns")
    assert (shelf.ids("roses"), set(shelf.ids("thorns"))) == ([], {reply, other})
    # Erased for good: text and deletion in one statement.
    shelf.change("posts", other, content="", deleted_at=shelf.now)
    assert (shelf.ids("third"), shelf.ids("thorns")) == ([], [reply])


def test_names_are_looked_up(shelf: Shelf) -> None:
    home = shelf.topic("A", "mirror", subforum="Home lab")
    garden = shelf.topic("B", "mirror", subforum="Garden")
    skeptic = shelf.reply(home, "mirror", persona="Skeptic", model="qwen3:32b")
    teacher = shelf.reply(garden, "mirror", persona="Teacher", model="llama3.1:8b")
    assert set(shelf.ids('mirror in:"home lab"')) == set(shelf.ids("in:home")) == {home, skeptic}
    assert set(shelf.ids("mirror in:home in:garden")) == {home, garden, skeptic, teacher}
    assert set(shelf.ids("mirror -in:home")) == {garden, teacher}
    assert shelf.ids("mirror persona:@skeptic") == shelf.ids("persona:SKEPT") == [skeptic]
    assert shelf.ids("mirror model:qwen") == shelf.ids("model:qwen3:32b") == [skeptic]
    assert set(shelf.ids("mirror -persona:skeptic")) == set(shelf.ids("-model:qwen")) == {home, garden, teacher}
    assert set(shelf.ids("mirror by:me")) == set(shelf.ids("by:me")) == {home, garden}
    assert shelf.ids("persona:skeptic model:qwen before:2026-10 mirror") == [skeptic]
    nobody = shelf.find("mirror persona:nobody model:none")
    assert nobody.items == ()
    assert nobody.hints == (
        "No persona is called “nobody”. There are: Assistant, Skeptic, Teacher.",
        "No model answered here with a name like “none”. There are: llama3.1:8b, qwen3:32b.",
    )


def test_a_persona_is_found_under_its_earlier_name(shelf: Shelf) -> None:
    reply = shelf.reply(shelf.topic("A", "x"), "mirror", persona="Skeptic")
    shelf.change("personas", 2, name="Doubter", name_key="doubter")
    assert shelf.ids("persona:skeptic") == shelf.ids("persona:doubter") == [reply]


def test_days_begin_in_the_zone_of_the_forum(shelf: Shelf) -> None:
    # Half past midnight in Berlin is still the day before in UTC.
    shelf.now = datetime(2026, 10, 2, 22, 29, tzinfo=UTC) - timedelta(minutes=2)
    root = shelf.topic("A", "mirror")
    assert shelf.now == datetime(2026, 10, 2, 22, 29, tzinfo=UTC)
    for text, is_found in (
        ("after:2026-10-03", True),
        ("before:2026-10-03", False),
        ("before:2026-10-04", True),
        ("after:2026-10", True),
        ("before:2026-10", False),
        ("after:2027", False),
        ("after:2026-10-01 before:2026-10-05", True),
        ("-after:2026-10-03", False),
    ):
        assert shelf.ids(text) == shelf.ids(f"mirror {text}") == ([root] if is_found else []), text


def test_states_and_contents(shelf: Shelf) -> None:
    root = shelf.topic("A", "mirror?")
    answered = shelf.reply(root, "mirror!", persona="Skeptic", is_partial=True)
    code = shelf.reply(answered, "mirror\n```sh\nls\n```")
    gone = shelf.reply(code, "mirror")
    shelf.change("posts", gone, deleted_at=shelf.now)
    with shelf.database.transaction() as connection:
        connection.execute(metadata.tables["attachment_contents"].insert().values(digest="ab", size_bytes=1))
        for post_id, deleted_at in ((answered, None), (code, shelf.now), (gone, None)):
            insert(
                connection, "attachments", owner_id=LOCAL_USER, post_id=post_id, name="a", media_type="text/plain",
                label="text", digest="ab", created_at=shelf.now, deleted_at=deleted_at,
            )  # fmt: skip
        insert(connection, "bookmarks", user_id=LOCAL_USER, post_id=root, created_at=shelf.now)
        insert(
            connection, "llm_requests", owner_id=LOCAL_USER, kind="reply", status="failed", lane="night", post_id=code,
            parameters={}, input={}, created_at=shelf.now,
        )  # fmt: skip
    for words in ("", "mirror "):
        assert shelf.ids(f"{words}is:unanswered") == [code]
        assert shelf.ids(f"{words}is:partial") == [answered]
        assert shelf.ids(f"{words}is:bookmarked") == [root]
        assert shelf.ids(f"{words}is:failed") == [code]
        assert shelf.ids(f"{words}has:code") == [code]
        assert shelf.ids(f"{words}has:file") == [answered]
        assert set(shelf.ids(f"{words}-has:code -is:partial")) == {root}
    assert shelf.ids("is:bookmarked", reader_id=LOCAL_USER + 1) == []


@pytest.mark.parametrize("text", ["mirror", "mirror -none", "by:me", "mirror by:me", "-none"])
@pytest.mark.parametrize("order", list(Order))
def test_pages_follow_each_other_without_gap_or_repetition(shelf: Shelf, text: str, order: Order) -> None:
    root = shelf.topic("A", "mirror")
    # Many of equal rank, some of others.
    made = [root, *(shelf.reply(root, "mirror " * (1 + number // 10) + "disk") for number in range(24))]
    seen, place = [], None
    for _ in range(10):
        results = shelf.find(text, order=order, limit=4, after=place)
        seen += [found.post_id for found in results.items]
        place = results.next
        if place is None:
            break
    assert sorted(seen) == sorted(made)
    assert seen == shelf.ids(text, order=order, limit=100)


def test_what_very_many_posts_say_is_shown_newest_first_and_said(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "COMMON_MATCHES", 5)
    root = shelf.topic("mirror", "mirror")
    made = [root, *(shelf.reply(root, "mirror disk") for _ in range(6))]
    results = shelf.find("mirror", limit=4)
    assert (results.is_common, results.order) == (True, Order.NEWEST)
    assert [found.post_id for found in results.items] == made[:-5:-1]
    further = shelf.find("mirror", limit=4, after=results.next)
    assert [found.post_id for found in further.items] == made[2::-1]
    assert shelf.find("mirror root OR question").is_common is False


def test_without_words_the_search_goes_back_step_by_step(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "WINDOW_POSTS", 4)
    monkeypatch.setattr(finding, "MOST_WINDOWS", 2)
    root = shelf.topic("A", "```code```", subforum="Large")
    for _ in range(20):
        shelf.reply(root, "words")
    results = shelf.find("has:code")
    assert results.items == ()
    pages = 1
    while results.next and not results.items:
        results = shelf.find("has:code", after=results.next)
        pages += 1
    assert [found.post_id for found in results.items] == [root]
    assert pages == 3


@pytest.mark.parametrize(("common", "few", "window"), [(99, 99, 99), (0, 99, 2), (0, 0, 2), (99, 0, 1), (0, 2, 3)])
def test_whichever_way_is_taken_the_same_posts_are_found(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, common: int, few: int, window: int
) -> None:
    monkeypatch.setattr(finding, "COMMON_MATCHES", common)
    monkeypatch.setattr(finding, "FEW_POSTS", few)
    monkeypatch.setattr(finding, "WINDOW_POSTS", window)
    monkeypatch.setattr(finding, "MOST_WINDOWS", 2)
    root = shelf.topic("A", "mirror disk")
    other = shelf.topic("B", "mirror", subforum="Garden")
    partial = shelf.reply(root, "mirrors", persona="Skeptic", is_partial=True)
    shelf.now += timedelta(days=3)
    day = f"{shelf.now.astimezone(BERLIN):%Y-%m-%d}"
    late = shelf.reply(other, "mirror ```code```", persona="Teacher", model="gemma3:4b")
    last = shelf.reply(root, "mirror disk")
    for text, sought in {
        "mirror": {root, other, partial, late, last},
        "mirror is:partial": {partial},
        "mirror persona:teacher": {late},
        "mirr* model:qwen": {partial},
        "mirror -persona:skeptic -disk": {other, late},
        "mirror in:garden": {other, late},
        f"mirror after:{day}": {late, last},
        f"mirror before:{day}": {root, other, partial},
        f"before:{day} by:me": {root, other},
        "mirror after:2100": set(),
        "mirror has:code": {late},
    }.items():
        found, place = [], None
        for _ in range(12):
            results = shelf.find(text, limit=2, after=place)
            found += [item.post_id for item in results.items]
            place = results.next
            if place is None:
                break
        assert (set(found), len(found), place) == (sought, len(sought), None), text


def test_a_mistyped_word_is_forgiven_only_when_that_finds_something(shelf: Shelf) -> None:
    shelf.topic("Kubernetes", "at home")
    gone = shelf.topic("Tomatoes", "at home")
    assert shelf.find("kuberntes home").suggestion == "kubernetes home"
    assert shelf.find("kuberntes", is_typing=True).suggestion == "kubernetes"
    assert shelf.find("kuberntes -home").suggestion == ""
    assert shelf.find("kubernetes").suggestion == ""
    shelf.change("topics", shelf.topic_of(gone), deleted_at=shelf.now)
    assert shelf.find("tomatose").suggestion == ""


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.one_of(st.text(max_size=60), SHREDS), is_typing=st.booleans(), order=st.sampled_from(Order))
def test_no_text_is_an_error_or_reaches_the_index_as_more_than_words(
    shelf: Shelf, text: str, is_typing: bool, order: Order
) -> None:
    shelf.find(text[:200], is_typing=is_typing, order=order, limit=3)


def test_a_text_of_one_very_long_word_can_be_stored_and_found_beside(shelf: Shelf) -> None:
    root = shelf.topic("A", "mirror " + "x" * 100_000)
    wide = shelf.reply(root, " ".join(f"w{number}" for number in range(60_000)) + " mirror")
    assert root in shelf.ids("mirror")
    assert shelf.ids("w17") == [wide]
