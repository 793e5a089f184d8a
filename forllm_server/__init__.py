"""FORLLM: a forum for local language models that answers overnight."""

__version__ = "0.1.0"
