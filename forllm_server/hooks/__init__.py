"""Hooks: what happens here calls other programs, by a command or a webhook."""
