"""``forllm ask``: a question from the command line, and its answer there too if one waits for it."""

import os
import sys
import time

import click
from sqlalchemy import Connection

from forllm_server import clock
from forllm_server.accounts.local import LOCAL_USER_ID
from forllm_server.cli.naming import model_named, persona_named, subforum_named
from forllm_server.cli.options import with_config
from forllm_server.cli.runtime import opened
from forllm_server.config import Config
from forllm_server.db import Database
from forllm_server.forum import post_store
from forllm_server.forum.subforum_store import list_subforums
from forllm_server.forum.subforums import add_subforum
from forllm_server.forum.topics import TITLE_MAX_CHARS, open_topic
from forllm_server.hooks.telling import heed_cause
from forllm_server.jobs.asking import Ask, ask
from forllm_server.jobs.standing import Standing, list_standings
from forllm_server.markup.excerpt import excerpt
from forllm_server.queue.llm_request_store import get_llm_request
from forllm_server.queue.model import LlmRequest, Status
from forllm_server.queue.worker_store import list_workers

#: Made for the first question in a forum that has no subforum yet.
FIRST_SUBFORUM = "Questions"
TITLE_CHARS = 80
LOOK_EVERY_SECONDS = 0.3
#: The exit code when there will be no answer.
UNANSWERED = 3
FINAL = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)


@click.command()
@click.argument("text")
@click.option("--subforum", "subforum_name", metavar="NAME", help="Where to ask; otherwise in the first subforum.")
@click.option("--title", help="The topic's title; otherwise the beginning of the text.")
@click.option("--persona", "persona_name", metavar="NAME", help="Who shall answer; otherwise the default.")
@click.option("--model", "model_name", metavar="NAME", help="On which model; otherwise the persona's or the default.")
@click.option("--now", "is_now", is_flag=True, help="Go first, and wait for no window.")
@click.option("--wait", "is_waiting", is_flag=True, help="Wait for the answer and print it. Ends with 3 if none comes.")
@with_config()
def command(
    config: Config,
    text: str,
    subforum_name: str | None,
    title: str | None,
    persona_name: str | None,
    model_name: str | None,
    is_now: bool,
    is_waiting: bool,
) -> int:
    """Open a topic with TEXT and ask for a reply. TEXT - is read from the standard input.

    A running `serve` or `work` on the same data answers it.
    """
    content = sys.stdin.read() if text == "-" else text
    # A hook's command says by this which call it acts for.
    heed_cause(os.environ.get("FORLLM_EVENT_ID"))
    with opened(config) as installation:
        with installation.database.transaction() as connection:
            subforum_id = find_subforum_id(connection, subforum_name)
            topic, post = open_topic(
                connection,
                owner_id=LOCAL_USER_ID,
                subforum_id=subforum_id,
                title=title or excerpt(content, max_chars=TITLE_CHARS)[:TITLE_MAX_CHARS] or "Question",
                content=content,
                now=clock.now(),
            )
            wish = Ask(
                owner_id=LOCAL_USER_ID,
                post_id=post.id,
                persona_id=persona_named(connection, persona_name).id if persona_name else None,
                model_id=model_named(connection, model_name).model.id if model_name else None,
                is_run_now=is_now,
            )
            asked = ask(connection, wish, clock.now()).request
        click.echo(f"Asked: LLM request {asked.id}, topic {topic.id}.", err=is_waiting)
        return wait_for(installation.database, asked.id) if is_waiting else 0


def wait_for(database: Database, llm_request_id: int) -> int:
    """Print the reply when it is there, or why there is none; what happens meanwhile goes to the standard error.

    The exit code.
    """
    warn_without_worker(database)
    told = ""
    while True:
        llm_request, standing = _look(database, llm_request_id)
        if llm_request.status in FINAL:
            return _tell_end(database, llm_request, standing)
        if standing.label != told:
            click.echo(f"{standing.label}: {standing.sentence}", err=True)
            told = standing.label
        time.sleep(LOOK_EVERY_SECONDS)


def _look(database: Database, llm_request_id: int) -> tuple[LlmRequest, Standing]:
    with database.read() as connection:
        llm_request = get_llm_request(connection, llm_request_id)
        return llm_request, list_standings(connection, [llm_request], clock.now())[llm_request_id]


def _tell_end(database: Database, llm_request: LlmRequest, standing: Standing) -> int:
    if llm_request.status is not Status.SUCCEEDED:
        click.echo(f"{standing.label}: {standing.sentence}", err=True)
        return UNANSWERED
    with database.read() as connection:
        reply = post_store.find_post_of_llm_request(connection, llm_request.id)
    if reply is None or reply.is_deleted:
        click.echo("It was answered, but the reply has been deleted since.", err=True)
        return UNANSWERED
    click.echo(reply.content)
    return 0


def warn_without_worker(database: Database) -> None:
    """Say so when nobody is there to answer."""
    with database.read() as connection:
        is_any_alive = any(worker.is_alive(clock.now()) for worker in list_workers(connection))
    if not is_any_alive:
        click.echo("No worker is running on this data yet. Start one: forllm serve, or forllm work.", err=True)


def find_subforum_id(connection: Connection, name: str | None) -> int:
    """The subforum of that name, else the first one, made if there is none yet."""
    if name is not None:
        return subforum_named(connection, name).id
    if found := list_subforums(connection):
        return found[0].id
    return add_subforum(connection, owner_id=LOCAL_USER_ID, name=FIRST_SUBFORUM, now=clock.now()).id
