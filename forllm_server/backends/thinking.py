"""What a model thinks aloud, kept apart from what it says; and characters that no store can hold, mended. Pure."""

from collections.abc import Iterator

from forllm_server.backends.base import Chunk

_OPENINGS = ("<think>", "<thinking>")
_CLOSINGS = ("</think>", "</thinking>")
_FENCE = "```"
#: so much blank space before an answer is not followed by thinking any more
_LONGEST_LEAD = 1000


class CharacterMender:
    """Joins surrogate pairs that a server split over two pieces; lone surrogates and NUL become U+FFFD."""

    def __init__(self) -> None:
        self._high = ""

    def feed(self, text: str) -> str:
        """The text that is certain by now."""
        text = self._high + text
        self._high = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._high = text[:-1], text[-1]
        return mend(text)

    def end(self) -> str:
        """What was held back."""
        held, self._high = self._high, ""
        return mend(held)


def mend(text: str) -> str:
    """The text with surrogate pairs joined, and lone surrogates and NUL replaced by U+FFFD."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


class ThinkingSplitter:
    """Takes `<think>…</think>` at the start of an answer out of it, also when the tags come in pieces.

    Some chat templates open the thinking in the prompt, so that only `</think>` arrives: then all text before it was
    thinking, told by `Chunk.is_text_so_far_thinking`. That tag inside a code fence or in backticks is just text.
    """

    def __init__(self) -> None:
        self._state = "start"
        self._held = ""
        self._fences = 0
        self._tail = ""

    def feed(self, text: str) -> Iterator[Chunk]:
        """The chunks that are certain by now."""
        self._held += text
        while self._held:
            before = (self._state, len(self._held))
            yield from getattr(self, f"_{self._state}")()
            if before == (self._state, len(self._held)):
                return

    def end(self) -> Iterator[Chunk]:
        """What was held back because it could have been a tag."""
        held, self._held = self._held, ""
        if held:
            yield Chunk(thinking=held) if self._state == "thinking" else Chunk(text=held)

    def _start(self) -> Iterator[Chunk]:
        lead = self._held.lstrip()
        for opening in _OPENINGS:
            if lead.startswith(opening):
                self._held, self._state = lead[len(opening) :], "thinking"
                return
        if len(self._held) > _LONGEST_LEAD or not any(opening.startswith(lead) for opening in _OPENINGS):
            self._state = "text"
        yield from ()

    def _thinking(self) -> Iterator[Chunk]:
        place, tag = _find(self._held, _CLOSINGS)
        if tag:
            thought, self._held, self._state = self._held[:place], self._held[place + len(tag) :], "gap"
        else:
            keep = _partial(self._held, _CLOSINGS)
            thought, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        if thought:
            yield Chunk(thinking=thought)

    def _gap(self) -> Iterator[Chunk]:
        self._held = self._held.lstrip()
        if self._held:
            self._state = "plain"
        yield from ()

    def _plain(self) -> Iterator[Chunk]:
        text, self._held = self._held, ""
        yield Chunk(text=text)

    def _text(self) -> Iterator[Chunk]:
        place, tag = _find(self._held, _CLOSINGS)
        if not tag:
            keep = _partial(self._held, _CLOSINGS)
            yield from self._say(len(self._held) - keep)
            return
        yield from self._say(place)
        if self._fences % 2 or self._tail.endswith("`"):
            yield from self._say(len(tag))
            return
        self._held, self._state = self._held[len(tag) :], "gap"
        yield Chunk(is_text_so_far_thinking=True)

    def _say(self, length: int) -> Iterator[Chunk]:
        text, self._held = self._held[:length], self._held[length:]
        if text:
            seen = self._tail + text
            self._fences += seen.count(_FENCE)
            # A fence counted now must not be counted again with its last backticks, nor one missed across pieces.
            self._tail = "`" * min(2, len(seen) - len(seen.rstrip("`"))) if not seen.endswith(_FENCE) else ""
            yield Chunk(text=text)


def _find(text: str, tags: tuple[str, ...]) -> tuple[int, str]:
    places = [(text.find(tag), tag) for tag in tags if tag in text]
    return min(places) if places else (-1, "")


def _partial(text: str, tags: tuple[str, ...]) -> int:
    """How many characters at the end may be the beginning of a tag."""
    longest = max(len(tag) for tag in tags) - 1
    for length in range(min(longest, len(text)), 0, -1):
        if any(tag.startswith(text[-length:]) for tag in tags):
            return length
    return 0
