"""Bytes into lines, lines into events: server-sent events and newline-delimited JSON. Pure."""

from collections.abc import Iterator

from forllm_server.backends.faults import AnswerTooLarge


class LineSplitter:
    """Splits a byte stream at LF, CRLF or CR, and decodes whole lines, so that no character is ever split.

    Bytes that are not UTF-8 become U+FFFD. A line longer than `max_bytes` raises AnswerTooLarge.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._rest = bytearray()
        self._ends_in_return = False

    def feed(self, block: bytes) -> Iterator[str]:
        """The lines that this block completes."""
        if self._ends_in_return and block.startswith(b"\n"):
            block = block[1:]
        if block:
            self._ends_in_return = block.endswith(b"\r")
        *whole, rest = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for line in whole:
            self._append(line)
            yield self._take()
        self._append(rest)

    def end(self) -> Iterator[str]:
        """What is left when the stream ends without a line end."""
        if self._rest:
            yield self._take()

    def _append(self, piece: bytes) -> None:
        if len(self._rest) + len(piece) > self._max_bytes:
            self._rest.clear()
            raise AnswerTooLarge("The model server sent a line that is too long, and was cut off.")
        self._rest += piece

    def _take(self) -> str:
        line = self._rest.decode("utf-8", "replace")
        self._rest.clear()
        return line


class EventParser:
    """Server-sent events (WHATWG HTML 9.2.6), of which only the data matters here.

    A comment or an event without data comes out as an empty string: a sign of life.
    """

    def __init__(self, max_characters: int) -> None:
        self._max_characters = max_characters
        self._data: list[str] = []
        self._size = 0
        #: no line of the stream has come yet that says anything
        self.is_fresh = True

    def feed(self, line: str) -> Iterator[str]:
        """The events that this line completes."""
        if not line:
            yield from self.end()
            return
        self.is_fresh = False
        name, _, value = line.partition(":")
        if name == "data":
            value = value.removeprefix(" ")
            self._size += len(value) + 1
            if self._size > self._max_characters:
                raise AnswerTooLarge("The model server sent an event that is too long, and was cut off.")
            self._data.append(value)
        else:
            yield ""

    def end(self) -> Iterator[str]:
        """The event that an end without an empty line leaves: the standard drops it, a last answer should not be."""
        if self._data:
            data = "\n".join(self._data)
            self._data.clear()
            self._size = 0
            yield data
