"""The documentation: generated parts are current, links lead somewhere, words and options are explained."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from forllm_server.cli import COMMANDS
from forllm_server.cli.docs import generated
from forllm_server.config import OPTIONS
from forllm_server.queue.model import Lane, Status
from forllm_server.settings.fields import FIELDS

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
#: Words of the house that pages, API and code use.
WORDS = (
    *("subforum", "topic", "post", "reply", "thread", "author", "revision", "trash"),
    *("persona", "persona version", "assignment", "choosing", "backend", "model", "catalog", "probe", "generation"),
    *("chunk", "usage", "prompt", "part", "budget", "trim", "breakdown", "LLM request", "kind", "attempt", "claim"),
    *("lease", "heartbeat", "fence", "settle", "status", "lane", "worker", "gate", "window", "closing", "setting"),
)


def anchors(page: Path) -> set[str]:
    """The fragments that a page's headings make."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def test_generated_pages_and_parts_are_current() -> None:
    stale = [
        page.relative_to(ROOT).as_posix()
        for page, content in generated(DOCS)
        if not page.exists() or page.read_text(encoding="utf-8") != content
    ]
    assert stale == [], "write them with: python3 forllm.py docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    text = without_code(page.read_text(encoding="utf-8"))
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (fragment and file.suffix == ".md" and fragment not in anchors(file)):
            broken.append(target)
    assert broken == []


def test_every_page_is_reached_from_the_index() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    pages = [page.relative_to(DOCS).as_posix() for page in DOCS.glob("*.md") if page.name != "index.md"]
    assert [page for page in pages if f"({page})" not in index] == []


def test_the_words_of_the_house_are_in_the_glossary() -> None:
    glossary = (DOCS / "glossary.md").read_text(encoding="utf-8")
    assert [word for word in WORDS if f"**{word}**" not in glossary] == []
    assert [value for value in (*Status, *Lane) if value not in glossary] == []


def test_the_glossary_is_in_order_and_defines_each_word_once() -> None:
    glossary = (DOCS / "glossary.md").read_text(encoding="utf-8")
    words = re.findall(r"^\*\*(.+)\*\*$", glossary, flags=re.MULTILINE)
    assert len(words) == len(set(words)) == len(re.findall(r"^: ", glossary, flags=re.MULTILINE))
    for section in glossary.split("\n## ")[1:]:
        found = [word.lower() for word in re.findall(r"^\*\*(.+)\*\*$", section, flags=re.MULTILINE)]
        assert found == sorted(found)


def test_options_commands_and_settings_are_documented() -> None:
    reference = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert [option.name for option in OPTIONS if f"`{option.variable}`" not in reference] == []
    assert [name for name in COMMANDS if f"## forllm {name}\n" not in reference] == []
    settings = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert [field.name for field in FIELDS if f"`{field.name}`" not in settings] == []


def test_every_room_and_decision_is_in_the_architecture_or_the_index() -> None:
    architecture = (DOCS / "architecture.md").read_text(encoding="utf-8")
    rooms = {file.parent.name for file in (ROOT / "forllm_server").glob("*/__init__.py")} - {"migrations"}
    assert {room for room in rooms if f"`{room}/`" not in architecture} == set()
    decisions = sorted(page.name for page in (DOCS / "decisions").glob("*.md"))
    assert [name[:4] for name in decisions] == [f"{number:04}" for number in range(1, len(decisions) + 1)]


def test_no_file_names_a_place_of_somebodys_machine_or_a_registry() -> None:
    # Put together here, so that this file does not name them either.
    forbidden = re.compile(
        "|".join(
            ["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/[a-z]", "pypi" + r"\.org", "pytho" + "nhosted", "npm" + "js"]
        )
    )
    found = []
    for file in tracked_files():
        if file.suffix in (".png", ".db", ".example", ".ico", ".gguf", ".woff2") or "vendor" in file.parts:
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            if forbidden.search(line):
                found.append((file.relative_to(ROOT).as_posix(), number))
    assert found == []


def tracked_files() -> list[Path]:
    """The project's files: what git knows or would add; without git, what lies in its folders."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode == 0 and listing.stdout:
        named = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    else:
        folders = ("forllm_server", "templates", "static", "tests", "docs", "deploy", ".ci")
        named = [file for folder in folders for file in (ROOT / folder).rglob("*") if "__pycache__" not in file.parts]
    return [file for file in named if file.is_file()]


def test_the_entry_is_understood_by_old_pythons() -> None:
    """It must be able to say that this Python is too old."""
    source = (ROOT / "forllm.py").read_text(encoding="utf-8")
    script = "import ast, sys; ast.parse(sys.stdin.read(), feature_version=(3, 6))"
    assert subprocess.run([sys.executable, "-c", script], input=source, text=True, check=False).returncode == 0
