"""GET reads: whatever address is visited, the forum is the same afterwards."""

import re
from pathlib import Path

from sqlalchemy import text

from forllm_server.db import Database
from tests.support.app import make_app


def contents(database: Database) -> list[str]:
    """Everything that is stored, but for renderings, which are kept for the next reader."""
    with database.engine.connect() as connection:
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")).scalars()
        found = []
        for name in names.all():
            for row in connection.execute(text(f'SELECT * FROM "{name}"')).mappings():
                kept = {key: value for key, value in row.items() if key not in ("content_html", "render_version")}
                found.append(f"{name}: {kept}")
        return found


def test_reading_every_address_changes_nothing(sqlite_database: Database, tmp_path: Path) -> None:
    app = make_app(sqlite_database, tmp_path)
    client = app.test_client()
    client.post("/api/v1/subforums", json={"name": "Gardening"})
    client.post("/api/v1/subforums/1/topics", json={"title": "Roses", "content": "*When?*", "ask": [{}]})
    client.post("/api/v1/schedule/windows", json={"days": ["mon"], "start_minute": 0, "end_minute": 60})
    before = contents(sqlite_database)
    assert len(before) > 6
    visited = 0
    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or ()):
            address = re.sub(r"<[^>]+>", "1", rule.rule)
            answer = client.get(address)
            assert answer.status_code < 500, address
            visited += 1
    assert visited > 20
    assert contents(sqlite_database) == before
