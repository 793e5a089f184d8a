"""The documentation has a paragraph for every kind."""

from pathlib import Path

import pytest

from forllm_server.backends import BACKENDS, BackendConfig, BackendError, create
from forllm_server.backends import faults as faults_module

DOCS = Path(__file__).parents[2] / "docs" / "backends.md"


@pytest.mark.parametrize("kind", list(BACKENDS))
def test_every_kind_has_a_paragraph(kind: str) -> None:
    sections = DOCS.read_text(encoding="utf-8").split("\n## ")
    (section,) = [section for section in sections if section.splitlines()[0].endswith(f"`{kind}`")]
    assert len(section) > 300


def test_every_error_code_is_documented() -> None:
    text = DOCS.read_text(encoding="utf-8")
    known = [value for value in vars(faults_module).values() if isinstance(value, type)]
    codes = {kind.code for kind in known if issubclass(kind, BackendError) and kind is not BackendError}
    assert [code for code in sorted(codes) if f"`{code}`" not in text] == []


def test_every_error_says_what_is_wrong() -> None:
    for kind in vars(faults_module).values():
        if isinstance(kind, type) and issubclass(kind, BackendError):
            assert kind().message.endswith((".", "?"))


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BackendError, match="ollama"):
        create("telepathy", BackendConfig())
