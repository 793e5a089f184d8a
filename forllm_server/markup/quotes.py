"""Which posts a text quotes: block quotes whose first line ends in a link to the post, ``[#12](/posts/12):``. Pure.

> **Skeptic** [#12](/posts/12):
>
> what it said
"""

import re

_HEAD = re.compile(r"^[ ]{0,3}>[^\n]*\[#(\d{1,18})\]\(/posts/\1\):?[ \t]*$", re.MULTILINE)
#: Everything that looks like a quote beyond so many is left out.
MOST_QUOTES = 50


def quoted_post_ids(source: str) -> frozenset[int]:
    """The ids of the posts that a text quotes. What is quoted inside a quote counts too."""
    if "](/posts/" not in source:
        return frozenset()
    return frozenset(int(post_id) for post_id in _HEAD.findall(source)[:MOST_QUOTES])
