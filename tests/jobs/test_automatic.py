"""Automatic replies: asked by a person's post or by one another, never without end, and never by a name in a text."""

from datetime import timedelta
from typing import Any

import pytest

from forllm_server import clock
from forllm_server.discussions.automatic_store import find_automatic
from forllm_server.discussions.model import AutomaticEnding, AutomaticReplies
from forllm_server.errors import Invalid, TopicLocked
from forllm_server.forum.editing import add_reply
from forllm_server.jobs.automatic import ask_automatic, next_persona, turn_off, turn_on
from forllm_server.queue.model import LlmRequest
from tests.jobs.conftest import Evening
from tests.jobs.discussing_stage import Salon
from tests.support.scripted_server import Script
from tests.support.world import LOCAL_USER


class Porch(Salon):
    """A topic in which personas answer by themselves."""

    def on(self, *names: str, **changes: Any) -> None:
        values = {"is_each_other": False, "most_deep": 2, "most_replies": 20, "hours": 1} | changes
        ids = [self.ids[name] for name in names]
        with self.database.transaction() as connection:
            turn_on(
                connection,
                self.evening.world.topic_id,
                owner_id=LOCAL_USER,
                persona_ids=ids,
                now=clock.now(),
                **values,
            )

    def post(self, *, already: tuple[int, ...] = (), after: timedelta = timedelta()) -> list[LlmRequest]:
        with self.database.transaction() as connection:
            post = add_reply(
                connection,
                owner_id=LOCAL_USER,
                parent_id=self.evening.world.post_id,
                content="And now?",
                now=clock.now(),
            )
            return ask_automatic(connection, post, clock.now() + after, already=already)

    def found(self) -> AutomaticReplies:
        with self.database.read() as connection:
            found = find_automatic(connection, self.evening.world.topic_id)
        assert found is not None
        return found


@pytest.fixture
def porch(evening: Evening) -> Porch:
    porch = Porch(evening)
    evening.server.answer = lambda body: Script(tokens=("Well,", " @poet", "."))
    return porch


def test_they_are_off_unless_turned_on(porch: Porch) -> None:
    assert porch.post() == []


def test_each_answers_a_new_post_once(porch: Porch) -> None:
    porch.on("Skeptic", "Teacher")
    assert [request.persona_id for request in porch.post()] == [porch.ids["Skeptic"], porch.ids["Teacher"]]
    assert porch.run() == 2
    assert porch.found().asked_count == 2
    assert len(porch.post(already=(porch.ids["Skeptic"],))) == 1


def test_they_answer_one_another_in_turns_and_no_deeper_than_allowed(porch: Porch) -> None:
    porch.on("Skeptic", "Teacher", is_each_other=True, most_deep=3)
    porch.post(already=(porch.ids["Teacher"],))
    assert porch.run() == 3
    names = [post.author_name for post in porch.evening.posts()]
    assert names == ["You", "You", "Skeptic", "Teacher", "Skeptic"]
    assert porch.found().is_on


def test_the_count_ends_them(porch: Porch) -> None:
    porch.on("Skeptic", "Teacher", is_each_other=True, most_deep=10, most_replies=4)
    porch.post()
    assert porch.run() == 4
    assert (porch.found().ending, porch.found().asked_count) == (AutomaticEnding.COUNT, 4)
    assert porch.post() == []


def test_the_time_ends_them(porch: Porch) -> None:
    porch.on("Skeptic", hours=1)
    assert porch.post(after=timedelta(minutes=61)) == []
    assert porch.found().ending is AutomaticEnding.TIME
    assert porch.post() == []


def test_stop_ends_them_at_once(porch: Porch) -> None:
    porch.on("Skeptic", "Teacher", is_each_other=True, most_deep=10)
    porch.post()
    with porch.database.transaction() as connection:
        turn_off(connection, porch.evening.world.topic_id, clock.now())
    assert porch.run() == 2
    assert porch.found().ending is AutomaticEnding.STOPPED
    porch.on("Skeptic")
    assert (porch.found().is_on, porch.found().asked_count) == (True, 0)


def test_a_lock_or_the_loss_of_all_personas_ends_them(porch: Porch) -> None:
    porch.on("Skeptic", "Teacher", is_each_other=True, most_deep=10)
    porch.post(already=(porch.ids["Teacher"],))
    porch.evening.change("topics", porch.evening.world.topic_id, is_locked=True)
    assert porch.run() == 1
    assert porch.found().ending is AutomaticEnding.LOCKED
    with pytest.raises(TopicLocked):
        porch.on("Skeptic")
    porch.evening.change("topics", porch.evening.world.topic_id, is_locked=False)
    porch.on("Skeptic")
    porch.delete_persona("Skeptic")
    assert porch.post() == []
    assert porch.found().ending is AutomaticEnding.NOBODY


@pytest.mark.parametrize(
    ("names", "changes"),
    [
        ((), {}),
        (("Skeptic",), {"is_each_other": True}),
        (("Skeptic",), {"most_deep": 0}),
        (("Skeptic",), {"most_replies": 0}),
        (("Skeptic",), {"hours": 0}),
    ],
)
def test_nonsense_is_refused(porch: Porch, names: tuple[str, ...], changes: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        porch.on(*names, **changes)


def test_nobody_answers_oneself() -> None:
    assert next_persona((1,), 1) is None
    assert next_persona((1, 2, 3), 3) == 1
    assert next_persona((1, 2), 9) is None
