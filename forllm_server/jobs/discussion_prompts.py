"""What a step of a discussion adds to the prompt of a reply: its task, and who of the thread is who.

It is made of what is stored when the step runs, and of nothing that changes while it waits or is interrupted: an answer
that was broken off is gone on with only under the very same prompt.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from forllm_server.discussions import discussion_store as store
from forllm_server.discussions.course import opinions_of, rankings_of
from forllm_server.discussions.model import Discussion, Step, StepKind
from forllm_server.discussions.ranking import Placed, result_of
from forllm_server.discussions.wording import Opinion, answer_task, opinion_task, summary_task, turn_task
from forllm_server.forum import post_store
from forllm_server.jobs.discussing import discussion_of
from forllm_server.jobs.prompting import Question
from forllm_server.prompts.thread import ThreadPost
from forllm_server.queue.job import Hopeless
from forllm_server.queue.model import Cause, LlmRequest


def as_discussed(connection: Connection, request: LlmRequest, question: Question) -> Question:
    """The question with the task of its step; as it is when the request is no step. Raises Hopeless."""
    discussion_id = discussion_of(request)
    if discussion_id is None:
        return question
    discussion = store.get_discussion(connection, discussion_id)
    steps = store.list_steps(connection, discussion_id)
    step = next((each for each in steps if each.llm_request_id == request.id), None)
    if step is None:
        return question
    match step.kind:
        case StepKind.TURN:
            seat = discussion.seat(step.seat)
            task = turn_task(discussion, seat, step.number, int(request.parameters["max_tokens"]))
            return replace(question, posts=_named(question, discussion, steps), task=task)
        case StepKind.SUMMARY:
            return replace(question, posts=_named(question, discussion, steps), task=summary_task(discussion))
        case StepKind.OPINION:
            return replace(question, task=opinion_task())
        case _:
            return replace(question, task=answer_task(_opinions(connection, discussion, steps)))


def result_of_steps(steps: Sequence[Step]) -> list[Placed]:
    """How a council ranked the opinions that are there; nothing before one ranking could be read."""
    rankings = rankings_of(steps)
    return result_of(rankings, opinions_of(steps).keys()) if rankings else []


def _named(question: Question, discussion: Discussion, steps: Sequence[Step]) -> tuple[ThreadPost, ...]:
    """The thread with the roles beside the names."""
    places = {step.post_id: step.seat for step in steps if step.kind is StepKind.TURN and step.post_id is not None}
    return tuple(
        replace(post, author_name=discussion.seat(places[post.post_id]).label) if post.post_id in places else post
        for post in question.posts
    )


def _opinions(connection: Connection, discussion: Discussion, steps: Sequence[Step]) -> list[Opinion]:
    """The best ranked first; in the order of their places where nobody ranked. Raises Hopeless."""
    found = opinions_of(steps)
    ids = [each.post_id or 0 for each in found.values()]
    posts = {post.id: post for post in post_store.list_posts(connection, ids)}
    placed = result_of(rankings_of(steps), found.keys())
    opinions = []
    for each in placed:
        post = posts.get(found[each.seat].post_id or 0)
        if post is not None and not post.is_deleted:
            words = f"{each.place} of {len(placed)}" if each.points is not None else "by nobody"
            opinions.append(Opinion(post.id, post.content, words))
    if not opinions:
        raise Hopeless("All opinions were deleted while this waited.", cause=Cause.SUBJECT_GONE)
    return opinions
