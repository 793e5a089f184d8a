"""Nothing that a person or a model writes may run, load from elsewhere, or dress up where a link leads."""

from html import unescape

import pytest

from forllm_server.markup.render import render
from forllm_server.markup.sanitize import sanitize
from tests.markup.page_checks import dangers
from tests.markup.payloads import all_payloads

PAYLOADS = all_payloads()


def test_there_are_enough_payloads() -> None:
    assert len(PAYLOADS) > 700


def test_no_payload_leaves_anything_dangerous_on_the_page() -> None:
    found = {payload: dangers(render(payload, anchor_prefix="post-1").html) for payload in PAYLOADS}
    assert {payload: what for payload, what in found.items() if what} == {}


def test_all_payloads_together_in_the_child_leave_nothing_dangerous() -> None:
    assert dangers(render("\n\n".join(PAYLOADS), anchor_prefix="post-1").html) == []


def test_the_second_wall_holds_alone() -> None:
    """Even if the parser passed all HTML on, the sanitiser would not."""
    for payload in PAYLOADS:
        for page in (sanitize(payload), sanitize(unescape(payload))):
            risks = [what for what in dangers(page) if not what.startswith("unmarked external link")]
            assert risks == [], payload


@pytest.mark.parametrize(
    "attribute", ['style="x"', 'onclick="x"', 'src="x"', 'class="modal"', 'id="queue"', 'href="/x"', 'name="x"']
)
def test_the_second_wall_takes_unlisted_attributes_from_every_element(attribute: str) -> None:
    for tag in ("p", "span", "div", "td", "pre", "code", "li", "math", "mi", "mtext", "annotation", "img", "table"):
        name = attribute.partition("=")[0]
        kept = sanitize(f"<{tag} {attribute}>x</{tag}>")
        assert f" {name}=" not in kept.replace(' class=""', "")


def test_the_second_wall_keeps_only_listed_classes() -> None:
    assert sanitize('<span class="k modal">x</span>') == '<span class="k">x</span>'


def test_a_remote_image_is_a_link_that_names_its_host() -> None:
    page = render("![a cat](https://Evil.example:8080/cat.png)", anchor_prefix="p").html
    assert "<img" not in page
    assert ">image: a cat (evil.example)</a>" in page
    assert 'data-host="evil.example"' in page


def test_an_image_inside_a_link_is_text_and_keeps_its_address() -> None:
    page = render("[![badge](https://img.example/b.svg)](https://x.example)", anchor_prefix="p").html
    assert page.count("<a ") == 1
    assert '<span class="image-link" title="https://img.example/b.svg">image: badge (img.example)</span>' in page


def test_an_attachment_is_an_image() -> None:
    page = render('![plan](/attachments/12/plan.png "the plan")', anchor_prefix="p").html
    assert page == (
        '<p><img src="/attachments/12/plan.png" alt="plan" class="attachment-image" loading="lazy"'
        ' title="the plan"></p>\n'
    )


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://müller.example/", "xn--mller-kva.example"),
        ("https://аpple.example/", "xn--pple-43d.example"),
        ("https://bank.example@evil.example/", "evil.example"),
        ("//evil.example/x", "evil.example"),
        ("HTTPS://EVIL.example", "evil.example"),
    ],
)
def test_a_link_tells_the_host_it_really_leads_to(address: str, host: str) -> None:
    assert f'data-host="{host}"' in render(f"[bank]({address})", anchor_prefix="p").html


def test_a_link_within_the_site_is_not_marked() -> None:
    assert render("[x](/topics/3#post-4)", anchor_prefix="p").html == '<p><a href="/topics/3#post-4">x</a></p>\n'


def test_a_formula_cannot_cover_the_page() -> None:
    page = render(r"$\hspace{-900em}x\hspace{9999em}$", anchor_prefix="p").html
    assert "900em" not in page.partition("<annotation")[0]
    assert "9999em" not in page.partition("<annotation")[0]


def test_a_formula_that_defines_commands_is_shown_as_code() -> None:
    page = render(r"$\def\x{\x\x}\x$", anchor_prefix="p").html
    assert r'<code class="math-source">\def\x{\x\x}\x</code>' in page
