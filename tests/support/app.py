"""The whole application over a test's database, asked as a browser on this machine asks it."""

from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from forllm_server.accounts.local import LOCAL_USER_ID
from forllm_server.app import create_app
from forllm_server.config import Config
from forllm_server.db import Database
from forllm_server.web.current import App, install

PORT = 4773
SECRET_KEY = b"tests have a secret key of 32 b!"


class LocalClient(FlaskClient):
    """Flask's test client at the address that FORLLM listens on."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], str) and "://" not in args[0]:
            kwargs.setdefault("base_url", f"http://127.0.0.1:{PORT}")
        kwargs.setdefault("buffered", True)
        return super().open(*args, **kwargs)


def make_app(database: Database, data_dir: Path, **options: Any) -> Flask:
    """The application over ``database``; ``options`` are further fields of Config."""
    config = Config(data_dir=data_dir, port=PORT, **options)
    app = create_app(config, database, secret_key=SECRET_KEY)
    app.test_client_class = LocalClient
    return app


_shared: list[Flask] = []


def shared_app(database: Database, data_dir: Path) -> Flask:
    """The application over ``database``, as all tests have it that change nothing of it itself: to make its routes and
    templates takes longer than most tests."""
    if not _shared:
        _shared.append(make_app(database, data_dir))
    (app,) = _shared
    config = Config(data_dir=data_dir, port=PORT)
    install(app, App(config, database, SECRET_KEY, lambda: None, LOCAL_USER_ID))
    return app
