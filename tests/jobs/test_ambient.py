"""Other branches of a topic in a prompt: off unless wanted, behind the thread, within their share."""

from typing import Any

import pytest

from forllm_server import clock
from forllm_server.forum.editing import add_reply, exclude_post
from forllm_server.jobs.previewing import Draft, estimate
from forllm_server.prompts.ambient import BEGINNING, END
from forllm_server.queue.model import Prompt
from forllm_server.settings.values import change_settings
from tests.jobs.conftest import Evening
from tests.support.world import LOCAL_USER


class Tree:
    """The first post with a way of three replies, and two other branches."""

    def __init__(self, evening: Evening) -> None:
        self.evening = evening
        first = evening.world.post_id
        self.way = [first]
        for number in range(3):
            self.way.append(self.reply(self.way[-1], f"way {number}"))
        self.far = [self.reply(first, "far one")]
        self.far.append(self.reply(self.far[0], "far two"))
        self.near = [self.reply(self.way[2], "near one")]
        self.far.append(self.reply(self.far[1], "far three"))

    def reply(self, parent_id: int, text: str) -> int:
        with self.evening.database.transaction() as connection:
            return add_reply(connection, owner_id=LOCAL_USER, parent_id=parent_id, content=text, now=clock.now()).id

    def prompt(self, **wish: Any) -> Prompt:
        asked = self.evening.ask(**({"post_id": self.way[-1], "is_another": True} | wish))
        assert self.evening.run()
        return self.evening.prompt(asked)


@pytest.fixture
def tree(evening: Evening) -> Tree:
    return Tree(evening)


def settle(evening: Evening, **settings: object) -> None:
    with evening.database.transaction() as connection:
        change_settings(connection, settings, clock.now())


def sent(prompt: Prompt) -> str:
    return "\n".join(f"<{message['role']}>{message['content']}" for message in prompt.messages)


def test_by_default_a_model_sees_nothing_of_other_branches(tree: Tree) -> None:
    prompt = tree.prompt()
    assert prompt.breakdown["ambient_post_ids"] == []
    assert "far" not in sent(prompt)
    assert BEGINNING not in sent(prompt)


def test_the_newest_posts_of_each_branch_are_given_and_labelled(tree: Tree) -> None:
    settle(tree.evening, ambient="newest")
    prompt = tree.prompt()
    assert prompt.breakdown["ambient_post_ids"] == sorted([*tree.far[1:], *tree.near])
    assert prompt.breakdown["ambient_tokens"] > 0
    assert prompt.breakdown["is_complete"]
    text = sent(prompt)
    assert "You wrote in another branch:\n\nfar three" in text
    assert "far one" not in text
    assert text.endswith(f"{END}\n\nway 2")


def test_the_nearest_go_first_where_few_are_wanted_and_a_persona_may_have_it_otherwise(tree: Tree) -> None:
    settle(tree.evening, ambient="newest", ambient_posts=1)
    assert tree.prompt().breakdown["ambient_post_ids"] == [tree.far[2]]
    assert tree.prompt(parameters={"ambient": "nearest"}).breakdown["ambient_post_ids"] == tree.near
    assert tree.prompt(parameters={"ambient": "off"}).breakdown["ambient_post_ids"] == []


def test_what_prompts_share_is_as_long_with_other_branches_as_without(tree: Tree) -> None:
    without = sent(tree.prompt())
    settle(tree.evening, ambient="newest")
    given = sent(tree.prompt())
    beginning = without[: without.rindex("way 2")]
    assert given.startswith(beginning)
    tree.reply(tree.far[0], "news from afar")
    later = sent(tree.prompt())
    assert "news from afar" in later
    assert later.startswith(beginning)


def test_several_personas_asked_about_one_post_do_not_see_each_others_answers(tree: Tree) -> None:
    settle(tree.evening, ambient="newest")
    first = tree.prompt()
    second = tree.prompt()
    assert "Hello, world." not in sent(second)
    assert first.messages == second.messages


def test_posts_kept_from_models_and_posts_too_long_for_their_share_are_left_out(tree: Tree) -> None:
    settle(tree.evening, ambient="newest", ambient_percent=10)
    with tree.evening.database.transaction() as connection:
        exclude_post(connection, tree.near[0], is_excluded=True)
    tree.reply(tree.way[1], "word " * 400)
    prompt = tree.prompt()
    assert prompt.breakdown["ambient_post_ids"] == sorted(tree.far[1:])
    assert prompt.breakdown["ambient_tokens"] <= (4096 - 1024) // 10


def test_the_thread_goes_first_and_is_laid_out_as_it_would_be_without(tree: Tree) -> None:
    for _ in range(6):
        tree.way.append(tree.reply(tree.way[-1], "long " * 370))
    settle(tree.evening, summaries="off")
    without = tree.prompt()
    settle(tree.evening, ambient="newest", ambient_percent=90)
    given = tree.prompt()
    for name in ("omitted_post_ids", "ancestor_tokens", "post_tokens"):
        assert given.breakdown[name] == without.breakdown[name]
    assert given.breakdown["prompt_tokens"] <= 4096 - 1024


def test_the_bar_beside_the_editor_counts_them_too(tree: Tree) -> None:
    settle(tree.evening, ambient="nearest")
    with tree.evening.database.read() as connection:
        below = estimate(connection, Draft("And now?", parent_id=tree.way[1]))
        at_the_end = estimate(connection, Draft("And now?", parent_id=tree.way[3]))
    assert below.breakdown is not None
    assert at_the_end.breakdown is not None
    # A new reply to the second post stands beside what answers it.
    assert set(below.breakdown.ambient_post_ids) & {tree.way[3], tree.near[0]}
    assert set(at_the_end.breakdown.ambient_post_ids) == {*tree.far[1:], *tree.near}
