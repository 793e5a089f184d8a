"""After a reply: whether its thread no longer fits, so that the older part of it is to be summed up tonight."""

import math

from sqlalchemy.exc import SQLAlchemyError

from forllm_server import log
from forllm_server.db import Database
from forllm_server.errors import ForllmError
from forllm_server.jobs.prompting import Question
from forllm_server.jobs.subject import ALONE, Subject
from forllm_server.jobs.summarising import ask_for_long_way
from forllm_server.prompts.assemble import Assembled
from forllm_server.prompts.budget import Breakdown
from forllm_server.prompts.shortening import end_of_summary
from forllm_server.prompts.tokens import DEFAULT_CHARACTERS_PER_TOKEN, TOKENS_PER_MESSAGE
from forllm_server.queue.job import Job
from forllm_server.summaries.wording import reply_tokens_for


def sum_up_if_long(database: Database, job: Job, subject: Subject, prompt: Assembled) -> None:
    """Ask for a summary where the next prompt of this thread would have to leave something out.

    The reply stands already: what goes wrong here must not touch it, and is tried again with the next one.
    """
    if job.request.input.get(ALONE) or job.request.parameters.get("takes_summaries") is False:
        return
    anchor_post_id = find_end(subject.question, prompt.breakdown, job.output_tokens, subject.model.characters_per_token)
    if anchor_post_id is None:
        return
    way = [post.post_id for post in subject.question.posts]
    try:
        with database.transaction() as connection:
            asked = ask_for_long_way(connection, way, anchor_post_id, near_model_id=subject.model.id, now=job.now())
    except (ForllmError, SQLAlchemyError) as error:
        log.event("summary.not_asked", level=log.WARNING, detail=str(error), **job.request.log_context())
        return
    if asked is not None and asked.is_new:
        log.event("summary.asked", summary=asked.summary_id, until_post=anchor_post_id, **job.request.log_context())


def find_end(
    question: Question, breakdown: Breakdown, answer_tokens: int, characters_per_token: float | None
) -> int | None:
    """The post up to which the way is to be summed up; None while all of it fits with the next question."""
    room = breakdown.context_tokens - breakdown.reply_tokens - breakdown.margin_tokens
    is_cut = bool(breakdown.omitted_post_ids or breakdown.left_out_count)
    next_tokens = breakdown.prompt_tokens - breakdown.ambient_tokens + answer_tokens + TOKENS_PER_MESSAGE
    if not is_cut and next_tokens <= room:
        return None
    per_token = characters_per_token or DEFAULT_CHARACTERS_PER_TOKEN
    tokens = [math.ceil(len(post.content) / per_token) + TOKENS_PER_MESSAGE for post in question.posts]
    summary_tokens = reply_tokens_for(breakdown.context_tokens)
    free = room - breakdown.persona_tokens - breakdown.custom_tokens - tokens[0] - summary_tokens
    # What was not even read stands behind the first post, and is covered in any case.
    fewest = 1 if question.left_out_count else 2
    end = end_of_summary([*tokens, answer_tokens], free_tokens=free, fewest=fewest)
    while end is not None and end >= fewest and _is_hidden(question, end):
        end -= 1
    return question.posts[end].post_id if end is not None and end >= fewest else None


def _is_hidden(question: Question, index: int) -> bool:
    return question.posts[index].is_deleted or question.posts[index].is_excluded
