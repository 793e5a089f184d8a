"""Markdown, names and differences of texts: pure tools that know no forum word."""
