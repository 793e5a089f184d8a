"""Keys: the page that lists them, what carries them, and the switch."""

from forllm_server.pages.frame import PLACE_KEYS
from forllm_server.pages.keys import SECTIONS
from tests.pages.conftest import Browser


def test_the_page_of_keys_lists_them_and_leads_to_the_switch(browser: Browser) -> None:
    page = browser.open("/keys")
    assert "Shift R" in browser.words()
    assert "They are on." in browser.words()
    assert page.find("a", href="/settings#field-has_keys")


def test_a_page_that_is_open_gets_the_list_alone(browser: Browser) -> None:
    answer = browser.client.get("/keys", headers={"HX-Request": "true"})
    assert answer.text.lstrip().startswith('<div class="keys">')


def test_every_place_has_its_keys_on_every_page_and_in_the_list(browser: Browser) -> None:
    page = browser.open("/")
    carried = {element["data-key"]: element["href"] for element in page.select("a[data-key^='g ']")}
    there = {
        keys: url
        for url, keys in PLACE_KEYS.items()
        if keys.startswith("g ") and browser.client.get(url).status_code == 200
    }
    assert carried == there
    listed = {way for key in SECTIONS["Going"] for way in key.keys}
    assert carried.keys() <= listed
    words = " ".join(browser.open("/keys").find("div", class_="keys").get_text(" ").split())
    assert ("g b" in words) == ("g b" in carried)


def test_no_key_means_two_things() -> None:
    ways = [way for keys in SECTIONS.values() for key in keys for way in key.keys]
    assert len(ways) == len(set(ways))
    assert len(set(PLACE_KEYS.values())) == len(PLACE_KEYS)


def test_the_keys_can_be_switched_off(browser: Browser) -> None:
    assert browser.open("/").find("forllm-keys")
    browser.open("/settings")
    browser.send("/settings", {"has_keys": None})
    assert not browser.open("/").find("forllm-keys")
    assert "They are off." in browser.open("/keys").main.get_text(" ")
