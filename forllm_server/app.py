"""The only place that assembles Flask, the guard, pages, API and database into one application."""

from collections.abc import Callable
from functools import partial

from flask import Flask
from flask.json.provider import DefaultJSONProvider
from jinja2 import StrictUndefined
from werkzeug.routing import IntegerConverter, Map

from forllm_server import api
from forllm_server.accounts.local import LOCAL_USER_ID
from forllm_server.config import Config, static_dir, templates_dir
from forllm_server.crypto.keys import derive
from forllm_server.crypto.sealing import open_sealed, seal
from forllm_server.db import Database
from forllm_server.pages import PAGES
from forllm_server.web import assets, errors, forms, guard, headers, health, snapshot
from forllm_server.web.current import App, install, request_id
from forllm_server.web.sessions import EncryptedCookieSessions
from forllm_server.web.templating import Environment


class IdConverter(IntegerConverter):
    """Numbers in addresses: no more than the databases hold, so that a larger one is simply not found."""

    def __init__(self, map: Map, fixed_digits: int = 0) -> None:
        super().__init__(map, fixed_digits, max=2**63 - 1)


class Json(DefaultJSONProvider):
    """JSON in the order in which it was made, and readable in every language."""

    sort_keys = False
    ensure_ascii = False


def create_app(
    config: Config, database: Database, *, secret_key: bytes, wake_worker: Callable[[], None] = lambda: None
) -> Flask:
    """The WSGI application. ``secret_key`` has at least 32 bytes; ``wake_worker`` tells a worker in this process
    that something was queued."""
    flask = Flask("forllm_server", template_folder=str(templates_dir()), static_folder=None)
    flask.jinja_environment = Environment
    # Escape everything, and do not overlook a missing value.
    flask.jinja_options = {
        "autoescape": True,
        "undefined": StrictUndefined,
        "trim_blocks": True,
        "lstrip_blocks": True,
        "cache_size": -1,
    }
    flask.json = Json(flask)
    flask.url_map.converters["int"] = IdConverter
    flask.config.update(
        WTF_CSRF_SECRET_KEY=derive(secret_key, "form"),
        TEMPLATES_AUTO_RELOAD=config.debug,
    )
    install(flask, App(config, database, secret_key, wake_worker, LOCAL_USER_ID))
    flask.session_interface = _sessions(secret_key, port=config.port)
    flask.jinja_env.globals["request_id"] = request_id
    headers.install(flask)
    form_protection = guard.install(flask, config)
    assets.install(flask, static_dir(), is_debug=config.debug)
    forms.install(flask)
    snapshot.install(flask)
    errors.install(flask)
    for blueprint in (health.blueprint, *PAGES):
        flask.register_blueprint(blueprint)
    for blueprint in api.install(flask):
        form_protection.exempt(blueprint)
    return flask


def _sessions(secret_key: bytes, *, port: int) -> EncryptedCookieSessions:
    key = derive(secret_key, "session")
    return EncryptedCookieSessions(
        partial(seal, key, context="session"), partial(open_sealed, key, context="session"), port=port
    )
