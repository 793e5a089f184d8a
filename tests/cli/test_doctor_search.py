"""``forllm doctor`` on the search index."""

from pathlib import Path

from click.testing import CliRunner
from sqlalchemy import text

from forllm_server.cli import doctor
from forllm_server.cli.demo import command as demo
from forllm_server.db import Database


def test_a_search_index_out_of_step_is_told_and_made_anew(tmp_path: Path) -> None:
    run = CliRunner().invoke
    run(demo, ["--data", str(tmp_path)], standalone_mode=False)
    database = Database.at(tmp_path / "forllm_data.db")
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM search_index_docsize WHERE id <= 3"))
    database.close()
    told = run(doctor.command, ["--data", str(tmp_path)], standalone_mode=False).output
    assert "!!  search: 3 posts are out of step" in told
    assert "forllm doctor --rebuild-search" in told
    mended = run(doctor.command, ["--data", str(tmp_path), "--rebuild-search"], standalone_mode=False).output
    assert "ok  search: the index is in step with the posts" in mended
