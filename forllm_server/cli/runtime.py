"""Opening the data: what every command that works on it does first."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from forllm_server import clock, log
from forllm_server.accounts.local import LOCAL_USER_ID, ensure_local_user
from forllm_server.catalog.configured import apply_configured
from forllm_server.catalog.editing import ensure_embedded
from forllm_server.cli.running import changing_data, using_data
from forllm_server.config import Config, make_data_dir, secret_key
from forllm_server.db import Database, upgrade
from forllm_server.errors import NotAllowed
from forllm_server.personas.editing import ensure_builtin

#: How long a start waits for another one to finish migrating.
MIGRATION_WAIT_SECONDS = 30.0
#: It asks again and again, shortly: whoever waits to be alone keeps newcomers out.
MIGRATION_TRY_SECONDS = 0.1


@dataclass(frozen=True)
class Installation:
    """Opened data: the database at the code's schema version, and the key that seals."""

    config: Config
    database: Database
    secret_key: bytes = field(repr=False)


@contextmanager
def opened(config: Config) -> Iterator[Installation]:
    """Open the data, made and migrated where needed, and hold it while the block runs."""
    # What FORLLM writes is its owner's alone, whatever the mode of a folder that was there before.
    os.umask(0o077)
    make_data_dir(config.data_dir)
    key = secret_key(config.data_dir)
    database = Database(config.effective_database_url)
    try:
        migrate(config, database)
        with using_data(config):
            prepare(config, database, key)
            yield Installation(config, database, key)
    finally:
        database.close()


def migrate(config: Config, database: Database) -> upgrade.UpgradeResult:
    """Bring the schema up to date; refused while an older FORLLM still runs on the data."""
    present = upgrade.schema_version(database)
    if present == upgrade.newest_version():
        return upgrade.UpgradeResult(present, present)
    deadline = clock.monotonic() + MIGRATION_WAIT_SECONDS
    while True:
        try:
            with changing_data(config, doing="migrate", timeout_seconds=MIGRATION_TRY_SECONDS):
                result = upgrade.upgrade(database, backups_dir=config.backups_dir, now=clock.now())
            log.event("database.migrated", before=result.before, after=result.after, backup=result.backup)
            return result
        except NotAllowed:
            # Another start may have migrated and be using the data by now.
            if upgrade.schema_version(database) == upgrade.newest_version():
                return upgrade.UpgradeResult(present, upgrade.newest_version())
            if clock.monotonic() > deadline:
                raise
            time.sleep(MIGRATION_TRY_SECONDS)


def prepare(config: Config, database: Database, key: bytes) -> None:
    """The rows that every forum starts with, and the backends of the configuration file."""
    now = clock.now()
    with database.transaction() as connection:
        ensure_local_user(connection, now)
        ensure_builtin(connection, now)
        ensure_embedded(connection, owner_id=LOCAL_USER_ID, now=now, is_enabled=config.has_embedded)
        apply_configured(
            connection, config.backends, owner_id=LOCAL_USER_ID, secret_key=key, environ=os.environ, now=now
        )
