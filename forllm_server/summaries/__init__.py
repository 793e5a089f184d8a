"""Summaries of long threads, of topics and of chosen replies: their versions, and whether they still hold."""
