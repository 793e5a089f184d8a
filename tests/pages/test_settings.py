"""The settings page."""

from forllm_server.settings.fields import FIELDS
from tests.pages.conftest import Browser


def test_every_setting_has_a_labelled_control_with_its_help(browser: Browser) -> None:
    page = browser.open("/settings")
    for field in FIELDS:
        control = page.find(attrs={"name": field.name})
        assert control is not None, field.name
        assert page.find(id=control["aria-describedby"]), field.name
        assert control.find_parent("label") or page.find("label", attrs={"for": control["id"]}), field.name


def test_what_is_saved_holds_at_once(browser: Browser) -> None:
    browser.open("/settings")
    browser.send("/settings", {"theme": "dark", "density": "compact", "timezone": "Asia/Tokyo"})
    assert "Saved." in browser.words()
    assert browser.page.html["data-theme"] == "dark"
    assert browser.page.html["data-density"] == "compact"
    assert browser.page.find("input", attrs={"name": "timezone"})["value"] == "Asia/Tokyo"


def test_nothing_is_saved_when_one_value_will_not_do(browser: Browser) -> None:
    browser.open("/settings")
    browser.send("/settings", {"posts_per_page": "0", "theme": "dark"})
    assert browser.status == 422
    assert browser.problem("posts_per_page")
    assert browser.open("/settings").html["data-theme"] == "auto"


def test_a_box_can_be_unticked(browser: Browser) -> None:
    browser.open("/settings")
    browser.send("/settings", {"shows_link_warning": None})
    assert not browser.page.find("input", attrs={"name": "shows_link_warning"}).has_attr("checked")


def test_how_one_is_told_can_be_found_from_the_settings(browser: Browser) -> None:
    page = browser.open("/settings")
    assert page.main.find("a", href="/notifications", string="Being told")
