"""What the face does beyond its pages: keys, two panes, menus on a phone, the theme that changes while it is made."""

import gzip
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from forllm_server.config import static_dir
from tests.support.browser import DESK, PHONE, Forum, accessibility_faults, is_scrolled_sideways, watched

pytestmark = pytest.mark.slow

WIDE = {"width": 1440, "height": 900}
ORDINARY = "A post of ordinary length says one thing, with a reason and an example, and leaves it at that. " * 2
#: bytes, compressed, of what one page loads
MOST_SCRIPT, MOST_STYLE = 40 * 1024, 25 * 1024
IN_SIGHT = """() => Array.from(document.querySelectorAll("article.post"), post => post.getBoundingClientRect())
  .filter(box => box.top >= 0 && box.bottom <= innerHeight).length"""


@pytest.fixture(scope="module")
def topics(forum: Forum) -> tuple[int, int, int]:
    """A subforum and two topics in it; the first with replies."""
    subforum_id = forum.subforum("Homelab")
    first_id, post_id = forum.topic(subforum_id, "Is a mirror a backup?", ORDINARY)
    for _ in range(14):
        forum.reply(post_id, ORDINARY)
    second_id, _ = forum.topic(subforum_id, "Which cable is it?", f"As in [the other one](/topics/{first_id}).")
    return subforum_id, first_id, second_id


@pytest.fixture
def wide(browser: Browser, forum: Forum) -> Iterator[Page]:
    with watched(browser, forum.url, viewport=WIDE) as (page, watch):
        yield page
    assert watch.complaints == []


@pytest.fixture
def phone(browser: Browser, forum: Forum) -> Iterator[Page]:
    with watched(browser, forum.url, viewport=PHONE, has_touch=True, is_mobile=True) as (page, watch):
        yield page
    assert watch.complaints == []


def test_keys_lead_through_a_list_into_a_topic_and_back(page: Page, topics: tuple[int, int, int]) -> None:
    page.goto(f"/subforums/{topics[0]}")
    page.keyboard.press("j")
    first = page.locator(".rows > li").nth(0)
    expect(first).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(first).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/topics/*")
    page.keyboard.press("j")
    expect(page.locator("article.post").first).to_be_focused()
    page.keyboard.press("u")
    page.wait_for_url(f"**/subforums/{topics[0]}")


def test_two_keys_lead_to_a_place_and_none_works_in_a_field(page: Page, topics: tuple[int, int, int]) -> None:
    page.goto(f"/subforums/{topics[0]}/topics/new")
    title = page.get_by_label("Title")
    title.focus()
    page.keyboard.type("gq? jk")
    expect(title).to_have_value("gq? jk")
    title.blur()
    page.keyboard.press("g")
    page.keyboard.press("p")
    page.wait_for_url("**/personas")
    page.keyboard.press("Control+g")
    page.keyboard.press("q")
    expect(page).to_have_url(page.url)


def test_the_list_of_keys_opens_over_the_page_and_gives_the_focus_back(
    page: Page, topics: tuple[int, int, int]
) -> None:
    page.goto(f"/topics/{topics[1]}")
    page.keyboard.press("j")
    post = page.locator("article.post").first
    expect(post).to_be_focused()
    page.keyboard.press("?")
    over = page.locator("[data-keys-help]")
    expect(over).to_be_visible()
    expect(over.get_by_text("next post or row")).to_be_visible()
    expect(over.get_by_role("button", name="Close")).to_be_focused()
    assert accessibility_faults(page) == []
    page.keyboard.press("Escape")
    expect(over).to_be_hidden()
    expect(post).to_be_focused()


def test_a_topic_opens_beside_its_list_and_lives_there(wide: Page, forum: Forum, topics: tuple[int, int, int]) -> None:
    page = wide
    page.goto(f"/subforums/{topics[0]}")
    page.get_by_role("button", name="Two panes").click()
    pane = page.get_by_role("region", name="Second pane")
    expect(pane.get_by_text("Choose a topic on the left")).to_be_visible()
    assert accessibility_faults(page) == []
    page.get_by_role("main").get_by_role("link", name="Is a mirror a backup?").click()
    expect(pane.get_by_role("heading", name="Is a mirror a backup?")).to_be_visible()
    expect(page.get_by_role("main").get_by_role("link", name="Which cable is it?")).to_be_visible()
    assert f"pane=%2Ftopics%2F{topics[1]}" in page.url
    assert accessibility_faults(page) == []
    assert not is_scrolled_sideways(page)
    pane.locator("article.post").first.get_by_role("link", name="Reply", exact=True).click()
    pane.get_by_label("Reply to You").fill("Said in the second pane")
    pane.get_by_label("Reply to You").press("Control+Enter")
    expect(pane.get_by_text("Said in the second pane")).to_be_visible()
    expect(page.get_by_role("main").get_by_role("heading", name="Homelab")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="Which cable is it?").click()
    expect(pane.get_by_role("heading", name="Which cable is it?")).to_be_visible()
    page.go_back()
    expect(pane.get_by_role("heading", name="Is a mirror a backup?")).to_be_visible()
    page.reload()
    expect(pane.get_by_role("heading", name="Is a mirror a backup?")).to_be_visible()
    page.get_by_role("button", name="Close the second pane").click()
    expect(pane).to_be_hidden()
    assert "pane=" not in page.url
    page.reload()
    expect(pane.get_by_text("Choose a topic on the left")).to_be_visible()
    page.get_by_role("button", name="Close the second pane").click()
    expect(pane).to_be_hidden()
    page.reload()
    expect(pane).to_be_hidden()


def test_two_topics_stand_side_by_side(wide: Page, topics: tuple[int, int, int]) -> None:
    wide.goto(f"/topics/{topics[2]}")
    wide.get_by_role("button", name="Two panes").click()
    wide.get_by_role("main").get_by_role("link", name="the other one").click()
    pane = wide.get_by_role("region", name="Second pane")
    expect(pane.locator("forllm-thread")).to_have_count(1)
    expect(wide.get_by_role("main").locator("forllm-thread")).to_have_count(1)


def test_a_narrow_screen_has_one_pane(page: Page, topics: tuple[int, int, int]) -> None:
    page.set_viewport_size({"width": 1000, "height": 800})
    page.goto(f"/subforums/{topics[0]}?pane=/topics/{topics[1]}")
    expect(page.get_by_role("button", name="Two panes")).to_be_hidden()
    expect(page.get_by_role("region", name="Second pane")).to_be_hidden()
    page.goto(f"/subforums/{topics[0]}?pane=//example.org/topics/1")
    expect(page.locator("[data-pane]")).to_be_empty()


def test_the_rest_of_the_places_is_in_a_sheet_on_a_phone(phone: Page, topics: tuple[int, int, int]) -> None:
    phone.goto("/")
    phone.locator(".rail__more > summary").tap()
    sheet = phone.locator(".rail__more .menu__body")
    expect(sheet.get_by_role("link", name="Settings")).to_be_in_viewport()
    assert accessibility_faults(phone) == []
    assert min(sheet.locator("a").evaluate_all("links => links.map(link => link.offsetHeight)")) >= 44
    phone.locator("main").tap(position={"x": 20, "y": 20})
    expect(sheet).to_be_hidden()


def test_a_theme_shows_while_it_is_made_and_is_gone_with_the_page(page: Page, topics: tuple[int, int, int]) -> None:
    page.goto("/theme")
    # A light screen: the form begins with what is on.
    expect(page.get_by_label("light", exact=True)).to_be_checked()
    expect(page.get_by_label("Name")).to_have_value("My light")
    ground = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(ground)
    page.get_by_label("the page").fill("#204060")
    assert page.evaluate(ground) == "rgb(32, 64, 96)"
    page.locator("[name=text]").fill("#305070")
    expect(page.locator("[data-contrast]")).to_contain_text("text on ground")
    page.get_by_role("button", name="Revert").click()
    page.wait_for_function(f"before => {ground} === before", arg=before)
    page.get_by_label("the page").fill("#0a0a0a")
    page.get_by_role("button", name="Keep and use it").click()
    expect(page.get_by_text("Your theme is kept")).to_be_visible()
    page.goto("/")
    assert page.evaluate(ground) == "rgb(10, 10, 10)"
    page.goto("/theme")
    page.get_by_role("button", name="Remove my theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "auto")


def test_settings_are_found_while_typing(page: Page, topics: tuple[int, int, int]) -> None:
    page.goto("/settings")
    page.get_by_label("Find a setting").fill("time zone")
    expect(page.locator("[data-filter-item]:visible")).to_have_count(1)
    expect(page.locator("[name=timezone]")).to_be_visible()
    page.get_by_label("Find a setting").fill("xyzzy")
    expect(page.get_by_text("No setting is called so.")).to_be_visible()
    page.get_by_label("Find a setting").press("Escape")
    expect(page.locator("[name=temperature]")).to_be_visible()


@pytest.mark.parametrize(("density", "least"), [("comfortable", 5), ("compact", 8)])
def test_so_many_posts_are_seen_at_once(
    page: Page, forum: Forum, topics: tuple[int, int, int], density: str, least: int
) -> None:
    forum.api("PATCH", "settings", {"density": density})
    page.set_viewport_size(DESK)
    page.goto(f"/topics/{topics[1]}")
    page.locator("article.post").nth(2).evaluate("post => post.scrollIntoView({behavior: 'instant'})")
    assert page.evaluate(IN_SIGHT) >= least
    forum.api("PATCH", "settings", {"density": "comfortable"})


@pytest.mark.parametrize("theme", ["contrast", "soft"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_other_themes_are_accessible_too(
    browser: Browser, forum: Forum, topics: tuple[int, int, int], theme: str, scheme: str
) -> None:
    forum.api("PATCH", "settings", {"theme": theme})
    with watched(browser, forum.url, color_scheme=scheme) as (page, watch):
        for path in ("/", f"/topics/{topics[1]}", "/settings", "/queue"):
            page.goto(path)
            assert accessibility_faults(page) == [], path
        assert watch.complaints == []
    forum.api("PATCH", "settings", {"theme": "auto"})


def test_every_script_is_understood_as_it_is_served(page: Page) -> None:
    """Scripts go without their comments."""
    page.goto("/keys")
    own = static_dir() / "js"
    names = [file.relative_to(own).as_posix() for file in own.rglob("*.js") if file.name != "swagger.js"]
    imports = """async names => {
      const base = document.querySelector('script[src$="/js/app.js"]').src.replace("app.js", "");
      return (await Promise.all(names.map(name => import(base + name)))).length;
    }"""
    assert page.evaluate(imports, names) == len(names)


@pytest.mark.parametrize(
    "path", ["/", "/topics/{topic_id}", "/subforums/{subforum_id}/topics/new", "/queue", "/settings"]
)
def test_a_page_loads_little(page: Page, topics: tuple[int, int, int], path: str) -> None:
    # Weighed at the end: reading a body within the event would let the next event in between.
    seen: list[Response] = []
    page.on("response", lambda response: seen.append(response))
    page.goto(path.format(topic_id=topics[1], subforum_id=topics[0]))
    page.wait_for_load_state("networkidle")
    sizes = {"script": 0, "stylesheet": 0}
    for response in seen:
        if (kind := response.request.resource_type) in sizes:
            assert response.headers.get("content-encoding") == "gzip", response.url
            sizes[kind] += len(gzip.compress(response.body()))
    assert MOST_SCRIPT / 4 < sizes["script"] <= MOST_SCRIPT, sizes
    assert MOST_STYLE / 4 < sizes["stylesheet"] <= MOST_STYLE, sizes
