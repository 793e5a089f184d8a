"""``forllm doctor``: looks a forum over and says, for each thing that is wrong, what to do."""

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import click
from sqlalchemy import Connection

from forllm_server import clock
from forllm_server.catalog import backend_store
from forllm_server.catalog.probing import look
from forllm_server.cli.options import with_config
from forllm_server.config import SECRET_KEY_NAME, Config, read_secret_key
from forllm_server.db import Database, soundness, upgrade
from forllm_server.errors import ConfigurationError, ForllmError
from forllm_server.forum import subforum_store, tag_store
from forllm_server.queue import lease_store, llm_request_store
from forllm_server.queue.identity import is_gone
from forllm_server.search import index_store
from forllm_server.settings.values import read_settings

#: Less than this on the disk, and a night may fill it.
FREE_BYTES = 500 * 1024 * 1024


@dataclass(frozen=True)
class Finding:
    """What was looked at; ``remedy`` empty: it is well."""

    subject: str
    state: str
    remedy: str = ""


@click.command()
@click.option("--rebuild-search", "rebuilds_search", is_flag=True, help="First make the search index anew.")
@with_config()
def command(config: Config, rebuilds_search: bool) -> int:
    """Examine key, disk, database, search, queue and backends. Ends with 1 when something needs a hand."""
    if rebuilds_search:
        rebuild_search(config)
    has_trouble = False
    for finding in examine(config):
        has_trouble |= bool(finding.remedy)
        mark = "!!" if finding.remedy else "ok"
        click.echo(f"{mark}  {finding.subject}: {finding.state}")
        if finding.remedy:
            click.echo(f"      → {finding.remedy}")
    return 1 if has_trouble else 0


def rebuild_search(config: Config) -> None:
    database = Database(config.effective_database_url)
    try:
        schema = examine_schema(database)
        if schema.remedy:
            raise ConfigurationError(f"The schema is not right: {schema.state}. {schema.remedy}")
        with database.transaction() as connection:
            index_store.delete_and_fill(connection)
    finally:
        database.close()


def examine(config: Config) -> Iterator[Finding]:
    """Every finding, one after another; later ones are left out where the database cannot be opened."""
    yield examine_key(config)
    yield examine_disk(config)
    database = Database(config.effective_database_url)
    try:
        schema = examine_schema(database)
        yield schema
        if schema.remedy:
            return
        for examine_rows in (examine_content, examine_search, examine_leases, examine_waiting):
            with database.read() as connection:
                yield from examine_rows(connection, clock.now())
        yield from examine_backends(config, database)
    finally:
        database.close()


def examine_key(config: Config) -> Finding:
    file = config.data_dir / SECRET_KEY_NAME
    if not file.exists():
        return Finding("secret key", "not there yet; the first start makes it")
    try:
        read_secret_key(file)
    except ConfigurationError as error:
        return Finding("secret key", "cannot be used", error.message)
    return Finding("secret key", f"{file}, mode {stat.S_IMODE(file.stat().st_mode):o}")


def examine_disk(config: Config) -> Finding:
    folder = config.data_dir
    if not folder.is_dir():
        return Finding("data folder", f"{folder} is not there yet; the first start makes it")
    if not os.access(folder, os.W_OK):
        return Finding("data folder", f"{folder} cannot be written", "Give this user write permission on the folder.")
    free = shutil.disk_usage(folder).free
    remedy = "Make room: with a full disk nothing can be saved." if free < FREE_BYTES else ""
    return Finding("disk", f"{free / 1024**3:.1f} GiB free in {folder}", remedy)


def examine_schema(database: Database) -> Finding:
    try:
        version = upgrade.schema_version(database)
    except ConfigurationError as error:
        return Finding("schema", "cannot be read", error.message)
    if version is None:
        return Finding("schema", "there is no database yet", "Start FORLLM once: forllm serve")
    if version != upgrade.newest_version():
        return Finding("schema", f"version {version}", "The next start brings it up to date, or: forllm migrate")
    return Finding("schema", f"version {version}, up to date")


def examine_content(connection: Connection, _now: datetime) -> Iterator[Finding]:
    damage = soundness.list_damage(connection)
    if damage:
        yield Finding("database", f"damaged: {damage[0]}", "Stop FORLLM and restore a backup: forllm restore FILE")
        return
    yield Finding("database", "whole")
    broken = soundness.list_broken_references(connection)
    if broken:
        tables = ", ".join(sorted(set(broken)))
        yield Finding("references", f"{len(broken)} lead nowhere, in {tables}", "Restore a backup from before that.")
    else:
        yield Finding("references", "all lead somewhere")


def examine_search(connection: Connection, _now: datetime) -> Iterator[Finding]:
    missing = index_store.count_missing(connection)
    if missing:
        yield Finding(
            "search", f"{missing} posts are out of step", "Make the index anew: forllm doctor --rebuild-search"
        )
    else:
        yield Finding("search", "the index is in step with the posts")


def examine_counts(connection: Connection, _now: datetime) -> Iterator[Finding]:
    miscounted = subforum_store.list_miscounted(connection)
    if miscounted:
        numbers = ", ".join(str(number) for number in miscounted[:10])
        yield Finding("numbers of topics", f"wrong in {len(miscounted)} subforums ({numbers})", "Run: forllm migrate")
    else:
        yield Finding("numbers of topics", "right in every subforum")
    miscounted_tags = tag_store.list_miscounted_tags(connection)
    if miscounted_tags:
        names = ", ".join(miscounted_tags[:10])
        yield Finding("topics of tags", f"wrong for {len(miscounted_tags)} tags ({names})", "Run: forllm migrate")
    else:
        yield Finding("topics of tags", "right for every tag")


def examine_leases(connection: Connection, now: datetime) -> Iterator[Finding]:
    running = lease_store.list_running(connection)
    orphans = [request for request in running if request.worker and is_gone(request.worker)]
    expired = [request for request in running if request.lease_until and request.lease_until < now]
    stuck = sorted({request.id for request in (*orphans, *expired)})
    if stuck:
        numbers = ", ".join(str(number) for number in stuck[:10])
        yield Finding(
            "running LLM requests",
            f"{len(stuck)} of {len(running)} have no living worker ({numbers})",
            "Nothing is lost: the next start of serve or work takes them back within seconds.",
        )
    else:
        yield Finding("running LLM requests", f"{len(running)}, all with a living worker")


def examine_waiting(connection: Connection, _now: datetime) -> Iterator[Finding]:
    counts = llm_request_store.count_by_status(connection)
    state = ", ".join(f"{number} {status}" for status, number in sorted(counts.items()) if number) or "empty"
    waiting = len(llm_request_store.list_without_backend(connection, limit=1000))
    remedy = f"{waiting} wait for a model: add a backend, or choose a default model in the settings." if waiting else ""
    yield Finding("queue", state, remedy)


def examine_backends(config: Config, database: Database) -> Iterator[Finding]:
    key_file = config.data_dir / SECRET_KEY_NAME
    try:
        key = read_secret_key(key_file)
    except ConfigurationError:
        return
    with database.read() as connection:
        records = backend_store.list_backends(connection, is_enabled=True)
        silence_seconds = read_settings(connection).silence_seconds
    for record in records:
        subject = f"backend “{record.name}”"
        try:
            probe = look(record, secret_key=key, silence_seconds=silence_seconds)
        except ForllmError as error:
            yield Finding(subject, "cannot be asked", error.message)
            continue
        if probe.is_reachable:
            yield Finding(subject, f"answers, {len(probe.models)} models")
        else:
            yield Finding(subject, f"does not answer: {probe.error}", "Start it, correct its address, or disable it.")
