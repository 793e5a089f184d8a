"""How many tokens a text has: by the server's own tokenizer where there is one, else by what was learned of a model."""

import math
from collections.abc import Callable

#: Characters per token before anything is known of a model. Low on purpose: English prose has about 4.2, code and
#: other languages fewer, and counting too many tokens only cuts a little early.
DEFAULT_CHARACTERS_PER_TOKEN = 3.3
#: What a chat template adds to each message: role marks and separators.
TOKENS_PER_MESSAGE = 8

#: Text to its exact number of tokens, or None when the server cannot tell.
Tokenizer = Callable[[str], int | None]


class TokenCounter:
    """Counts texts, and remembers whether all of its counts were exact."""

    def __init__(self, characters_per_token: float | None = None, tokenizer: Tokenizer | None = None) -> None:
        self._characters_per_token = characters_per_token or DEFAULT_CHARACTERS_PER_TOKEN
        self._tokenizer = tokenizer
        self._known: dict[str, int] = {}
        self.is_exact = tokenizer is not None

    def count(self, text: str) -> int:
        """Tokens in ``text``, without what a message adds."""
        if not text:
            return 0
        if text not in self._known:
            self._known[text] = self._count(text)
        return self._known[text]

    def _count(self, text: str) -> int:
        exact = self._tokenizer(text) if self._tokenizer is not None else None
        if exact is not None:
            return exact
        self.is_exact = False
        return math.ceil(len(text) / self._characters_per_token)
