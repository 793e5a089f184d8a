"""Where one may be sent."""

import pytest

from forllm_server.web.redirects import safe_next


@pytest.mark.parametrize("address", ["/", "/topics/5", "/topics/5?after=a%2Fb&x=http://y#post-7", "/topics/ä"])
def test_a_path_of_ours_is_kept(address: str) -> None:
    assert safe_next(address) == address


@pytest.mark.parametrize(
    "address",
    [
        None,
        "",
        "topics",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/%2fevil.example",
        "/%2f%2fevil.example",
        "%2f%2fevil.example",
        "/%252f%252fevil.example",
        "/%5cevil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/a\r\nSet-Cookie: x=1",
        "/a%0d%0aSet-Cookie: x=1",
        "http://evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "JaVaScript:alert(1)",
        "data:text/html,x",
        " //evil.example",
        "/.//evil.example",
    ],
)
def test_everything_else_leads_home(address: str | None) -> None:
    assert safe_next(address, default="/home") == "/home"
