"""Groups and colours of subforums in the page."""

from tests.pages.conftest import Browser
from tests.pages.test_subforum import make


def group(browser: Browser, name: str) -> None:
    browser.open("/subforums")
    browser.send("/subforums/groups", {"name": name})


def test_groups_are_headings_in_the_list_the_rail_and_on_the_first_page(browser: Browser) -> None:
    make(browser, "One")
    make(browser, "Two")
    group(browser, "Work")
    browser.open("/subforums/2/edit")
    browser.send("/subforums/2/edit", {"group_id": "1", "colour": "teal"})
    for path in ("/subforums", "/"):
        browser.open(path)
        assert "Work" in [heading.get_text() for heading in browser.page.main.find_all(["h2", "h3"])]
        rail = browser.page.find("nav", attrs={"aria-label": "Subforums"})
        assert [heading.get_text() for heading in rail.find_all("h3")] == ["Work"]
        assert rail.find("span", class_="hue-7")
    group(browser, "WORK")
    assert (browser.status, bool(browser.problem("name"))) == (409, True)


def test_groups_are_ordered_renamed_and_removed_without_a_script(browser: Browser) -> None:
    for number, name in enumerate(("A", "B"), start=1):
        make(browser, f"Subforum {name}")
        group(browser, name)
        browser.open(f"/subforums/{number}/edit")
        browser.send(f"/subforums/{number}/edit", {"group_id": str(number)})
    browser.open("/subforums")
    browser.send("/subforums/groups/2/move", {}, button={"position": "0"})
    headings = [heading.get_text() for heading in browser.page.main.find_all("h2")]
    assert headings == ["B", "A", "Groups"]
    browser.open("/subforums/groups/2/edit")
    browser.send("/subforums/groups/2/edit", {"name": "Better"})
    assert "Better" in browser.words()
    browser.open("/subforums/groups/2/edit")
    browser.send("/subforums/groups/2/delete", {})
    assert "its subforums stay" in browser.text
    assert [heading.get_text() for heading in browser.page.main.find_all("h2")] == ["A", "Groups"]
    browser.open("/subforums/groups/2/edit")
    assert browser.status == 404


def test_a_colour_of_ones_own_making_is_refused(browser: Browser) -> None:
    make(browser, "One")
    browser.open("/subforums/1/edit")
    browser.send("/subforums/1/edit", {"colour": "#ff0000"})
    assert browser.status == 422
