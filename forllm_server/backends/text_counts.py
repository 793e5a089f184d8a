"""How many tokens texts have, as a server has told, kept for a while."""

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b

from forllm_server import clock

#: Some hundred threads; each text takes about 150 bytes here, however long it is.
MOST_TEXTS = 8192
#: Then it is asked again: another model may stand behind the same name.
FRESH_SECONDS = 900.0


class TextCounts:
    """Safe to use from any thread: two that ask for the same text at once may both count it."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, bytes], tuple[float, int]] = OrderedDict()

    def get(self, model: str, text: str, count: Callable[[], int | None]) -> int | None:
        """What ``count`` told of this text not long ago, or tells now; None is not kept."""
        key = (model, blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest())
        now = clock.monotonic()
        known = self._known.get(key)
        if known is not None and now - known[0] < FRESH_SECONDS:
            return known[1]
        number = count()
        if number is not None:
            self._known.pop(key, None)
            self._known[key] = (now, number)
            while len(self._known) > MOST_TEXTS:
                self._known.popitem(last=False)
        return number
