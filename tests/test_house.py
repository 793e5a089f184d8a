"""The law of the house, as far as import-linter does not hold it: sizes, places, names."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "forllm_server"
CSS, JS, TEMPLATES = ROOT / "static" / "css", ROOT / "static" / "js", ROOT / "templates"

MODULE_LINES, FUNCTION_LINES, JS_LINES, CSS_LINES, TEMPLATE_LINES = 450, 60, 150, 300, 200
CSS_LAYERS = ("vendor", "reset", "tokens", "base", "components", "pages", "utilities")
#: Folder of static/css → the layer its files wrap themselves in. Themes change the values of tokens.
LAYER_OF_FOLDER = {name: name for name in ("base", "components", "pages", "tokens", "utilities")} | {"themes": "tokens"}
SQL_PLACES = ("db/", "migrations/")
CATCHES_EVERYTHING = {"queue/worker.py", "web/errors.py"}
#: Words that say nothing about what a module holds.
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "manager", "service", "common", "data", "info", "misc"}
MARKS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
#: Whole pages by themselves: what is shown when the layout itself may be at fault, and the API's own explorer.
STANDALONE = {"errors/fault.html", "api/docs.html"}
#: A package's files come from elsewhere and keep their own form.
VENDORED = "vendor"


def python_files(folder: Path = PACKAGE) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def files(folder: Path, suffix: str) -> list[Path]:
    return [file for file in sorted(folder.rglob(f"*{suffix}")) if VENDORED not in file.parts]


def place(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix() if file.is_relative_to(PACKAGE) else file.relative_to(ROOT).as_posix()


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


def dotted(node: ast.AST) -> str:
    """``a.b.c`` of a name or attribute, else an empty text."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def functions(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


# -- sizes


@pytest.mark.parametrize(
    ("folder", "suffix", "most"),
    [
        (PACKAGE, ".py", MODULE_LINES),
        (JS, ".js", JS_LINES),
        (CSS, ".css", CSS_LINES),
        (TEMPLATES, ".html", TEMPLATE_LINES),
    ],
)
def test_no_file_is_longer_than_its_kind_may_be(folder: Path, suffix: str, most: int) -> None:
    assert [(place(file), lines(file)) for file in files(folder, suffix) if lines(file) > most] == []


def test_no_function_is_longer_than_sixty_lines() -> None:
    found = [
        (place(file), function.name)
        for file in python_files()
        for function in functions(tree(file))
        if (function.end_lineno or 0) - function.lineno + 1 > FUNCTION_LINES
    ]
    assert found == []


# -- places


def test_sql_lives_in_stores_tables_db_and_migrations() -> None:
    def may_hold_sql(file: Path) -> bool:
        return place(file).startswith(SQL_PLACES) or file.name.endswith("_store.py") or file.name == "tables.py"

    builders = {"select", "insert", "update", "delete", "text", "union_all", "literal_column", "exists"}
    found = []
    for file in python_files():
        if may_hold_sql(file):
            continue
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
                names = builders & {alias.name for alias in node.names}
                # The health page asks the database for the number 1.
                if names and place(file) != "web/health.py":
                    found.append((place(file), names))
            if isinstance(node, ast.Call) and dotted(node.func).endswith((".exec_driver_sql", ".executescript")):
                found.append((place(file), {dotted(node.func)}))
    assert found == []


def test_stores_do_not_end_transactions() -> None:
    found = [
        (place(file), node.lineno)
        for file in python_files()
        if file.name.endswith("_store.py")
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Call) and dotted(node.func).endswith((".commit", ".rollback", ".begin"))
    ]
    assert found == []


def test_the_functions_of_a_store_begin_with_its_verbs() -> None:
    verbs = ("get_", "find_", "list_", "count_", "insert_", "update_", "delete_", "has_", "is_", "read_", "_")
    # Insert and update in one statement.
    verbs += ("bump_", "replace_")
    found = [
        (place(file), node.name)
        for file in python_files()
        if file.name.endswith("_store.py")
        for node in tree(file).body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith(verbs)
        # A row made into its dataclass, where two stores of a room share that.
        and not (node.name.endswith("_from") or node.name == "from_row")
    ]
    assert found == []


def test_the_wall_clock_is_read_in_one_place() -> None:
    readings = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.localtime"}
    found = [
        (place(file), node.lineno)
        for file in python_files()
        if place(file) != "clock.py"
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Call)
        and any(dotted(node.func) == name or dotted(node.func).endswith(f".{name}") for name in readings)
    ]
    assert found == []


def test_everything_is_caught_only_at_the_two_boundaries() -> None:
    found = {
        place(file)
        for file in python_files()
        for node in ast.walk(tree(file))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or dotted(node.type) in ("Exception", "BaseException"))
        # What is raised again is not caught: a transaction rolls back on whatever passes.
        and not any(isinstance(inner, ast.Raise) and inner.exc is None for inner in node.body)
    }
    assert found <= CATCHES_EVERYTHING


def test_no_module_has_an_empty_name() -> None:
    assert [place(file) for file in python_files() if file.stem in EMPTY_NAMES or file.parent.name in EMPTY_NAMES] == []


def test_nothing_is_left_to_be_done_later() -> None:
    found = [
        (place(file), number)
        for file in [*python_files(), *files(CSS, ".css"), *files(JS, ".js"), *files(TEMPLATES, ".html")]
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if MARKS.search(line)
    ]
    assert found == []


def test_rooms_have_tests() -> None:
    rooms = {file.parent.name for file in PACKAGE.glob("*/__init__.py")} - {"migrations"}
    assert {room for room in rooms if not list((ROOT / "tests" / room).glob("test_*.py"))} == set()


# -- pages and templates


def test_every_page_has_templates_of_its_name_and_every_template_a_page() -> None:
    pages = {file.stem for file in (PACKAGE / "pages").glob("*.py")}
    shared = {"layouts", "macros", "errors", "api"}
    folders = {file.parent.name for file in files(TEMPLATES, ".html")} - shared
    assert {folder for folder in folders if folder not in pages} == set()
    css_pages = {file.stem for file in (CSS / "pages").glob("*.css")}
    assert {name for name in css_pages if name not in folders | shared | {"error"}} == set()


def test_templates_hold_no_inline_script_style_or_handler() -> None:
    forbidden = re.compile(r"<script(?![^>]*\bsrc=)|<style\b|\sstyle\s*=|\son[a-z]+\s*=|javascript:", re.IGNORECASE)
    import_map = re.compile(r'<script type="importmap"[^>]*nonce=')
    found = [
        (place(file), number)
        for file in files(TEMPLATES, ".html")
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if forbidden.search(re.sub(r"{#.*?#}", "", line)) and not import_map.search(line)
    ]
    assert found == []


def test_a_template_is_a_layout_a_part_or_fills_blocks_of_a_layout() -> None:
    """Parts begin with an underscore; everything else outside layouts and macros extends a layout."""
    found = [
        place(file)
        for file in files(TEMPLATES, ".html")
        if file.parent.name not in ("layouts", "macros")
        and not file.name.startswith("_")
        and file.relative_to(TEMPLATES).as_posix() not in STANDALONE
        and "{% extends " not in file.read_text(encoding="utf-8")
    ]
    assert found == []


def test_only_renderers_say_that_a_text_is_safe() -> None:
    found = [
        (place(file), number)
        for file in files(TEMPLATES, ".html")
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(r"\|\s*safe\b", line) and "html" not in line
    ]
    assert found == []


# -- style sheets


def test_style_sheets_wrap_themselves_in_the_layer_of_their_folder() -> None:
    found = []
    for file in files(CSS, ".css"):
        layer = "reset" if file.name == "reset.css" else LAYER_OF_FOLDER.get(file.parent.name)
        body = re.sub(r"/\*.*?\*/", "", file.read_text(encoding="utf-8"), flags=re.DOTALL).strip()
        if layer and not body.startswith(f"@layer {layer} {{"):
            found.append(place(file))
    assert found == []


def test_the_order_of_layers_is_declared() -> None:
    declared = re.search(r"@layer ([a-z, ]+);", (CSS / "layers.css").read_text(encoding="utf-8"))
    assert declared is not None
    assert [name.strip() for name in declared[1].split(",")] == list(CSS_LAYERS)


def test_style_sheets_select_no_ids_and_hold_no_raw_colour() -> None:
    colour = re.compile(r"#[0-9a-f]{3,8}\b|\b(rgb|rgba|hsl|hsla|oklch|oklab|lab|lch|hwb)\(", re.IGNORECASE)
    found = []
    for file in files(CSS, ".css"):
        text = re.sub(r"/\*.*?\*/", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
        selectors = re.findall(r"(?:^|[{};])\s*([^{};@]+)\{", text)
        found += [(place(file), selector.strip()) for selector in selectors if re.search(r"#[A-Za-z_]", selector)]
        if file.parent.name not in ("tokens", "themes") and file.name != "highlight.css":
            values = re.sub(r"[^{};]*\{", "", text)
            found += [(place(file), match[0]) for match in colour.finditer(values)]
    assert found == []


# -- scripts


def test_scripts_put_no_text_into_markup() -> None:
    forbidden = re.compile(
        r"\.(inner|outer)HTML\s*\+?=|insertAdjacentHTML|document\.write|\beval\(|new Function\(|\balert\(|\bconfirm\("
    )
    found = [
        (place(file), number)
        for file in files(JS, ".js")
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if forbidden.search(line)
    ]
    assert found == []


def test_an_element_file_defines_the_element_of_its_name() -> None:
    found = [
        place(file)
        for file in files(JS / "elements", ".js")
        if f'"forllm-{file.stem.removeprefix("forllm-").replace("_", "-")}"' not in file.read_text(encoding="utf-8")
    ]
    assert found == []


def test_nothing_is_loaded_from_elsewhere() -> None:
    """Only links that a person follows may lead out; nothing that a browser loads by itself."""
    loading = re.compile(r"""(src|srcset|@import|url\(|from|import)\s*[=(]?\s*["']?(https?:)?//""", re.IGNORECASE)
    found = [
        (place(file), number)
        for file in [*files(CSS, ".css"), *files(JS, ".js"), *files(TEMPLATES, ".html")]
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if loading.search(line)
    ]
    assert found == []
