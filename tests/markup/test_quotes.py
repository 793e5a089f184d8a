"""Which posts a text quotes."""

from forllm_server.markup.quotes import quoted_post_ids


def test_the_head_of_a_quote_names_the_post() -> None:
    text = "> **Skeptic** [#12](/posts/12):\n>\n> One.\n> > **A** [#3](/posts/3):\n\nI disagree."
    assert quoted_post_ids(text) == {12, 3}


def test_a_mere_link_quotes_nothing() -> None:
    assert quoted_post_ids("See [#3](/posts/3):\n> as in [#4](/posts/4), and [#5](/posts/6):") == frozenset()
    assert quoted_post_ids("> [#1](/posts/" + "9" * 30 + "):") == frozenset()
    assert quoted_post_ids("> [#" * 5_000 + "](/posts/1):") == frozenset()
