"""Batches: a table of lines and a template, asked of several personas and models. Knows no queue and no forum."""
