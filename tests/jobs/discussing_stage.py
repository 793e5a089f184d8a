"""Personas that discuss on a scripted model: what each says is known, and so is everything that comes of it."""

import re
from collections.abc import Sequence
from typing import Any

from forllm_server import clock
from forllm_server.db import metadata
from forllm_server.discussions import discussion_store as store
from forllm_server.discussions.making import DiscussionDraft, SeatDraft
from forllm_server.discussions.model import Discussion, Kind, Limits, Step, StepKind
from forllm_server.jobs.discussing import begin, stop, tend_discussions
from forllm_server.queue.control import retry_llm_request
from tests.jobs.conftest import Evening
from tests.personas.world import create
from tests.support.scripted_server import Script
from tests.support.world import LOCAL_USER

NAMES = ("Skeptic", "Teacher", "Poet", "Chair")


class Salon:
    """An evening with four personas; the first three discuss, the fourth sums up or chairs."""

    def __init__(self, evening: Evening) -> None:
        self.evening = evening
        self.database = evening.database
        with self.database.transaction() as connection:
            self.ids = {name: create(connection, name, instructions=f"You are {name}.").id for name in NAMES}
        #: what somebody says instead of a ranking
        self.said: dict[str, str] = {}
        evening.server.answer = self.answer

    def answer(self, body: dict[str, Any]) -> Script:
        """Each says its name and what it was asked for; rankings are sound unless something else is to be said."""
        prompt = str(body["messages"][-1]["content"])
        if "Rank them" in prompt:
            name = re.findall(r"You are (\w+)\. You are \w+\.", prompt)[-1]
            letters = re.findall(r"^<answer-([a-z])>$", prompt, re.MULTILINE)
            return Script(tokens=(self.said.get(name, " > ".join(letters).upper()),))
        who = re.findall(r"You are (\w+)\. You are \w+\.", prompt)
        turn = re.search(r"This is turn (\d+)", prompt)
        what = f"turn {turn[1]}" if turn else "summary" if "Sum it up" in prompt else "answer"
        cited = re.findall(r"<answer-(\d+)", prompt)
        return Script(
            tokens=(who[-1] if who else "Somebody", " says", f" {what}.", *(f" See #{number}." for number in cited[:1]))
        )

    def seats(self, *names: str, roles: Sequence[str] = ()) -> tuple[SeatDraft, ...]:
        found = [SeatDraft(self.ids[name], None, role) for name, role in zip(names, roles or [""] * 9, strict=False)]
        return tuple(found)

    def debate(self, **changes: Any) -> Discussion:
        values: dict[str, Any] = {
            "kind": Kind.DEBATE,
            "seats": self.seats("Skeptic", "Teacher", roles=("for", "against")),
            "closer": self.seats("Chair")[0],
            "limits": Limits(3, 1000, 60),
        }
        return self.begin(**(values | changes))

    def council(self, **changes: Any) -> Discussion:
        values: dict[str, Any] = {
            "kind": Kind.COUNCIL,
            "seats": self.seats("Skeptic", "Teacher", "Poet"),
            "closer": self.seats("Chair")[0],
        }
        return self.begin(**(values | changes))

    def begin(self, **values: Any) -> Discussion:
        draft = DiscussionDraft(**({"post_id": self.evening.world.post_id} | values))
        with self.database.transaction() as connection:
            return begin(connection, draft, owner_id=LOCAL_USER, now=clock.now())

    def stop(self, discussion: Discussion) -> Discussion:
        with self.database.transaction() as connection:
            return stop(connection, discussion.id, clock.now())

    def run(self, most: int = 50) -> int:
        """Let the worker run what there is; how many LLM requests that were."""
        number = 0
        while number < most and self.evening.run():
            number += 1
        return number

    def tend(self) -> int:
        return tend_discussions(self.database, clock.now())

    def get(self, discussion: Discussion) -> Discussion:
        with self.database.read() as connection:
            return store.get_discussion(connection, discussion.id)

    def steps(self, discussion: Discussion, kind: StepKind | None = None) -> list[Step]:
        with self.database.read() as connection:
            found = store.list_steps(connection, discussion.id)
        return [step for step in found if kind is None or step.kind is kind]

    def texts(self) -> list[str]:
        return [post.content for post in self.evening.posts()][1:]

    def retry(self, step: Step) -> None:
        with self.database.transaction() as connection:
            retry_llm_request(connection, step.llm_request_id, clock.now())

    def delete_persona(self, name: str) -> None:
        self.evening.change("personas", self.ids[name], deleted_at=clock.now())

    def count(self, table: str) -> int:
        with self.database.read() as connection:
            return len(connection.execute(metadata.tables[table].select()).all())
