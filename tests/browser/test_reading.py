"""Reading a topic: what is new, folding, permanent links, copying code, votes, and what is known about an answer."""

import pytest
from playwright.sync_api import Page, Response, expect

from tests.support.browser import DESK, Forum, poll_now

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def subforum_id(forum: Forum) -> int:
    return forum.subforum()


def unread_ids(forum: Forum) -> list[int]:
    return [topic["id"] for topic in forum.api("GET", "unread/topics")["items"]]


def test_what_came_into_sight_is_seen_and_the_rest_is_where_reading_goes_on(
    forum: Forum, page: Page, subforum_id: int
) -> None:
    topic_id, first_id = forum.topic(subforum_id, "A long evening")
    replies = [forum.reply(first_id, f"Remark {number}\n\nand why\n\nand what then") for number in range(30)]
    page.goto("/unread")
    expect(page.get_by_role("link", name="A long evening")).to_be_visible()
    with page.expect_response("**/seen"):
        page.goto(f"/topics/{topic_id}")
    reading = forum.api("GET", f"topics/{topic_id}/reading")
    assert reading["has_unread"] is True
    assert reading["first_unread_post_id"] in replies[1:-1]
    page.goto(f"/topics/{topic_id}")
    page.get_by_role("link", name="First unread").click()
    expect(page).to_have_url(f"{forum.url}/topics/{topic_id}#post-{reading['first_unread_post_id']}")
    for reply_id in replies[::4]:
        page.locator(f"#post-{reply_id}").evaluate("row => row.scrollIntoView({behavior: 'instant'})")
        page.wait_for_function("document.querySelectorAll('[data-unseen]').length < 31")
        page.wait_for_timeout(700)
    page.goto("/unread")
    expect(page.get_by_role("heading", level=1)).to_have_text("Unread")
    assert topic_id not in unread_ids(forum)


def test_an_answer_that_arrives_is_marked_new_and_seen_when_it_is_looked_at(
    forum: Forum, page: Page, subforum_id: int
) -> None:
    topic_id, first_id = forum.topic(subforum_id, "Soon")
    page.goto(f"/topics/{topic_id}")
    reply_id = forum.answered(first_id)

    def tells_of_it(response: Response) -> bool:
        return response.url.endswith("/seen") and str(reply_id) in (response.request.post_data or "")

    with page.expect_response(tells_of_it):
        poll_now(page)
        expect(page.locator(f"#post-{reply_id} .post__new")).to_have_text("new")
    page.reload()
    expect(page.locator(f"#post-{reply_id}")).to_be_visible()
    expect(page.locator(f"#post-{reply_id} .post__new")).to_have_count(0)
    assert topic_id not in unread_ids(forum)


def test_a_branch_is_folded_by_click_and_key_stays_so_and_opens_for_a_link_into_it(
    forum: Forum, page: Page, subforum_id: int
) -> None:
    topic_id, first_id = forum.topic(subforum_id, "Branches")
    branch_id = forum.reply(first_id, "A branch")
    inside_id = forum.reply(branch_id, "Inside")
    deeper_id = forum.reply(inside_id, "Deeper")
    beside_id = forum.reply(first_id, "Beside")
    page.goto(f"/topics/{topic_id}")
    row = page.locator(f"#post-{branch_id}")
    row.get_by_role("button", name="Fold 2 replies").click()
    expect(page.locator(f"#post-{deeper_id}")).to_be_hidden()
    expect(page.locator(f"#post-{beside_id}")).to_be_visible()
    page.reload()
    expect(row.get_by_role("button", name="Unfold 2 replies")).to_have_attribute("aria-expanded", "false")
    late_id = forum.reply(inside_id, "Late")
    poll_now(page)
    expect(row.get_by_role("button", name="Unfold 3 replies")).to_be_visible()
    expect(page.locator(f"#post-{late_id}")).to_be_hidden()
    page.goto(f"/posts/{deeper_id}")
    expect(page.locator(f"#post-{deeper_id}")).to_be_in_viewport()
    row.focus()
    page.keyboard.press("f")
    expect(page.locator(f"#post-{inside_id}")).to_be_hidden()
    page.keyboard.press("f")
    expect(page.locator(f"#post-{inside_id}")).to_be_visible()


def test_code_is_copied_votes_are_cast_and_details_open_in_their_place(
    forum: Forum, page: Page, subforum_id: int
) -> None:
    topic_id, first_id = forum.topic(subforum_id, "Code", "```python\nprint('hello')\n```")
    reply_id = forum.answered(first_id)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/topics/{topic_id}")
    page.locator(".code").hover()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "print('hello')\n"
    row = page.locator(f"#post-{reply_id}")
    row.hover()
    page.evaluate("window.isTheSamePage = true")
    row.get_by_role("button", name="Vote for").click()
    expect(row.get_by_role("button", name="Vote for")).to_have_attribute("aria-pressed", "true")
    assert forum.api("GET", f"posts/{reply_id}/votes")["own"] == 1
    row.get_by_role("link", name="More").click()
    expect(row.get_by_role("region", name=f"About post #{reply_id}")).to_contain_text("night-writer")
    row.get_by_role("link", name="Close").click()
    expect(row.get_by_role("region", name=f"About post #{reply_id}")).to_have_count(0)
    assert page.evaluate("window.isTheSamePage") is True
    row.focus()
    page.keyboard.press("b")
    expect(row.get_by_role("link", name="bookmarked")).to_be_visible()
    expect(row).to_be_focused()
    assert page.evaluate("window.isTheSamePage") is True


def test_a_permanent_link_is_lit_for_three_seconds_and_a_long_post_unfolds(
    forum: Forum, page: Page, subforum_id: int
) -> None:
    topic_id, first_id = forum.topic(subforum_id, "Length")
    long_id = forum.reply(first_id, "A line.\n\n" * 200)
    page.set_viewport_size(DESK)
    page.goto(f"/posts/{long_id}")
    row = page.locator(f"#post-{long_id}")
    assert row.evaluate("row => row.getAnimations().map(each => each.effect.getTiming().duration)") == [3000]
    before = row.bounding_box()
    page.get_by_text("Show all 400 lines").click()
    expect(page.get_by_text("Show less")).to_be_visible()
    after = row.bounding_box()
    assert before is not None
    assert after is not None
    assert before["height"] < 700 < 5_000 < after["height"]
    assert topic_id
