"""What ``forllm debate`` and ``forllm council`` share: about which post, who takes part, waiting, telling, stopping."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

import click
from sqlalchemy import Connection

from forllm_server import clock
from forllm_server.accounts.local import LOCAL_USER_ID
from forllm_server.cli.ask import TITLE_CHARS, UNANSWERED, find_subforum_id, warn_without_worker
from forllm_server.cli.naming import model_named, persona_named
from forllm_server.cli.options import with_config
from forllm_server.cli.runtime import opened
from forllm_server.config import Config
from forllm_server.db import Database
from forllm_server.discussions import discussion_store as store
from forllm_server.discussions.course import stuck_at
from forllm_server.discussions.making import DiscussionDraft, SeatDraft
from forllm_server.discussions.model import Discussion, Ending, Kind, Step, StepKind
from forllm_server.discussions.wording import progress_words, state_words, step_words, title_of
from forllm_server.errors import Invalid, NotFound
from forllm_server.forum import post_store
from forllm_server.forum.topics import TITLE_MAX_CHARS, open_topic
from forllm_server.hooks.telling import heed_cause
from forllm_server.jobs.discussing import begin, length_of, stop
from forllm_server.jobs.discussion_plan import plan_words, remaining_words
from forllm_server.jobs.discussion_prompts import result_of_steps
from forllm_server.markup.excerpt import excerpt
from forllm_server.markup.names import name_key
from forllm_server.personas.persona_store import find_persona_by_name_key

LOOK_EVERY_SECONDS = 0.5
MOST = 1_000
#: How it ends when everything went as it was planned.
AS_PLANNED = (Ending.TURNS, Ending.TOKENS, Ending.MINUTES, Ending.ANSWERED)
#: What is told of a step when it is over, besides that it was done.
_SAID = (StepKind.TURN, StepKind.SUMMARY, StepKind.ANSWER)


@dataclass(frozen=True)
class Subject:
    """What it is to be about: the post ``post_id``, or a topic to be opened with ``text``."""

    text: str | None
    post_id: int | None
    subforum_name: str | None
    title: str | None

    def read(self) -> "Subject":
        """The same with the text itself, which may stand on the standard input. Raises Invalid for none and for two."""
        if (self.text is None) == (self.post_id is None):
            raise Invalid("Say what it is about: a TEXT, which opens a topic, or --post with the number of a post.")
        return replace(self, text=sys.stdin.read()) if self.text == "-" else self

    def find_post(self, connection: Connection) -> int:
        """The id of the post, made if need be."""
        if self.post_id is not None:
            return self.post_id
        content = self.text or ""
        _, post = open_topic(
            connection,
            owner_id=LOCAL_USER_ID,
            subforum_id=find_subforum_id(connection, self.subforum_name),
            title=self.title or excerpt(content, max_chars=TITLE_CHARS)[:TITLE_MAX_CHARS] or "Question",
            content=content,
            now=clock.now(),
        )
        return post.id


def takes_subject(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command the argument and the options that say what it is about, and hand it one ``subject`` instead."""

    @wraps(function)
    def command(
        text: str | None, post_id: int | None, subforum_name: str | None, title: str | None, **values: Any
    ) -> int:
        return function(subject=Subject(text, post_id, subforum_name, title), **values)

    decorated: Callable[..., int] = command
    for option in (
        click.option("--title", help="The topic's title; otherwise the beginning of the text."),
        click.option("--subforum", "subforum_name", metavar="NAME", help="Where; otherwise in the first subforum."),
        click.option("--post", "post_id", type=click.IntRange(min=1), help="About this post, not a new topic's."),
        click.argument("text", required=False),
    ):
        decorated = option(decorated)
    return decorated


def seat_of(connection: Connection, words: str) -> SeatDraft:
    """``NAME``, ``NAME=ROLE``, ``NAME@MODEL``, ``NAME=ROLE@MODEL``. Raises NotFound, Conflict (several models)."""
    if find_persona_by_name_key(connection, name_key(words)) is not None:
        return SeatDraft(persona_named(connection, words).id)
    who, _, model = words.rpartition("@") if "@" in words else (words, "", "")
    name, _, role = who.partition("=")
    return SeatDraft(
        persona_named(connection, name.strip()).id,
        model_named(connection, model.strip()).model.id if model.strip() else None,
        role.strip(),
    )


def run(
    config: Config, subject: Subject, draft_of: Callable[[Connection, int], DiscussionDraft], *, is_waiting: bool
) -> int:
    """Begin about ``subject`` what ``draft_of`` makes of its post, tell what that adds to the queue, perhaps wait."""
    # A hook's command says by this which call it acts for.
    heed_cause(os.environ.get("FORLLM_EVENT_ID"))
    # However long the text takes to come: nobody waits for the database meanwhile.
    known = subject.read()
    with opened(config) as installation:
        with installation.database.transaction() as connection:
            draft = draft_of(connection, known.find_post(connection))
            words = plan_words(connection, draft, clock.now())
            begun = begin(connection, draft, owner_id=LOCAL_USER_ID, now=clock.now())
        click.echo(f"{begun.kind.value.title()} {begun.id} about post {begun.post_id}. {words}", err=is_waiting)
        return wait_for(installation.database, begun) if is_waiting else 0


def wait_for(database: Database, discussion: Discussion) -> int:
    """Show how far it is until it ends or a person is needed, then print what was said; the exit code."""
    warn_without_worker(database)
    label, length = f"{discussion.kind.value.title()} {discussion.id}", length_of(discussion)
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        while True:
            discussion, steps = _read(database, discussion.id)
            done = sum(step.is_done for step in steps)
            bar.update(max(min(done, length) - bar.pos, 0))
            if not discussion.is_open or stuck_at(discussion, steps) is not None:
                break
            time.sleep(LOOK_EVERY_SECONDS)
    with database.read() as connection:
        for line in _said(connection, discussion, steps):
            click.echo(line)
        for line in _ranked(discussion, steps):
            click.echo(line, err=True)
    click.echo(f"{_upper(state_words(discussion, steps))}. {', '.join(progress_words(discussion, steps))}.", err=True)
    return 0 if discussion.ending in AS_PLANNED and not discussion.is_open else UNANSWERED


def _read(database: Database, discussion_id: int) -> tuple[Discussion, list[Step]]:
    with database.read() as connection:
        return store.get_discussion(connection, discussion_id), store.list_steps(connection, discussion_id)


def _said(connection: Connection, discussion: Discussion, steps: Sequence[Step]) -> list[str]:
    """The turns and the summary of a debate, the chair's answer of a council."""
    told = [step for step in steps if step.kind in _SAID and step.is_done and step.is_post_there]
    posts = {post.id: post for post in post_store.list_posts(connection, [step.post_id or 0 for step in told])}
    texts = [(step, posts[step.post_id or 0].content) for step in told if step.post_id in posts]
    if discussion.kind is Kind.COUNCIL:
        return [text for _, text in texts]
    return [f"{_upper(step_words(discussion, step))}\n\n{text}\n" for step, text in texts]


def _upper(words: str) -> str:
    return words[:1].upper() + words[1:]


def _ranked(discussion: Discussion, steps: Sequence[Step]) -> list[str]:
    """How the opinions were ranked: ``1. Teacher, 83 of 100 points``."""
    lines = []
    for each in result_of_steps(steps):
        points = "ranked by nobody" if each.points is None else f"{each.points:.0f} of 100 points"
        lines.append(f"{each.place}. {discussion.seat(each.seat).name}, {points}")
    return lines


def add_watching(group: click.Group, kind: Kind) -> None:
    """Give a group its ``list``, ``show``, ``wait`` and ``stop``."""
    one = kind.value
    number = click.argument(f"{one}_id", type=click.IntRange(min=1))

    @group.command("list", help=f"Show the {one}s, newest first.")
    @click.option("--limit", type=click.IntRange(1, MOST), default=50, show_default=True, help="How many at most.")
    @with_config()
    def list_command(config: Config, limit: int) -> int:
        with opened(config) as installation, installation.database.read() as connection:
            found = store.list_discussions(connection, kind=kind, limit=limit)
            steps = store.list_steps_of(connection, [each.id for each in found])
            for each in found:
                click.echo(f"{each.id:>6}  {state_words(each, steps[each.id])}  {title_of(each)}")
        if not found:
            click.echo(f"There is no {one} yet.", err=True)
        return 0 if found else 1

    @group.command("show", help=f"Show how far a {one} is.")
    @number
    @with_config()
    def show_command(config: Config, **ids: int) -> int:
        with opened(config) as installation, installation.database.read() as connection:
            found = _get(connection, ids[f"{one}_id"], kind)
            steps = store.list_steps(connection, found.id)
            remaining = remaining_words(connection, found, steps, clock.now())
        click.echo(f"{title_of(found)}\nabout post {found.post_id}: {state_words(found, steps)}")
        click.echo(", ".join(progress_words(found, steps)))
        for step in steps:
            how = step.status.value if step.status else "gone"
            click.echo(f"  LLM request {step.llm_request_id}  {how}  {step_words(found, step)}")
        for line in [*_ranked(found, steps), *([remaining] if remaining else [])]:
            click.echo(line)
        return 0

    @group.command("wait", help=f"Wait until a {one} has ended and print it. Ends with 3 if it did not end as planned.")
    @number
    @with_config()
    def wait_command(config: Config, **ids: int) -> int:
        with opened(config) as installation:
            with installation.database.read() as connection:
                found = _get(connection, ids[f"{one}_id"], kind)
            return wait_for(installation.database, found)

    @group.command("stop", help=f"Stop a {one}: what waits is called off, what was said stays.")
    @number
    @with_config()
    def stop_command(config: Config, **ids: int) -> int:
        with opened(config) as installation, installation.database.transaction() as connection:
            was_open = _get(connection, ids[f"{one}_id"], kind).is_open
            found = stop(connection, ids[f"{one}_id"], clock.now())
            steps = store.list_steps(connection, found.id)
        click.echo(f"{one.title()} {found.id}: {state_words(found, steps)}")
        return 0 if was_open else 1


def _get(connection: Connection, discussion_id: int, kind: Kind) -> Discussion:
    """Raises NotFound, also for a council that was asked for as a debate."""
    found = store.get_discussion(connection, discussion_id)
    if found.kind is not kind:
        raise NotFound(f"{discussion_id} is a {found.kind.value}: forllm {found.kind.value} show {discussion_id}.")
    return found
