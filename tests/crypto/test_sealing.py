"""Keys and sealing."""

import pytest

from forllm_server.crypto.keys import derive
from forllm_server.crypto.sealing import CannotOpen, open_sealed, seal

KEY = b"k" * 32


def test_what_was_sealed_opens_again() -> None:
    assert open_sealed(KEY, seal(KEY, b"sk-123", context="a"), context="a") == b"sk-123"


def test_the_same_text_never_looks_the_same_twice() -> None:
    assert seal(KEY, b"x", context="a") != seal(KEY, b"x", context="a")


@pytest.mark.parametrize(
    ("key", "context"), [(b"o" * 32, "a"), (KEY, "b"), (KEY, "")], ids=["other key", "other row", "no context"]
)
def test_it_does_not_open_with_another_key_or_in_another_place(key: bytes, context: str) -> None:
    with pytest.raises(CannotOpen):
        open_sealed(key, seal(KEY, b"x", context="a"), context=context)


def test_no_altered_byte_and_no_cut_goes_unnoticed() -> None:
    sealed = seal(KEY, b"sk-123", context="a")
    altered = [sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :] for place in range(len(sealed))]
    for damaged in [*altered, *(sealed[:length] for length in range(len(sealed))), sealed + b"\0"]:
        with pytest.raises(CannotOpen):
            open_sealed(KEY, damaged, context="a")


def test_each_use_has_its_own_key() -> None:
    keys = {derive(KEY, label) for label in ("session", "form", "sealing")}
    assert len(keys) == 3
    assert all(len(key) == 32 for key in keys)


def test_a_secret_longer_than_the_hash_takes_counts_to_its_end() -> None:
    assert derive(b"x" * 100, "a") != derive(b"x" * 99 + b"y", "a")


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32"):
        derive(b"short", "session")
