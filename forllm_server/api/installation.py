"""Putting the API into the application."""

from collections.abc import Sequence

from flask import Blueprint, Flask

from forllm_server import __version__
from forllm_server.api import (
    activity,
    assignments,
    attachments,
    backends,
    batches,
    causes,
    discussions,
    documentation,
    drafts,
    experiments,
    hooks,
    llm_requests,
    models,
    mornings,
    notifications,
    persona_drafts,
    persona_files,
    personas,
    posts,
    prompt_estimates,
    queue,
    recent,
    recurring_topics,
    schedule,
    search,
    settings,
    subforums,
    summaries,
    tags,
    topics,
    trash,
    votes,
    workers,
)
from forllm_server.api.contract import PREFIX, Api

NOUNS = (
    *(subforums, assignments, topics, tags, posts, attachments, drafts, trash, search, personas),
    *(persona_files, persona_drafts),
    *(llm_requests, queue, workers, prompt_estimates, schedule, recurring_topics, batches, experiments),
    *(discussions, backends),
    *(models, settings),
    *(mornings, notifications, hooks, activity, recent, votes),
    summaries,
)


def install(app: Flask) -> Sequence[Blueprint]:
    """Register every noun and its description; returns the blueprints that take JSON instead of forms."""
    app.config.update(
        API_TITLE="FORLLM",
        API_VERSION=__version__,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX=PREFIX,
        OPENAPI_JSON_PATH="openapi.json",
    )
    causes.install(app)
    api = Api(app, spec_kwargs={"info": {"description": "A forum for local language models. See docs/api.md."}})
    for noun in NOUNS:
        api.register_blueprint(noun.blueprint)
    app.register_blueprint(documentation.blueprint)
    return [noun.blueprint for noun in NOUNS]
