"""Quoting a post in a reply. Pure.

The first line of a quote names who is quoted and links the post: ``> **Skeptic** [#12](/posts/12):``. It is the format
that back-links are read from.
"""

import re

from forllm_server.forum.model import Post

#: Of a longer post only the beginning is quoted whole; who needs more selects it.
LONGEST_QUOTE = 4_000

_SPECIAL = re.compile(r"([\\`*_\[\]<>@])")


def quote_post(post: Post) -> str:
    """A post's text as a quote, with a line to write on after it; empty for one that was deleted."""
    if post.is_deleted:
        return ""
    text = post.content.strip()
    if len(text) > LONGEST_QUOTE:
        text = text[:LONGEST_QUOTE].rstrip() + " …"
    # An empty line between, so that whatever the text begins with stays what it is.
    lines = [quote_head(post), "", *text.splitlines()]
    return "\n".join(f"> {line}".rstrip() for line in lines) + "\n\n"


def quote_head(post: Post) -> str:
    """Who is quoted, and where it stands."""
    name = _SPECIAL.sub(r"\\\1", post.author_name)
    return f"**{name}** [#{post.id}](/posts/{post.id}):"
