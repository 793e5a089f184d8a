"""A browser's view of the application: requests answered by Flask's test client, read with BeautifulSoup."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from sqlalchemy import event

from forllm_server.db import Database
from tests.support.app import shared_app


class Browser:
    """Follows links and sends forms as they stand on the page, with their hidden fields."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.status = 0
        self.path = ""
        self.text = ""
        self.page = BeautifulSoup("", "html.parser")

    def open(self, path: str, **kwargs: Any) -> BeautifulSoup:
        response = self.client.get(path, follow_redirects=True, **kwargs)
        return self._show(response)

    def send(self, action: str, fields: dict[str, Any], *, button: dict[str, str] | None = None) -> BeautifulSoup:
        """Send the form of the page whose action (or whose button's) is ``action``, with ``fields`` filled in."""
        form = self._find_form(action)
        values = _values_of(form) | fields | (button or {})
        response = self.client.post(
            action, data={name: value for name, value in values.items() if value is not None}, follow_redirects=True
        )
        return self._show(response)

    def problem(self, name: str) -> str:
        """What stands beside the field ``name`` as wrong, found through aria-describedby."""
        control = self.page.find(attrs={"name": name, "aria-invalid": "true"})
        assert control is not None, f"nothing is said to be wrong with {name}"
        tied = str(control["aria-describedby"]).split()
        return self.page.find(id=tied[-1]).get_text(" ", strip=True)

    def words(self) -> str:
        return " ".join(self.page.main.get_text(" ").split())

    def _find_form(self, action: str) -> Any:
        for form in self.page.find_all("form"):
            actions = {form.get("action"), *(button.get("formaction") for button in form.find_all("button"))}
            if action in actions and form.get("method", "").lower() == "post":
                return form
        raise AssertionError(f"{self.path} has no form for {action}")

    def _show(self, response: Any) -> BeautifulSoup:
        self.status = response.status_code
        self.path = response.request.path
        self.text = response.get_data(as_text=True)
        self.page = BeautifulSoup(self.text, "html.parser")
        return self.page


def _values_of(form: Any) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for control in form.find_all(["input", "textarea", "select"]):
        name, kind = control.get("name"), control.get("type", "text")
        if not name or (kind in ("checkbox", "radio") and not control.has_attr("checked")):
            continue
        if control.name == "textarea":
            value = control.get_text().removeprefix("\n")
        elif control.name == "select":
            chosen = control.find("option", selected=True) or control.find("option")
            value = chosen.get("value", "") if chosen else ""
        else:
            value = control.get("value", "1" if kind == "checkbox" else "")
        if kind == "checkbox":
            values.setdefault(name, []).append(value)
        else:
            values[name] = value
    return values


@pytest.fixture
def browser(sqlite_database: Database, tmp_path: Path) -> Browser:
    return Browser(shared_app(sqlite_database, tmp_path).test_client())


@pytest.fixture
def count_queries(sqlite_database: Database) -> Iterator[Callable[[Callable[[], object]], int]]:
    """A function that says how many statements another function sends to the database when it is called again.

    The first call of a process may fill what is kept from page to page.
    """
    statements: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(sqlite_database.engine, "before_cursor_execute", note)

    def count(act: Callable[[], object]) -> int:
        act()
        statements.clear()
        act()
        return len(statements)

    yield count
    event.remove(sqlite_database.engine, "before_cursor_execute", note)
