"""Process configuration: four sources, every problem at once, and a key that nobody else can read."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from forllm_server import config as configuration
from forllm_server.catalog.configured import check_configured
from forllm_server.config import load_config, read_secret_key, secret_key
from forllm_server.errors import ConfigurationError


def load(tmp_path: Path, toml: str = "", environ: dict[str, str] | None = None, **options: Any) -> configuration.Config:
    (tmp_path / "forllm.toml").write_text(toml)
    return load_config({"data_dir": tmp_path, **options}, environ or {}, check_configured)


def problems_of(tmp_path: Path, toml: str = "", environ: dict[str, str] | None = None, **options: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, toml, environ, **options)
    problems: list[str] = caught.value.facts["problems"]
    assert all(problem in caught.value.message for problem in problems)
    return problems


def test_without_anything_it_listens_on_loopback_at_its_port(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert (config.host, config.port, config.workers, config.debug) == ("127.0.0.1", 4773, 4, False)
    assert config.database_path == tmp_path / "forllm_data.db"
    assert config.config_file == tmp_path / "forllm.toml"


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    toml = "port = 1001\nworkers = 1\nlog_level = 'debug'"
    config = load(tmp_path, toml, {"FORLLM_PORT": "1002", "FORLLM_WORKERS": "2"}, port=1003)
    assert (config.port, config.workers, config.log_level) == (1003, 2, "debug")


def test_a_checkout_keeps_its_data_beside_itself() -> None:
    assert configuration.default_data_dir({}) == configuration.CHECKOUT / "data"


def test_an_installed_one_keeps_its_data_in_the_users_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(configuration, "CHECKOUT", tmp_path)
    monkeypatch.setattr("sys.platform", "linux")
    assert configuration.default_data_dir({"XDG_DATA_HOME": "/srv/data"}) == Path("/srv/data/forllm")


def test_a_chosen_file_may_say_where_the_data_is(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f"data_dir = '{(tmp_path / 'elsewhere').as_posix()}'")
    assert load_config({"config": file}, {}).data_dir == tmp_path / "elsewhere"
    assert load_config({}, {"FORLLM_CONFIG": str(file)}).data_dir == tmp_path / "elsewhere"


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    toml = "prot = 1\nworkers = 'many'\nlog_level = 'loud'\ntrash_days = 0\n[[backends]]\nname = 'A'"
    problems = problems_of(tmp_path, toml, {"FORLLM_PROT": "1", "FORLLM_DEBUG": "perhaps"}, port=70000)
    told = "\n".join(problems)
    for part in (
        "prot in forllm.toml is not an option; did you mean port?",
        "workers in forllm.toml must be a whole number from 0 to 64, not 'many'",
        "log_level in forllm.toml must be debug or info or warning or error, not 'loud'",
        "trash_days in forllm.toml must be a whole number from 1 to 3650",
        "FORLLM_PROT is not an option of FORLLM; did you mean FORLLM_PORT?",
        "FORLLM_DEBUG must be true or false, not 'perhaps'",
        "--port must be a whole number from 0 to 65535, not 70000",
        "kind is missing",
    ):
        assert part in told


@pytest.mark.parametrize(
    ("toml", "part"),
    [
        ("port = ", "not valid TOML"),
        ("port = true", "whole number"),
        ("host = ''", "a text that is not empty"),
        ("data_dir = 'x'", "use --data"),
        ("allowed_hosts = 'a'", "a list of texts"),
        ("backends = 3", "[[backends]]"),
        ("database_url = 'mysql://x'", "must begin with"),
        ("database_url = 'postgresql://forllm:changeme@db/forllm'", "placeholder as its password"),
        ("[[backends]]\nname='A'\nkind='ollama'\nbase_url='http://a'\napi_key='your-api-key'", "is a placeholder"),
        ("[[backends]]\nname='A'\nkind='ollama'\nbase_url='http://a'\napi_key_env='NOT_SET'", "NOT_SET"),
    ],
)
def test_a_bad_file_is_explained(tmp_path: Path, toml: str, part: str) -> None:
    assert any(part in problem for problem in problems_of(tmp_path, toml))


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "localhost.example.org", "127.0.0.1.nip.io"]
)
def test_listening_for_others_is_refused_with_a_way_out(tmp_path: Path, host: str) -> None:
    (problem,) = problems_of(tmp_path, host=host)
    assert "no accounts yet" in problem
    assert "ssh -L" in problem


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_loopback_is_welcome(tmp_path: Path, host: str) -> None:
    assert load(tmp_path, host=host).host == host


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    toml = (
        "database_url = 'postgresql://u:real-pass@db/f'\n[[backends]]\nname='A'\nkind='ollama'\nbase_url='http://a'\n"
    )
    shown = repr(load(tmp_path, toml + "api_key = 'real-key'"))
    assert "real-pass" not in shown
    assert "real-key" not in shown


def test_templates_and_static_files_are_found() -> None:
    assert (configuration.templates_dir() / "layouts").is_dir()
    assert (configuration.static_dir() / "css").is_dir()


# -- the secret key


def test_the_secret_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    key = secret_key(folder)
    assert len(key) == 32
    assert secret_key(folder) == key
    if os.name == "posix":
        assert stat.S_IMODE((folder / "secret.key").stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [file.name for file in folder.iterdir()] == ["secret.key"]


def test_starts_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: secret_key(tmp_path / "shared"), range(8)))
    assert len(keys) == 1


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_damaged_key_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secret.key"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(ConfigurationError, match="damaged"):
        read_secret_key(file)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    secret_key(tmp_path)
    (tmp_path / "secret.key").chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        secret_key(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be made"):
        secret_key(tmp_path / "file" / "below")
