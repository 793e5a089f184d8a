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
    schedule,
    settings,
    subforum,
    topic,
    trash,
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
    persona.blueprint,
    schedule.blueprint,
    backend.blueprint,
    settings.blueprint,
    trash.blueprint,
    departure.blueprint,
)
