"""Reading Server-Sent Events, see the WHATWG's HTML standard, section 9.2.6. Nothing here talks to the network."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from client.errors import UnexpectedReply

MEDIA_TYPE = "text/event-stream"

#: Of one event, in characters; a record has about a thousand.
MOST_CHARACTERS = 1_048_576

# A carriage return that comes last may be the first half of a line's end.
_LINE_END = re.compile(r"\r\n|\n|\r(?!\Z)")


@dataclass(frozen=True)
class Event:
    """One event. `id` is the last one that was sent with this event or before it."""

    name: str
    data: str
    id: str


class EventReader:
    """Makes events of the parts of one stream, however it was cut.

    Attributes:
        last_id: What to send as `Last-Event-ID` when the stream is asked for again.
        retry_s: When the server wants that; None: it did not say.
    """

    def __init__(self) -> None:
        self.last_id = ""
        self.retry_s: float | None = None
        # It leaves out a byte order mark, as the standard wants it.
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._text = ""
        self._name = ""
        self._data: list[str] = []

    def read(self, part: bytes) -> Iterator[Event]:
        """The events that end in this part of the stream.

        Raises:
            UnexpectedReply: One is longer than `MOST_CHARACTERS`.
        """
        *lines, self._text = _LINE_END.split(self._text + self._decoder.decode(part))
        for line in lines:
            if line:
                self._take(line)
                continue
            if self._data:
                yield Event(self._name or "message", "\n".join(self._data), self.last_id)
            self._name, self._data = "", []
        if len(self._text) + sum(map(len, self._data)) > MOST_CHARACTERS:
            raise UnexpectedReply(f"Expected events of at most {MOST_CHARACTERS} characters; got more.")

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._name = value
        elif name == "id" and "\0" not in value:
            self.last_id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry_s = int(value) / 1000
