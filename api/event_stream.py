"""Server-Sent Events as text, see the WHATWG's HTML standard, section 9.2. Pure.

What its clients do, and what follows for a server: one whose stream ends asks again, after the time that `retry` names
and with the id of the last event that it got in `Last-Event-ID`; 204 makes it stop, and so does any other status than
200. So news for which there is no time or no place left end the stream, and never with an error.
"""

from __future__ import annotations

from typing import Any

import orjson

MEDIA_TYPE = "text/event-stream"

#: Read by no client; without a word now and then, proxies cut a connection, and nobody notices a client that has left.
KEEP_ALIVE = b": still there\n\n"


def event(name: str, event_id: str, data: Any) -> bytes:
    """One event.

    Args:
        name: what listeners of a browser listen for.
        event_id: what the client sends as `Last-Event-ID` when it comes again; one line.
        data: written as JSON, which has no line breaks.
    """
    return b"event: %s\nid: %s\ndata: %s\n\n" % (name.encode(), event_id.encode(), orjson.dumps(data))


def retry(after_s: float) -> bytes:
    """When the client is to come again after the stream's end."""
    return b"retry: %d\n\n" % (after_s * 1000)
