"""A theme that one cannot see through is taken off from the command line."""

from pathlib import Path

import pytest

from tests.support.processes import ForllmProcess

pytestmark = [pytest.mark.slow, pytest.mark.thorough]


def test_the_look_is_put_back_and_nothing_else(tmp_path: Path) -> None:
    options = ("--port", "0", "--workers", "0", "--no-embedded")
    changed = {"theme": "contrast", "text_size": "largest", "density": "compact", "posts_per_page": 20}
    with ForllmProcess("serve", tmp_path / "data", *options, log=tmp_path / "first.log") as serve:
        serve.wait_until_open()
        serve.api("PATCH", "settings", changed)
    with ForllmProcess("serve", tmp_path / "data", *options, "--reset-theme", log=tmp_path / "second.log") as serve:
        serve.wait_until_open()
        found = serve.api("GET", "settings")
    expected = {"theme": "auto", "text_size": "normal", "density": "comfortable", "posts_per_page": 20}
    assert {name: found[name] for name in changed} == expected
