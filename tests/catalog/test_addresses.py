"""Checking and normalising the address of a backend."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forllm_server.catalog.addresses import clean_base_url, is_loopback, origin
from forllm_server.catalog.model import BackendKind
from forllm_server.errors import Invalid


@pytest.mark.parametrize(
    ("kind", "typed", "stored"),
    [
        (BackendKind.OLLAMA, "localhost:11434", "http://localhost:11434"),
        (BackendKind.OLLAMA, " http://LOCALHOST:11434/ ", "http://localhost:11434"),
        (BackendKind.OLLAMA, "http://localhost:11434/api/", "http://localhost:11434"),
        (BackendKind.OLLAMA, "http://localhost:11434/v1", "http://localhost:11434"),
        (BackendKind.LLAMA_CPP, "http://10.0.0.5:8080/v1/", "http://10.0.0.5:8080"),
        (BackendKind.OPENAI_COMPATIBLE, "https://api.example.com:443/v1/", "https://api.example.com/v1"),
        (BackendKind.OPENAI_COMPATIBLE, "http://h:1234/v1/chat/completions", "http://h:1234/v1"),
        (BackendKind.OPENAI_COMPATIBLE, "http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        (BackendKind.OPENAI_COMPATIBLE, "http://bücher.example/v1", "http://xn--bcher-kva.example/v1"),
    ],
)
def test_an_address_is_stored_in_one_form(kind: BackendKind, typed: str, stored: str) -> None:
    assert clean_base_url(kind, typed) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "ftp://localhost/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://",
        "http:///v1",
        "http://user:pass@localhost:11434",
        "http://user@localhost",
        "http://localhost:11434/?key=1",
        "http://localhost:11434/#x",
        "http://localhost:99999",
        "http://localhost:0",
        "http://localhost:port",
        "http://[::1",
        "http://local host",
        "http://localhost\n:80",
        "http://localhost/\x00",
        "http://localhost/a/../b",
        "http://localhost\\evil",
        "http://" + "a" * 3000,
        "http://" + "a" * 70,
    ],
)
def test_an_address_that_will_not_do_is_refused_with_its_field(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        clean_base_url(BackendKind.OPENAI_COMPATIBLE, typed)
    assert refused.value.field == "base_url"
    assert len(refused.value.message) < 200


@given(st.text(max_size=60))
def test_any_text_is_either_refused_or_stays_as_it_is_the_second_time(typed: str) -> None:
    try:
        once = clean_base_url(BackendKind.OPENAI_COMPATIBLE, typed)
    except Invalid:
        return
    assert once.startswith(("http://", "https://"))
    assert "@" not in origin(once)
    assert clean_base_url(BackendKind.OPENAI_COMPATIBLE, once) == once


def test_the_origin_is_the_server_without_its_path() -> None:
    assert origin("http://localhost:1234/v1") == "http://localhost:1234"


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:80", "http://localhost:5"])
def test_this_machine_is_known_by_its_names(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["http://10.0.0.1", "http://localhost.example.com", "http://example.com"])
def test_other_machines_are_not_this_one(address: str) -> None:
    assert not is_loopback(address)
