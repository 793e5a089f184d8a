"""``forllm council``: personas answer alone, rank each other, and a chair answers, from the command line."""

from collections.abc import Sequence

import click
from sqlalchemy import Connection

from forllm_server.cli.discussing import Subject, add_watching, run, seat_of, takes_subject
from forllm_server.cli.options import with_config
from forllm_server.config import Config
from forllm_server.discussions.making import DiscussionDraft
from forllm_server.discussions.model import Kind


@click.group()
def command() -> None:
    """Have a council of personas answer a post."""


@command.command("run")
@takes_subject
@click.option(
    "--member",
    "members",
    multiple=True,
    required=True,
    metavar="NAME[@MODEL]",
    help="Who answers and ranks, as in 'Teacher@qwen3:8b'; three to eight times.",
)
@click.option("--chair", required=True, metavar="NAME[@MODEL]", help="Who answers for all.")
@click.option("--now", "is_now", is_flag=True, help="Go first, and wait for no window.")
@click.option("--wait", "is_waiting", is_flag=True, help="Wait for the answer and print it. Ends with 3 if none comes.")
@with_config()
def run_command(
    config: Config,
    subject: Subject,
    members: Sequence[str],
    chair: str,
    is_now: bool,
    is_waiting: bool,
) -> int:
    """Open a topic with TEXT, or take the post --post, and convene a council. TEXT - is read from the standard input.

    A running `serve` or `work` on the same data answers. With --wait the chair's answer is printed.
    """

    def draft_of(connection: Connection, post_id: int) -> DiscussionDraft:
        return DiscussionDraft(
            kind=Kind.COUNCIL,
            post_id=post_id,
            seats=tuple(seat_of(connection, member) for member in members),
            closer=seat_of(connection, chair),
            is_run_now=is_now,
        )

    return run(config, subject, draft_of, is_waiting=is_waiting)


add_watching(command, Kind.COUNCIL)
