"""The first command on a fresh machine: an environment is made once, kept current, and mended when it breaks.

A small checkout with a package of its own stands for the real one, so that nothing is downloaded.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import forllm
from forllm_server import bootstrap
from forllm_server.config import CHECKOUT

PROGRAM = """
import seedling
def main(arguments):
    print(f"seedling {seedling.VERSION}, asked {' '.join(arguments)}")
    return 7
"""
#: Every way to install that this machine has.
INSTALLERS = ["pip", *(["uv"] if shutil.which("uv") else [])]


class SmallCheckout:
    """A folder with forllm.py, the bootstrap, a lock of one package and a program that needs it."""

    def __init__(self, root: Path, installer: str) -> None:
        self.root, self.wheels, self.installer = root / "checkout", root / "wheels", installer
        for folder in (self.root / "forllm_server" / "cli", self.root / "tests", self.wheels):
            folder.mkdir(parents=True)
        shutil.copy(CHECKOUT / "forllm.py", self.root)
        shutil.copy(CHECKOUT / "forllm_server" / "bootstrap.py", self.root / "forllm_server")
        (self.root / "forllm_server" / "__init__.py").touch()
        (self.root / "forllm_server" / "cli" / "__init__.py").write_text(PROGRAM)
        (self.root / "tests" / "requirements.lock").write_text("")
        self.lock("1.0")

    def lock(self, version: str) -> None:
        digest = make_wheel(self.wheels, version)
        (self.root / "requirements.lock").write_text(f"seedling=={version} \\\n    --hash=sha256:{digest}\n")

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        path = os.environ["PATH"] if self.installer == "uv" else self.path_without_uv()
        environment = {**os.environ, "PATH": path, "UV_OFFLINE": "1", "UV_FIND_LINKS": str(self.wheels)}
        environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "UV_NO_INDEX": "1"}
        environment.pop("VIRTUAL_ENV", None)
        return subprocess.Popen(
            [sys.executable, "forllm.py", *arguments],
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments)
        output, messages = process.communicate(timeout=120)
        return process.returncode, output, messages

    def path_without_uv(self) -> str:
        """A PATH whose uv does not work: it must not be relied on only because it is there."""
        folder = self.root.parent / "bin"
        folder.mkdir(exist_ok=True)
        broken = folder / "uv"
        broken.write_text("#!/bin/sh\nexit 1\n")
        broken.chmod(0o755)
        return f"{folder}{os.pathsep}{os.environ['PATH']}"


def make_wheel(folder: Path, version: str) -> str:
    """A wheel of the package ``seedling``; returns its SHA-256."""
    file = folder / f"seedling-{version}-py3-none-any.whl"
    info = f"seedling-{version}.dist-info"
    contents = {
        "seedling.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: seedling\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},"
        f"{len(text.encode())}\n"
        for name, text in contents.items()
    )
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in {**contents, f"{info}/RECORD": record + f"{info}/RECORD,,\n"}.items():
            archive.writestr(name, text)
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture(params=INSTALLERS)
def checkout(request: pytest.FixtureRequest, tmp_path: Path) -> SmallCheckout:
    return SmallCheckout(tmp_path, request.param)


@pytest.mark.slow
def test_the_first_start_makes_the_environment_and_the_next_one_is_quiet(checkout: SmallCheckout) -> None:
    code, output, messages = checkout.run("serve", "--port", "1")
    assert (code, output) == (7, "seedling 1.0, asked serve --port 1\n"), messages
    assert "making its Python environment" in messages
    assert checkout.run("check") == (7, "seedling 1.0, asked check\n", "")


@pytest.mark.thorough
@pytest.mark.slow
def test_a_changed_lock_updates_the_environment(checkout: SmallCheckout) -> None:
    checkout.run()
    # Longer than the other: both may be written within a second, and what was compiled goes by time and size.
    checkout.lock("2.0.1")
    code, output, messages = checkout.run()
    assert (code, output) == (7, "seedling 2.0.1, asked \n")
    assert "updating" in messages


@pytest.mark.thorough
@pytest.mark.slow
def test_first_starts_at_once_make_it_once(checkout: SmallCheckout) -> None:
    processes = [checkout.start() for _ in range(3)]
    outcomes = [(*process.communicate(timeout=120), process.returncode) for process in processes]
    assert [(output, code) for output, _, code in outcomes] == [("seedling 1.0, asked \n", 7)] * 3
    assert sum("installing" in messages for _, messages, _ in outcomes) == 1


@pytest.mark.thorough
@pytest.mark.slow
def test_a_damaged_environment_is_made_anew_once(checkout: SmallCheckout) -> None:
    checkout.run()
    for module in (checkout.root / ".venv").rglob("seedling.py"):
        module.unlink()
    code, output, messages = checkout.run()
    assert (code, output) == (7, "seedling 1.0, asked \n"), messages
    assert "damaged" in messages
    # A program that cannot be helped by it ends with its own error, not in a circle.
    (checkout.root / "forllm_server" / "cli" / "__init__.py").write_text("import never_heard_of\n")
    code, _, messages = checkout.run()
    assert code == 1
    assert messages.count("making it anew") == 1
    assert "never_heard_of" in messages


@pytest.mark.slow
def test_a_file_that_is_not_the_one_in_the_lock_is_refused(checkout: SmallCheckout) -> None:
    make_wheel(checkout.wheels, "1.0")
    wheel = next(checkout.wheels.glob("*.whl"))
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    code, output, messages = checkout.run()
    assert (code, output) == (1, "")
    assert "failed while the environment was being made" in messages
    assert "Traceback" not in messages


def test_an_old_python_is_told_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert forllm.refuse(3, 9) == 2
    assert "FORLLM needs Python 3.11 or newer; this is Python 3.9." in capsys.readouterr().err


def test_the_real_locks_are_cut_into_one_block_a_package() -> None:
    for lock in (CHECKOUT / "requirements.lock", CHECKOUT / "tests" / "requirements.lock"):
        text = lock.read_text(encoding="utf-8")
        blocks = bootstrap.package_blocks(text)
        assert "\n".join(blocks) + "\n" == text
        assert all("--hash=sha256:" in block for block in blocks)
        assert "://" not in text


def test_no_embedded_leaves_out_engine_and_model() -> None:
    text = (CHECKOUT / "requirements.lock").read_text(encoding="utf-8")
    slim = bootstrap.without_packages(text, bootstrap.EMBEDDED_PACKAGES)
    assert len(bootstrap.package_blocks(text)) - len(bootstrap.package_blocks(slim)) == 2
    assert "xllamacpp" in text
    assert "xllamacpp" not in slim
    assert "smollm2" not in slim


@pytest.mark.parametrize(
    ("stamp", "wanted", "is_enough"),
    [
        (("a", "b", True), ("a", "b", True), True),
        (("a", "b", True), ("a", None, False), True),
        (("a", None, True), ("a", "b", True), False),
        (("a", None, False), ("a", None, True), False),
        (("old", "b", True), ("a", "b", True), False),
        ((None, None, False), ("a", None, False), False),
    ],
)
def test_a_stamp_is_enough_when_it_covers_what_is_wanted(
    stamp: tuple[str | None, str | None, bool], wanted: tuple[str | None, str | None, bool], is_enough: bool
) -> None:
    assert bootstrap.is_satisfied(bootstrap.Stamp(*stamp), bootstrap.Stamp(*wanted)) is is_enough
