"""Process configuration: what a machine's owner decides before FORLLM starts.

Read from, the later winning: the defaults in :data:`OPTIONS`, ``forllm.toml`` (in the data folder, or the file
named by ``--config``), ``FORLLM_*`` in the environment, the command line. Every problem is collected and told
at once. What people change while it runs are the forum's settings (``forllm_server/settings/fields.py``).
"""

import difflib
import importlib.util
import ipaddress
import os
import secrets
import stat
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from forllm_server.errors import ConfigurationError

CHECKOUT = Path(__file__).resolve().parent.parent
DATABASE_NAME = "forllm_data.db"
CONFIG_NAME = "forllm.toml"
SECRET_KEY_NAME = "secret.key"
SECRET_KEY_BYTES = 32
PLACEHOLDERS = frozenset(
    {"change-me", "changeme", "change_me", "secret", "password", "passwd", "your-api-key", "your_api_key", "api-key"}
    | {"placeholder", "todo", "xxx", "xxxx", "sk-xxx", "sk-...", "...", "<key>", "<password>", "example"}
)
#: Read by the bootstrap, not by this module.
BOOTSTRAP_VARIABLES = frozenset({"FORLLM_REBUILT"})
YES = frozenset({"1", "true", "yes", "on"})
NO = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True)
class Option:
    """One process option: its key in forllm.toml, ``FORLLM_<NAME>`` in the environment, ``flag`` on the command."""

    name: str
    kind: Literal["text", "path", "int", "bool", "list"]
    default: Any
    help: str
    flag: str
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        return f"FORLLM_{self.name.upper()}"


OPTIONS = (
    Option("data_dir", "path", None, "The folder of the database, its backups and the secret key.", "--data"),
    Option("host", "text", "127.0.0.1", "The address to listen on; loopback only.", "--host"),
    Option("port", "int", 4773, "The port to listen on; 0 takes any free one.", "--port", 0, 65535),
    Option("workers", "int", 4, "Workers in the process, for as many backends at once; 0: none.", "--workers", 0, 64),
    Option("database_url", "text", None, "A PostgreSQL database instead of the SQLite file.", "--database-url"),
    Option("embedded", "bool", True, "Whether the built-in tiny model is offered.", "--embedded/--no-embedded"),
    Option(
        "log_level",
        "text",
        "info",
        "The least that is logged.",
        "--log-level",
        choices=("debug", "info", "warning", "error"),
    ),
    Option(
        "log_format", "text", "text", "Log lines for people or for programs.", "--log-format", choices=("text", "json")
    ),
    Option(
        "debug", "bool", False, "Templates are read anew at each page, and the log says more.", "--debug/--no-debug"
    ),
    Option("proxy_count", "int", 0, "Reverse proxies in front, whose X-Forwarded-* count.", "--proxy-count", 0, 10),
    Option("allowed_hosts", "list", (), "Host names accepted besides loopback's own.", "--allowed-host"),
    Option(
        "allow_commands",
        "bool",
        False,
        "Whether commands are run: of hooks, before and after a window, and the meter.",
        "--allow-commands/--no-allow-commands",
    ),
    Option("trash_days", "int", 30, "Days a deleted thing stays in the trash.", "--trash-days", 1, 3650),
)
OPTIONS_BY_NAME = {option.name: option for option in OPTIONS}


#: Looks over the ``[[backends]]`` of forllm.toml; returns what is wrong, a sentence each.
BackendCheck = Callable[[Sequence[Any], Mapping[str, str]], list[str]]


@dataclass(frozen=True)
class Config:
    """The validated process configuration."""

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 4773
    workers: int = 4
    database_url: str | None = field(default=None, repr=False)
    has_embedded: bool = True
    log_level: str = "info"
    log_format: str = "text"
    debug: bool = False
    proxy_count: int = 0
    allowed_hosts: tuple[str, ...] = ()
    trash_days: int = 30
    #: whether what the settings name as commands is run: a page must not be able to run programs by itself
    allow_commands: bool = False
    #: the ``[[backends]]`` tables of forllm.toml as they stand; see forllm_server/catalog/configured.py
    backends: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    config_file: Path | None = None

    @property
    def database_path(self) -> Path:
        return self.data_dir / DATABASE_NAME

    @property
    def backups_dir(self) -> Path:
        return self.data_dir / "backups"

    @property
    def effective_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.database_path}"


def load_config(
    options: Mapping[str, Any], environ: Mapping[str, str], check_backends: BackendCheck = lambda _entries, _environ: []
) -> Config:
    """The configuration from the command line's ``options`` (None = not given), ``environ`` and forllm.toml.

    Raises ConfigurationError whose message lists every problem, one a line; ``facts["problems"]`` holds them.
    """
    problems: list[str] = []
    given = {name: value for name, value in options.items() if value is not None and name != "config"}
    environment = _from_environment(environ, problems)
    chosen_file = options.get("config") or environ.get("FORLLM_CONFIG")
    file = Path(chosen_file).expanduser() if chosen_file else None
    data_dir = given.get("data_dir") or environment.get("data_dir")
    if file is None:
        file = Path(data_dir or default_data_dir(environ)).expanduser() / CONFIG_NAME
        file = file if file.exists() else None
    table = _read_toml(file, problems) if file else {}
    entries = table.pop("backends", [])
    if not isinstance(entries, list):
        problems.append(f"backends in {CONFIG_NAME} must be written as [[backends]] tables.")
        entries = []
    problems.extend(check_backends(entries, environ))
    _refuse_placeholder_keys(entries, environ, problems)
    from_file = _from_table(table, problems, is_chosen=bool(chosen_file))
    values = from_file | environment | given
    values["data_dir"] = Path(values.get("data_dir") or default_data_dir(environ)).expanduser().absolute()
    for name, value in given.items():
        _check(OPTIONS_BY_NAME[name], value, OPTIONS_BY_NAME[name].flag.split("/")[0], problems)
    _check_together(values, problems)
    if problems:
        lines = "\n".join(f"- {problem}" for problem in problems)
        raise ConfigurationError(f"The configuration cannot be used:\n{lines}", problems=problems)
    wants_embedded = values.pop("embedded", True)
    values["allowed_hosts"] = tuple(values.get("allowed_hosts", ()))
    return Config(
        **values, backends=tuple(entries), config_file=file, has_embedded=wants_embedded and is_embedded_installed()
    )


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """``data/`` of the checkout; for an installed FORLLM the user's data folder of the system's custom."""
    if (CHECKOUT / "forllm.py").is_file():
        return CHECKOUT / "data"
    home = Path.home()
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "forllm"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "forllm"
    return Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "forllm"


def is_embedded_installed() -> bool:
    """Whether the engine is there; found without importing it, which would load native code."""
    return importlib.util.find_spec("xllamacpp") is not None


def templates_dir() -> Path:
    """The templates: beside the package in a checkout, inside it in an installed wheel."""
    return _resources("templates")


def static_dir() -> Path:
    """The files served under /static; see :func:`templates_dir`."""
    return _resources("static")


def _resources(name: str) -> Path:
    packaged = Path(__file__).resolve().parent / name
    return packaged if packaged.is_dir() else CHECKOUT / name


# -- the three sources


def _from_environment(environ: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    known = {option.variable: option for option in OPTIONS}
    values: dict[str, Any] = {}
    for variable, text in sorted(environ.items()):
        if not variable.startswith("FORLLM_") or variable in BOOTSTRAP_VARIABLES or variable == "FORLLM_CONFIG":
            continue
        option = known.get(variable)
        if option is not None:
            values[option.name] = _parsed(option, text, problems)
        elif not variable.endswith("_KEY"):
            # *_KEY holds a backend's key, named by api_key_env.
            problems.append(f"{variable} is not an option of FORLLM{_did_you_mean(variable, known)}.")
    return {name: value for name, value in values.items() if value is not None}


def _parsed(option: Option, text: str, problems: list[str]) -> Any:
    value: Any = text
    if option.kind == "int":
        value = int(text) if text.strip().lstrip("-").isdecimal() else text
    elif option.kind == "bool":
        lowered = text.strip().lower()
        value = lowered in YES if lowered in YES | NO else text
    elif option.kind == "list":
        value = [part.strip() for part in text.split(",") if part.strip()]
    return value if _check(option, value, option.variable, problems) else None


def _read_toml(file: Path, problems: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{file} is not valid TOML: {error}.")
    except OSError as error:
        problems.append(f"{file} cannot be read: {error.strerror}.")
    return {}


def _from_table(table: Mapping[str, Any], problems: list[str], *, is_chosen: bool) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in table.items():
        option = OPTIONS_BY_NAME.get(name)
        if option is None:
            known = {*OPTIONS_BY_NAME, "backends"}
            problems.append(f"{name} in {CONFIG_NAME} is not an option{_did_you_mean(name, known)}.")
        elif name == "data_dir" and not is_chosen:
            problems.append(f"data_dir cannot stand in the {CONFIG_NAME} of the data folder itself; use --data.")
        elif _check(option, value, f"{name} in {CONFIG_NAME}", problems):
            values[name] = value
    return values


def _check(option: Option, value: Any, label: str, problems: list[str]) -> bool:
    """Whether ``value`` has the option's type and range; if not, a problem is added."""
    is_right, expected = {
        "text": (isinstance(value, str) and bool(value.strip()), "a text that is not empty"),
        "path": (isinstance(value, str | Path) and bool(str(value).strip()), "a folder"),
        "int": (isinstance(value, int) and not isinstance(value, bool), "a whole number"),
        "bool": (isinstance(value, bool), "true or false"),
        "list": (
            isinstance(value, list | tuple) and all(isinstance(part, str) for part in value),
            "a list of texts",
        ),
    }[option.kind]
    if option.choices and is_right and value not in option.choices:
        is_right, expected = False, " or ".join(option.choices)
    if option.minimum is not None and option.maximum is not None:
        if is_right and not option.minimum <= value <= option.maximum:
            is_right = False
        expected = f"a whole number from {option.minimum} to {option.maximum}"
    if not is_right:
        problems.append(f"{label} must be {expected}, not {value!r}.")
    return is_right


def _refuse_placeholder_keys(entries: Sequence[Any], environ: Mapping[str, str], problems: list[str]) -> None:
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, Mapping):
            continue
        key = entry.get("api_key") or environ.get(str(entry.get("api_key_env")))
        if isinstance(key, str) and is_placeholder(key):
            problems.append(f"backends, entry {number}: the API key is a placeholder; put the real one there.")


def _check_together(values: Mapping[str, Any], problems: list[str]) -> None:
    host = values.get("host")
    if isinstance(host, str) and not is_loopback(host):
        problems.append(
            f"host {host!r} is not loopback: everyone who reaches that address could read and write here, because "
            "FORLLM has no accounts yet. Use 127.0.0.1, and a tunnel (ssh -L 4773:127.0.0.1:4773) from elsewhere."
        )
    url = values.get("database_url")
    if isinstance(url, str):
        if not url.startswith(("sqlite:///", "postgresql://", "postgres://", "postgresql+psycopg://")):
            problems.append("database_url must begin with postgresql:// or sqlite:///.")
        elif _password(url) is not None and is_placeholder(_password(url) or ""):
            problems.append("database_url holds a placeholder as its password; put the real one there.")
    data_dir = values["data_dir"]
    if data_dir.exists() and not data_dir.is_dir():
        problems.append(f"{data_dir} is a file; the data folder must be a folder.")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address; names other than localhost are not looked up."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def is_placeholder(text: str) -> bool:
    return text.strip().lower() in PLACEHOLDERS


def _password(url: str) -> str | None:
    try:
        return urlsplit(url).password
    except ValueError:
        return None


def _did_you_mean(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


# -- the secret key


def make_data_dir(data_dir: Path) -> None:
    """Create the data folder, readable by its owner alone. Raises ConfigurationError."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The data folder {data_dir} cannot be made: {error.strerror}. Choose another one with --data."
        ) from error


def secret_key(data_dir: Path) -> bytes:
    """The 32 random bytes that seal cookies and API keys; made at the first start, mode 0600.

    Raises ConfigurationError where the file is damaged or (on POSIX) readable by others.
    """
    file = data_dir / SECRET_KEY_NAME
    make_data_dir(data_dir)
    if not file.exists():
        _make_secret_key(file)
    return read_secret_key(file)


def read_secret_key(file: Path) -> bytes:
    try:
        key = file.read_bytes()
        mode = stat.S_IMODE(file.stat().st_mode)
    except OSError as error:
        raise ConfigurationError(f"The secret key {file} cannot be read: {error.strerror}.") from error
    if len(key) != SECRET_KEY_BYTES:
        raise ConfigurationError(
            f"The secret key {file} is damaged: it must be {SECRET_KEY_BYTES} bytes and is {len(key)}. Put back a "
            "copy; or remove it, and a new one is made: then the API keys of backends must be entered again."
        )
    if os.name == "posix" and mode & 0o077:
        raise ConfigurationError(
            f"The secret key {file} can be read by others (mode {mode:o}). Close it with: chmod 600 '{file}'"
        )
    return key


def _make_secret_key(file: Path) -> None:
    # Written whole under another name, then linked: no other start ever sees half a key, and the first one wins.
    unfinished = file.with_name(f"{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(secrets.token_bytes(SECRET_KEY_BYTES))
            handle.flush()
            os.fsync(handle.fileno())
        try:
            os.link(unfinished, file)
        except FileExistsError:
            return
        finally:
            unfinished.unlink()
    except OSError as error:
        raise ConfigurationError(f"The secret key {file} cannot be made: {error.strerror}.") from error
