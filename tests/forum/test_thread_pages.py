"""Pages of a topic, the way to a post, and what they cost."""

import random

import pytest
from sqlalchemy import insert

from forllm_server.db import Database
from forllm_server.errors import NotFound
from forllm_server.forum import post_store, threading
from forllm_server.forum.model import Post, Topic
from forllm_server.forum.tables import posts
from tests.forum.world import EVENING, counted_statements, reply, start_topic


def grow(database: Database, count: int, *, is_chain: bool = False) -> tuple[Topic, list[int]]:
    """A topic with ``count`` replies; the ids of its posts in depth-first order."""
    topic, root = start_topic(database)
    choice = random.Random(count)
    ids, children, paths, depths = [root.id], {root.id: []}, {root.id: root.path}, {root.id: 0}
    rows = []
    for number in range(count):
        parent = ids[-1] if is_chain else choice.choice(ids)
        post_id = root.id + 1 + number
        children[parent].append(post_id)
        children[post_id] = []
        ids.append(post_id)
        paths[post_id] = threading.reply_path(paths[parent], parent_id=parent, sibling=len(children[parent]))
        depths[post_id] = depths[parent] + 1
        rows.append(
            {
                "id": post_id, "topic_id": topic.id, "parent_id": parent, "owner_id": 1, "content": f"Post {post_id}",
                "path": paths[post_id], "depth": depths[post_id], "created_at": EVENING,
            }
        )  # fmt: skip
    with database.transaction() as connection:
        if rows:
            connection.execute(insert(posts), rows)
    order, waiting = [], [root.id]
    while waiting:
        order.append(waiting.pop())
        waiting.extend(reversed(children[order[-1]]))
    return topic, order


def ids(page: list[Post]) -> list[int]:
    return [post.id for post in page]


def test_pages_follow_each_other_in_thread_order_without_gap(database: Database) -> None:
    topic, order = grow(database, 60)
    seen: list[int] = []
    after = None
    with database.read() as connection:
        while page := post_store.list_page(connection, topic.id, after=after, limit=7):
            seen += ids(page)
            after = page[-1].path
    assert seen == order


def test_the_page_before_ends_where_this_one_begins(database: Database) -> None:
    topic, order = grow(database, 60)
    with database.read() as connection:
        post = post_store.get_post(connection, order[30])
        assert ids(post_store.list_page_before(connection, topic.id, before=post.path, limit=10)) == order[20:30]
        first = post_store.get_post(connection, order[3])
        assert ids(post_store.list_page_before(connection, topic.id, before=first.path, limit=10)) == order[:3]


def test_the_page_around_a_post_shows_it_with_some_before(database: Database) -> None:
    _, order = grow(database, 60)
    with database.read() as connection:
        for place, start in ((30, 25), (0, 0), (60, 55)):
            page = post_store.list_page_around(connection, post_store.get_post(connection, order[place]), limit=20)
            assert ids(page) == order[start : start + 20]


def test_replies_made_by_the_rules_stand_where_their_parent_is(database: Database) -> None:
    topic, root = start_topic(database)
    with database.transaction() as connection:
        first = reply(connection, root.id)
        second = reply(connection, root.id)
        below_first = reply(connection, first.id)
        second_below_first = reply(connection, first.id)
        page = post_store.list_page(connection, topic.id, limit=10)
    assert ids(page) == [root.id, first.id, below_first.id, second_below_first.id, second.id]
    assert [post.depth for post in page] == [0, 1, 2, 2, 1]


def test_posts_are_found_by_their_ids_oldest_first(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        first, _, third = (reply(connection, root.id) for _ in range(3))
        assert post_store.list_posts(connection, [third.id, first.id, 404]) == [first, third]


def test_the_way_to_a_post_leads_from_the_first_one(database: Database) -> None:
    _, root = start_topic(database)
    with database.transaction() as connection:
        first = reply(connection, root.id)
        reply(connection, first.id)
        second = reply(connection, first.id)
        way = post_store.list_ancestors(connection, second.id)
        alone = post_store.list_ancestors(connection, root.id, nearest=1)
    assert (ids(list(way.posts)), way.left_out) == ([root.id, first.id, second.id], 0)
    assert (ids(list(alone.posts)), alone.left_out) == ([root.id], 0)


def test_the_way_in_a_chain_of_10000_is_cut_after_the_first_post(database: Database) -> None:
    _, order = grow(database, 10_000, is_chain=True)
    with database.read() as connection, counted_statements(database) as statements:
        way = post_store.list_ancestors(connection, order[-1], nearest=5)
    assert ids(list(way.posts)) == [order[0], *order[-5:]]
    assert way.left_out == 10_001 - 6
    assert len(statements) == 3
    with database.read() as connection:
        whole = post_store.list_ancestors(connection, order[-1])
    assert (ids(list(whole.posts)), whole.left_out) == (order, 0)


@pytest.mark.parametrize(("nearest", "left_out"), [(1, 2), (2, 1), (3, 0), (4, 0), (9, 0)])
def test_what_is_left_out_is_counted(database: Database, nearest: int, left_out: int) -> None:
    _, order = grow(database, 3, is_chain=True)
    with database.read() as connection:
        way = post_store.list_ancestors(connection, order[-1], nearest=nearest)
    assert way.left_out == left_out
    assert ids(list(way.posts)) == [order[0], *order[1 + left_out :]]


def test_posts_that_are_not_there_are_not_found(database: Database) -> None:
    with database.read() as connection:
        for look in (post_store.get_post, post_store.list_ancestors, post_store.get_root):
            with pytest.raises(NotFound):
                look(connection, 404)


@pytest.mark.parametrize("count", [5, 400])
def test_a_page_takes_one_statement_however_long_the_topic(database: Database, count: int) -> None:
    topic, _ = grow(database, count)
    with database.read() as connection, counted_statements(database) as statements:
        post_store.list_page(connection, topic.id, limit=50)
    assert len(statements) == 1


def test_a_page_is_read_from_the_index_in_order(sqlite_database: Database) -> None:
    with sqlite_database.read() as connection:
        with counted_statements(sqlite_database) as statements:
            post_store.list_page(connection, 1, after=threading.root_path(), limit=50)
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statements[0]}", (1, b"\x00", 50, 0))
        plan = " ".join(row[3] for row in rows)
    assert "topic_id=? AND path>?" in plan
    assert "TEMP B-TREE" not in plan
