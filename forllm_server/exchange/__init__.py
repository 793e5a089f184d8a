"""Bringing things in and out: an original FORLLM's database, backups, and the demo forum.

Writes other rooms' nouns through their rules only, so that what is imported obeys what holds for everything else.
"""
