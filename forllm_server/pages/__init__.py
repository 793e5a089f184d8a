"""The pages: one module a noun, one line a module in PAGES."""

from flask import Blueprint

from forllm_server.pages import (
    backend,
    departure,
    frame,
    home,
    persona,
    post,
    queue,
    queue_changes,
    queue_history,
    recurring,
    schedule,
    settings,
    subforum,
    topic,
    trash,
    worker,
    writing,
)

PAGES: tuple[Blueprint, ...] = (
    frame.blueprint,
    home.blueprint,
    subforum.blueprint,
    topic.blueprint,
    post.blueprint,
    writing.blueprint,
    queue.blueprint,
    queue_changes.blueprint,
    queue_history.blueprint,
    persona.blueprint,
    schedule.blueprint,
    worker.blueprint,
    recurring.blueprint,
    backend.blueprint,
    settings.blueprint,
    trash.blueprint,
    departure.blueprint,
)
