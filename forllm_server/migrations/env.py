"""Alembic's entry for every step. The connection, its transaction and its locks are those of db/upgrade.py."""

from alembic import context

from forllm_server.db import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
