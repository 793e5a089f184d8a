"""Takes one step with Alembic. Loaded only when there is one to take."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def take_step(connection: Connection, folder: Path, version: str) -> None:
    """Run the migration that leads to ``version``, and note it, in the transaction that is open on the connection."""
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, version)
