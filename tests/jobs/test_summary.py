"""A long thread is summed up, models get the summary in place of what does not fit, and never one that is not true."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from forllm_server import clock
from forllm_server.errors import Conflict, Invalid, NotFound
from forllm_server.forum.editing import add_reply, delete_post, edit_post, exclude_post
from forllm_server.forum.topics import delete_topic
from forllm_server.forum.trash import purge_trash
from forllm_server.jobs.summarising import AskedSummary, Wanted, ask_again, ask_summary, write_by_hand
from forllm_server.queue.llm_request_store import get_llm_request, list_llm_requests
from forllm_server.queue.model import Cause, LlmRequest, Status
from forllm_server.settings.values import change_settings
from forllm_server.summaries import summary_store
from forllm_server.summaries.editing import remove_summary, restore_version
from forllm_server.summaries.model import Change, Summary, SummaryAuthor, SummaryScope
from tests.jobs.conftest import Evening
from tests.support.scripted_server import Script, ScriptedServer
from tests.support.world import LOCAL_USER

#: 1,600 characters are 400 tokens of the scripted server.
LONG = "raid " * 320
SAID = "They weighed ZFS against Btrfs; nothing is decided."


class Thread:
    """A chain of replies below the world's first post."""

    def __init__(self, evening: Evening, length: int, text: str = LONG) -> None:
        self.evening = evening
        self.ids = [evening.world.post_id]
        self.grow(length, text)

    def grow(self, length: int, text: str = LONG) -> None:
        with self.evening.database.transaction() as connection:
            for _ in range(length):
                self.ids.append(self.reply(connection, self.ids[-1], f"{len(self.ids)}: {text}"))

    @staticmethod
    def reply(connection: Connection, parent_id: int, text: str) -> int:
        return add_reply(connection, owner_id=LOCAL_USER, parent_id=parent_id, content=text, now=clock.now()).id

    def ask(self, scope: SummaryScope, post_id: int, *post_ids: int) -> AskedSummary:
        with self.evening.database.transaction() as connection:
            return ask_summary(connection, Wanted(LOCAL_USER, scope, post_id, post_ids), clock.now())

    def sum_up(self, until: int, text: str = SAID) -> Summary:
        """A summary of the way to the post that many replies down, written."""
        asked = self.ask(SummaryScope.WAY, self.ids[until])
        self.write(text)
        return self.get(asked.summary_id)

    def write(self, text: str) -> None:
        """Have the next LLM request answered so, in each of its steps."""
        usual, self.evening.server.default = self.evening.server.default, Script(tokens=(text,))
        assert self.evening.run()
        self.evening.server.default = usual

    def get(self, summary_id: int) -> Summary:
        with self.evening.database.read() as connection:
            return summary_store.get_summary(connection, summary_id)

    def changes(self, summary: Summary) -> list[Change | None]:
        assert summary.version is not None
        with self.evening.database.read() as connection:
            coverage = summary_store.list_coverage(connection, [summary.version.id])[summary.version.id]
        return [post.change for post in coverage.changes]

    def prompt_for_last(self) -> tuple[dict[str, object], str]:
        """The breakdown of a question about the newest post, and all the text that was sent."""
        asked = self.evening.ask(post_id=self.ids[-1], is_another=True)
        assert self.evening.run()
        prompt = self.evening.prompt(asked)
        return dict(prompt.breakdown), "\n".join(message["content"] for message in prompt.messages)

    def requests(self) -> list[LlmRequest]:
        with self.evening.database.read() as connection:
            return [each for each in list_llm_requests(connection, limit=50) if each.kind == "summary"]


def settle(evening: Evening, **settings: object) -> None:
    with evening.database.transaction() as connection:
        change_settings(connection, settings, clock.now())


def test_a_thread_that_no_longer_fits_is_summed_up_and_the_next_prompt_has_the_summary(evening: Evening) -> None:
    thread = Thread(evening, 9)
    breakdown, _ = thread.prompt_for_last()
    assert breakdown["omitted_post_ids"] == thread.ids[1:3]
    (asked,) = thread.requests()
    assert (asked.status, asked.model_name, asked.lane) == (Status.QUEUED, "qwen3:8b", "night")
    thread.write(f"**Summary:** {SAID}")
    breakdown, text = thread.prompt_for_last()
    summary = thread.get(asked.input["summary_id"])
    assert summary.version is not None
    assert (summary.version.content, summary.version.number) == (SAID, 1)
    until = thread.ids.index(summary.anchor_post_id)
    assert breakdown["summary"] == {"id": summary.id, "version": 1, "post_ids": thread.ids[1 : until + 1]}
    assert breakdown["omitted_post_ids"] == []
    assert breakdown["is_complete"] is False
    assert f"[{until} earlier posts are given here as a summary, to fit:]\n\n{SAID}" in text
    assert f"{until - 1}: raid" not in text
    assert f"{until + 1}: raid" in text
    parts = ("persona", "custom", "ancestor", "summary", "ambient", "post")
    assert sum(int(str(breakdown[f"{part}_tokens"])) for part in parts) == breakdown["prompt_tokens"]
    assert len(thread.requests()) == 1


def test_the_prompts_of_a_thread_that_grows_behind_its_summary_share_their_beginning(evening: Evening) -> None:
    settle(evening, summaries="off")
    thread = Thread(evening, 8)
    thread.sum_up(5)
    _, before = thread.prompt_for_last()
    thread.grow(1, text="short")
    breakdown, after = thread.prompt_for_last()
    assert breakdown["summary"] is not None
    assert after.startswith(before)


def test_a_thread_that_fits_is_sent_as_it_is(evening: Evening) -> None:
    thread = Thread(evening, 4, text="short")
    thread.sum_up(3, text="S")
    breakdown, text = thread.prompt_for_last()
    assert (breakdown["summary"], breakdown["is_complete"]) == (None, True)
    assert "3: short" in text


def test_the_next_version_goes_on_from_the_last_that_holds(evening: Evening) -> None:
    thread = Thread(evening, 9)
    first = thread.sum_up(4)
    second = thread.sum_up(7, text="They chose ZFS.")
    assert (second.id, second.current_number) == (first.id, 2)
    prompt = str(evening.server.chats[-1]["messages"])
    assert SAID in prompt
    assert "4: raid" not in prompt
    assert "5: raid" in prompt
    with evening.database.read() as connection:
        coverage = summary_store.list_coverage(connection, [second.version.id if second.version else 0])
    assert [each.post_ids for each in coverage.values()] == [tuple(thread.ids[1:8])]


@pytest.mark.parametrize("change", [Change.EDITED, Change.DELETED, Change.EXCLUDED])
def test_a_summary_of_a_post_that_was_changed_since_is_not_used_and_is_made_again(
    evening: Evening, change: Change
) -> None:
    thread = Thread(evening, 9)
    summary = thread.sum_up(5)
    with evening.database.transaction() as connection:
        if change is Change.EDITED:
            edit_post(connection, thread.ids[2], editor_id=LOCAL_USER, content=LONG + "no", now=clock.now())
        elif change is Change.DELETED:
            delete_post(connection, thread.ids[2], clock.now())
        else:
            exclude_post(connection, thread.ids[2], is_excluded=True)
    assert thread.changes(summary) == [change]
    breakdown, text = thread.prompt_for_last()
    assert breakdown["summary"] is None
    assert SAID not in text
    again = thread.requests()[0]
    assert (again.status, again.input["summary_id"]) == (Status.QUEUED, summary.id)
    thread.write("Anew.")
    assert thread.changes(thread.get(summary.id)) == []
    assert SAID not in str(evening.server.chats[-1]["messages"])


def test_a_post_that_is_shown_to_models_again_makes_it_stale_and_one_that_stays_hidden_does_not(
    evening: Evening,
) -> None:
    thread = Thread(evening, 9)
    with evening.database.transaction() as connection:
        exclude_post(connection, thread.ids[2], is_excluded=True)
    summary = thread.sum_up(5)
    assert thread.changes(summary) == []
    with evening.database.transaction() as connection:
        exclude_post(connection, thread.ids[2], is_excluded=False)
    assert thread.changes(summary) == [Change.SHOWN]


def test_a_summary_that_was_cut_off_twice_is_not_kept(evening: Evening) -> None:
    thread = Thread(evening, 9)
    asked = thread.ask(SummaryScope.WAY, thread.ids[5])
    cut = Script(tokens=("They", " weighed"), finish_reason="length")
    evening.server.script(cut, cut)
    assert evening.run()
    with evening.database.read() as connection:
        failed = get_llm_request(connection, asked.request.id)
    assert (failed.status, failed.cause) == (Status.FAILED, Cause.ERROR)
    assert "cut off twice at 682 tokens" in str(failed.cause_detail)
    assert thread.get(asked.summary_id).version is None
    assert "became too long" in str(evening.server.chats[-1]["messages"])
    with evening.database.transaction() as connection:
        write_by_hand(connection, asked.summary_id, content="My own.", editor_id=LOCAL_USER, now=clock.now())
    breakdown, _ = thread.prompt_for_last()
    assert breakdown["summary"] == {"id": asked.summary_id, "version": 1, "post_ids": thread.ids[1:6]}


def test_a_summary_that_is_no_shorter_or_says_nothing_is_not_kept(evening: Evening) -> None:
    thread = Thread(evening, 4, text="short")
    for words in ("It is rather short, but told at length, of no use to anybody. " * 3, "***", "Summary:\n"):
        asked = thread.ask(SummaryScope.WAY, thread.ids[3])
        evening.server.script(Script(tokens=(words,)), Script(tokens=(words,)))
        assert evening.run()
        assert thread.requests()[0].status is Status.FAILED
        assert thread.get(asked.summary_id).version is None


def test_after_a_failure_it_is_not_tried_by_itself_at_once(evening: Evening) -> None:
    thread = Thread(evening, 9)
    thread.prompt_for_last()
    evening.server.script(Script(tokens=("***",)), Script(tokens=("***",)))
    assert evening.run()
    thread.prompt_for_last()
    assert len(thread.requests()) == 1
    evening.change("llm_requests", thread.requests()[0].id, finished_at=clock.now() - timedelta(hours=21))
    thread.prompt_for_last()
    assert len(thread.requests()) == 2


def test_what_is_too_long_for_one_prompt_is_summed_up_in_steps(evening: Evening, server: ScriptedServer) -> None:
    thread = Thread(evening, 9, text=LONG * 2)
    summary = thread.sum_up(9, text="Step.")
    assert summary.version is not None
    assert summary.version.content == "Step."
    prompts = [str(chat["messages"]) for chat in server.chats]
    assert len(prompts) > 3
    assert "Step." not in prompts[0]
    assert all("Step." in prompt for prompt in prompts[1:])
    (request,) = thread.requests()
    assert request.usage is not None
    assert request.usage["steps"] == len(prompts)


def test_steps_that_were_done_are_not_done_again(evening: Evening, server: ScriptedServer) -> None:
    thread = Thread(evening, 9, text=LONG * 2)
    asked = thread.ask(SummaryScope.WAY, thread.ids[9])
    cut = Script(tokens=("x",), finish_reason="length")
    server.script(Script(tokens=("One.",)), Script(tokens=("Two.",)), cut, cut)
    assert evening.run()
    held = thread.get(asked.summary_id).progress
    assert held is not None
    assert (held["done"], held["text"]) == (2, "Two.")
    evening.change("llm_requests", asked.request.id, status="queued", finished_at=None, attempts=0)
    before = len(server.chats)
    thread.write("Rest.")
    assert "Two." in str(server.chats[before]["messages"])
    summary = thread.get(asked.summary_id)
    assert summary.version is not None
    assert (summary.version.content, summary.progress) == ("Rest.", None)


def test_one_post_longer_than_the_context_is_read_in_pieces(evening: Evening, server: ScriptedServer) -> None:
    thread = Thread(evening, 2, text="word " * 8_000)
    summary = thread.sum_up(2)
    assert len(server.chats) > 5
    assert thread.get(summary.id).version is not None


def test_a_model_that_is_too_small_says_so(evening: Evening) -> None:
    thread = Thread(evening, 4)
    evening.change("models", evening.world.model_id, context_tokens=900)
    asked = thread.ask(SummaryScope.WAY, thread.ids[3])
    assert evening.run()
    with evening.database.read() as connection:
        failed = get_llm_request(connection, asked.request.id)
    assert (failed.status, failed.cause) == (Status.FAILED, Cause.PROMPT_TOO_LONG)
    assert "too small to sum this up" in str(failed.cause_detail)


def test_there_must_be_something_to_sum_up(evening: Evening) -> None:
    thread = Thread(evening, 1)
    for scope, post_id in (
        (SummaryScope.WAY, thread.ids[0]),
        (SummaryScope.WAY, thread.ids[1]),
        (SummaryScope.REPLIES, thread.ids[0]),
        (SummaryScope.REPLIES, thread.ids[1]),
    ):
        with pytest.raises(Invalid, match="There is nothing to sum up"):
            thread.ask(scope, post_id)
    with pytest.raises(Invalid, match="replies to this very post"):
        thread.ask(SummaryScope.REPLIES, thread.ids[1], thread.ids[0])
    with pytest.raises(NotFound):
        thread.ask(SummaryScope.TOPIC, 10_000)


def test_a_topic_deleted_meanwhile_gets_no_summary(evening: Evening) -> None:
    thread = Thread(evening, 3)
    asked = thread.ask(SummaryScope.TOPIC, thread.ids[0])
    with evening.database.transaction() as connection:
        delete_topic(connection, evening.world.topic_id, clock.now())
    evening.run()
    with evening.database.read() as connection:
        ended = get_llm_request(connection, asked.request.id)
    assert ended.status in (Status.FAILED, Status.CANCELLED)
    assert summary_version_count(evening) == 0


def summary_version_count(evening: Evening) -> int:
    with evening.database.read() as connection:
        return len(summary_store.list_versions(connection, 1))


def test_asked_twice_it_is_written_once(evening: Evening) -> None:
    thread = Thread(evening, 4)
    first, second = (thread.ask(SummaryScope.WAY, thread.ids[3]) for _ in range(2))
    assert (first.is_new, second.is_new) == (True, False)
    assert (first.summary_id, first.request.id) == (second.summary_id, second.request.id)


def test_replies_and_topics_are_summed_up_for_people_and_not_given_to_models(evening: Evening) -> None:
    thread = Thread(evening, 9)
    with evening.database.transaction() as connection:
        chosen = [thread.reply(connection, thread.ids[0], f"Reply {number}.") for number in range(3)]
    of_replies = thread.ask(SummaryScope.REPLIES, thread.ids[0], chosen[0], chosen[2])
    of_topic = thread.ask(SummaryScope.TOPIC, thread.ids[0])
    thread.write("Two replies.")
    prompt = str(evening.server.chats[0]["messages"])
    assert "Reply 0." in prompt
    assert "Reply 1." not in prompt
    assert "what the replies have in common" in prompt
    thread.write("The topic.")
    contents = [thread.get(each.summary_id).version for each in (of_replies, of_topic)]
    assert [version.content for version in contents if version] == ["Two replies.", "The topic."]
    breakdown, _ = thread.prompt_for_last()
    assert breakdown["summary"] is None


def test_by_hand_it_counts_as_true_to_the_posts_as_they_are_now(evening: Evening) -> None:
    thread = Thread(evening, 9)
    summary = thread.sum_up(5)
    with evening.database.transaction() as connection:
        edit_post(connection, thread.ids[2], editor_id=LOCAL_USER, content="other", now=clock.now())
        written = write_by_hand(connection, summary.id, content="My own.", editor_id=LOCAL_USER, now=clock.now())
    assert (written.number, written.author) == (2, SummaryAuthor.PERSON)
    assert thread.changes(thread.get(summary.id)) == []
    with (
        evening.database.transaction() as connection,
        pytest.raises(Conflict, match="Version 2 was made while you edited"),
    ):
        write_by_hand(connection, summary.id, content="Late.", editor_id=LOCAL_USER, now=clock.now(), expected_number=1)
    for empty in ("", " \n", "\u200b"):
        with evening.database.transaction() as connection, pytest.raises(Invalid):
            write_by_hand(connection, summary.id, content=empty, editor_id=LOCAL_USER, now=clock.now())
    with evening.database.transaction() as connection:
        restored = restore_version(connection, summary.id, 1, editor_id=LOCAL_USER, now=clock.now())
    assert (restored.number, restored.content, restored.note) == (3, SAID, "as version 1 was")
    assert thread.changes(thread.get(summary.id)) == [Change.EDITED]


def test_a_persons_text_is_not_replaced_by_what_a_model_wrote_meanwhile(
    evening: Evening, server: ScriptedServer
) -> None:
    thread = Thread(evening, 9)
    summary = thread.sum_up(4)
    asked = thread.ask(SummaryScope.WAY, thread.ids[7])

    def answer(_body: dict[str, object]) -> Script:
        with evening.database.transaction() as connection:
            write_by_hand(connection, summary.id, content="My own.", editor_id=LOCAL_USER, now=clock.now())
        return Script(tokens=("The model's.",))

    server.answer = answer
    assert evening.run()
    server.answer = None
    with evening.database.read() as connection:
        failed = get_llm_request(connection, asked.request.id)
    assert "changed by hand while the model wrote" in str(failed.cause_detail)
    held = thread.get(summary.id).version
    assert held is not None
    assert held.content == "My own."


def test_a_removed_summary_is_neither_used_nor_made_by_itself_again(evening: Evening) -> None:
    thread = Thread(evening, 9)
    summary = thread.sum_up(5)
    with evening.database.transaction() as connection:
        remove_summary(connection, summary.id, clock.now())
    breakdown, _ = thread.prompt_for_last()
    assert breakdown["summary"] is None
    assert len(thread.requests()) == 1


def test_what_is_still_to_be_written_of_a_removed_summary_is_called_off(evening: Evening) -> None:
    thread = Thread(evening, 4)
    asked = thread.ask(SummaryScope.WAY, thread.ids[-1])
    with evening.database.transaction() as connection:
        remove_summary(connection, asked.summary_id, clock.now())
    assert [each.status for each in thread.requests()] == [Status.CANCELLED]
    assert not evening.run()


def test_a_persona_that_takes_no_summaries_gets_the_posts_alone(evening: Evening) -> None:
    thread = Thread(evening, 9)
    thread.sum_up(5)
    asked = evening.ask(post_id=thread.ids[-1], parameters={"takes_summaries": False})
    evening.run()
    assert evening.prompt(asked).breakdown["summary"] is None
    assert len(thread.requests()) == 1


def test_made_again_it_is_written_from_the_posts_alone(evening: Evening) -> None:
    thread = Thread(evening, 9)
    summary = thread.sum_up(5)
    with evening.database.transaction() as connection:
        ask_again(connection, summary.id, owner_id=LOCAL_USER, now=clock.now())
    thread.write("Anew.")
    assert thread.get(summary.id).current_number == 2
    assert SAID not in str(evening.server.chats[-1]["messages"])


def test_what_is_erased_for_good_is_erased_from_summaries(evening: Evening) -> None:
    thread = Thread(evening, 9)
    summary = thread.sum_up(5)
    thread.sum_up(7, text="Both.")
    with evening.database.transaction() as connection:
        delete_post(connection, thread.ids[6], clock.now())
        purge_trash(connection, older_than_days=0, now=clock.now() + timedelta(seconds=1))
        assert summary_store.delete_erased(connection) == 1
        assert summary_store.delete_erased(connection) == 0
    kept = thread.get(summary.id)
    assert kept.version is not None
    assert (kept.version.number, kept.version.content) == (1, SAID)
