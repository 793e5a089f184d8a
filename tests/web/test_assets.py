"""Static files and their addresses."""

import gzip
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from forllm_server.config import static_dir, templates_dir
from forllm_server.db import Database
from forllm_server.web.assets import FOR_EVER, tree_digest
from tests.support.app import make_app


def address(app: Flask, name: str) -> str:
    asset = app.jinja_env.globals["asset"]
    assert callable(asset)
    return str(asset(name))


def test_the_digest_moves_with_every_change_of_the_tree(tmp_path: Path) -> None:
    (tmp_path / "js").mkdir()
    seen = {tree_digest(tmp_path)}
    (tmp_path / "js" / "a.js").write_text("1")
    seen.add(tree_digest(tmp_path))
    (tmp_path / "js" / "a.js").write_text("2")
    seen.add(tree_digest(tmp_path))
    (tmp_path / "js" / "a.js").rename(tmp_path / "js" / "b.js")
    seen.add(tree_digest(tmp_path))
    assert len(seen) == 4


def test_a_file_under_the_present_digest_is_kept_for_ever(app: Flask, client: FlaskClient) -> None:
    answer = client.get(address(app, "vendor/htmx/htmx.min.js"))
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == FOR_EVER
    assert answer.mimetype == "text/javascript"


def test_under_an_old_digest_the_file_of_today_is_not_kept(client: FlaskClient) -> None:
    answer = client.get("/static/0123456789ab/icons.svg")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.mimetype == "image/svg+xml"


def test_while_debugging_nothing_is_kept(sqlite_database: Database, tmp_path: Path) -> None:
    app = make_app(sqlite_database, tmp_path, debug=True)
    assert app.test_client().get(address(app, "icons.svg")).headers["Cache-Control"] == "no-cache"


def test_texts_go_compressed_to_whoever_takes_that(app: Flask, client: FlaskClient) -> None:
    packed = client.get(address(app, "js/app.js"), headers={"Accept-Encoding": "gzip, br"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Cache-Control"] == FOR_EVER
    plain = client.get(address(app, "js/app.js"), headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in plain.headers
    assert b"import" in gzip.decompress(packed.data)
    again = client.get(
        address(app, "js/app.js"), headers={"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]}
    )
    assert again.status_code == 304


def test_the_style_sheet_goes_as_one_file_with_all_that_it_imports(app: Flask, client: FlaskClient) -> None:
    sheet = client.get(address(app, "css/layers.css")).text
    assert "@import" not in sheet
    assert "url(" not in sheet, "an address relative to a part would not hold in the whole"
    parts = [file for file in (static_dir() / "css").rglob("*.css") if file.name != "layers.css"]
    left_out = re.compile(r"^ */\*.*?\*/\n", re.MULTILINE | re.DOTALL)
    missing = {file.name for file in parts if left_out.sub("", file.read_text("utf-8")) not in sheet}
    assert missing <= {"api.css"}, "only the API's own explorer has a style sheet of its own"


@pytest.mark.parametrize("name", ["../pyproject.toml", "%2e%2e/pyproject.toml", "..%2f..%2fpyproject.toml", "css", ""])
def test_nothing_outside_the_tree_is_served(client: FlaskClient, name: str) -> None:
    assert client.get(f"/static/x/{name}").status_code == 404


def test_every_asset_that_a_template_names_is_there() -> None:
    missing = [
        f"{template.name}: {name}"
        for template in templates_dir().rglob("*.html")
        for name in re.findall(r"""asset\(\s*["']([^"']+)["']\s*\)""", template.read_text("utf-8"))
        if not (static_dir() / name).is_file()
    ]
    assert missing == []
