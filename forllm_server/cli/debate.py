"""``forllm debate``: personas take turns over a post, from the command line."""

from collections.abc import Sequence

import click
from sqlalchemy import Connection

from forllm_server.cli.discussing import Subject, add_watching, run, seat_of, takes_subject
from forllm_server.cli.options import with_config
from forllm_server.config import Config
from forllm_server.discussions.making import USUAL_MINUTES, USUAL_TOKENS, USUAL_TURNS, DiscussionDraft
from forllm_server.discussions.model import Kind, Limits


@click.group()
def command() -> None:
    """Have personas debate about a post."""


@command.command("run")
@takes_subject
@click.option(
    "--voice",
    "voices",
    multiple=True,
    required=True,
    metavar="NAME[=ROLE][@MODEL]",
    help="Who takes part, as in 'Skeptic=against'; two to four times.",
)
@click.option("--closer", metavar="NAME[@MODEL]", help="Who sums it up; otherwise nobody does.")
@click.option("--motion", default="", help="What is debated, in a sentence.")
@click.option("--turns", type=int, default=USUAL_TURNS, show_default=True, help="At most so many.")
@click.option("--tokens", type=int, default=USUAL_TOKENS, show_default=True, help="At most, of all turns.")
@click.option("--minutes", type=int, default=USUAL_MINUTES, show_default=True, help="At most, of the models' work.")
@click.option("--now", "is_now", is_flag=True, help="Go first, and wait for no window.")
@click.option("--wait", "is_waiting", is_flag=True, help="Wait for its end and print it. Ends with 3 if it broke.")
@with_config()
def run_command(
    config: Config,
    subject: Subject,
    voices: Sequence[str],
    closer: str | None,
    motion: str,
    turns: int,
    tokens: int,
    minutes: int,
    is_now: bool,
    is_waiting: bool,
) -> int:
    """Open a topic with TEXT, or take the post --post, and have it debated. TEXT - is read from the standard input.

    A running `serve` or `work` on the same data answers. With --wait the turns and the summary are printed.
    """

    def draft_of(connection: Connection, post_id: int) -> DiscussionDraft:
        return DiscussionDraft(
            kind=Kind.DEBATE,
            post_id=post_id,
            seats=tuple(seat_of(connection, voice) for voice in voices),
            closer=seat_of(connection, closer) if closer else None,
            motion=motion,
            limits=Limits(turns, tokens, minutes),
            is_run_now=is_now,
        )

    return run(config, subject, draft_of, is_waiting=is_waiting)


add_watching(command, Kind.DEBATE)
