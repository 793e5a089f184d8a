"""``forllm demo``: fills an empty forum with a few subforums, personas, topics and questions that wait for a model."""

import tempfile
from dataclasses import replace
from pathlib import Path

import click
from sqlalchemy import Connection

from forllm_server import clock
from forllm_server.accounts.local import LOCAL_USER_ID
from forllm_server.cli.demo_content import PERSONAS, SUBFORUMS, DemoTopic
from forllm_server.cli.options import with_config
from forllm_server.cli.runtime import Installation, opened
from forllm_server.config import Config
from forllm_server.db import upgrade
from forllm_server.errors import NotAllowed
from forllm_server.forum import subforum_store
from forllm_server.forum.editing import add_reply
from forllm_server.forum.subforums import add_subforum
from forllm_server.forum.topics import open_topic
from forllm_server.jobs.reply import Ask, ask
from forllm_server.personas.editing import create_persona


@click.command()
@click.option(
    "--example",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the demo's database to this file instead, and leave the data folder alone.",
)
@with_config()
def command(config: Config, example: Path | None) -> None:
    """Fill an empty forum with something to look at. The next start answers its questions."""
    if example is not None:
        write_example(config, example)
        click.echo(f"{example} ({example.stat().st_size:,} bytes)")
        return
    with opened(config) as installation:
        fill(installation)
    click.echo(f"The forum in {config.data_dir} now has something in it. Start it: its questions get their answers.")


def write_example(config: Config, file: Path) -> None:
    """The demo as one SQLite file, made in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        own = replace(config, data_dir=Path(folder), database_url=None, backends=())
        with opened(own) as installation:
            fill(installation)
        upgrade.copy_sqlite(own.database_path, file)
    file.chmod(0o644)


def fill(installation: Installation) -> None:
    """Add the demo's content in one transaction. Raises NotAllowed where there is content already."""
    with installation.database.transaction() as connection:
        if subforum_store.list_subforums(connection):
            raise NotAllowed("This forum has subforums already. Fill an empty one: forllm demo --data FOLDER")
        personas = {
            persona.name: create_persona(
                connection,
                owner_id=LOCAL_USER_ID,
                name=persona.name,
                instructions=persona.instructions,
                now=clock.now(),
            ).id
            for persona in PERSONAS
        }
        for subforum in SUBFORUMS:
            made = add_subforum(
                connection,
                owner_id=LOCAL_USER_ID,
                name=subforum.name,
                description=subforum.description,
                now=clock.now(),
            )
            for topic in subforum.topics:
                _add_topic(connection, made.id, topic, personas)


def _add_topic(connection: Connection, subforum_id: int, topic: DemoTopic, personas: dict[str, int]) -> None:
    _, post = open_topic(
        connection,
        owner_id=LOCAL_USER_ID,
        subforum_id=subforum_id,
        title=topic.title,
        content=topic.content,
        now=clock.now(),
    )
    for content in topic.replies:
        post = add_reply(connection, owner_id=LOCAL_USER_ID, parent_id=post.id, content=content, now=clock.now())
    for name in topic.asked:
        ask(connection, Ask(owner_id=LOCAL_USER_ID, post_id=post.id, persona_id=personas[name]), clock.now())
