"""A client of Server-Sent Events for tests: reads in a thread of its own and keeps what it was told."""

from __future__ import annotations

import json
import threading
from types import TracebackType
from typing import Any, Self

import httpx


class EventStream:
    """One request for a stream, from entering until it ends or is left.

    Attributes:
        events: what was told so far: (id, data).
        comments: how many came.
        retry_ms: what the server said of coming again.
        error: what cut the stream; None: it ended well, or goes on.
    """

    def __init__(self, url: str, **headers: str) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.comments = 0
        self.retry_ms: int | None = None
        self.status: int | None = None
        self.error: httpx.HTTPError | None = None
        self._http = httpx.Client(timeout=30, headers=headers)
        self._url = url
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.leave()

    def leave(self) -> None:
        """Close the connection after what comes next."""
        self._left.set()
        self._thread.join()

    def wait(self, timeout_s: float) -> bool:
        """Whether the stream has ended by then."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def ids(self) -> list[str]:
        return [event_id for event_id, _ in self.events]

    def _read(self) -> None:
        try:
            with self._http, self._http.stream("GET", self._url) as answer:
                self.status = answer.status_code
                block: dict[str, str] = {}
                for line in answer.iter_lines():
                    self._take(line, block)
                    if self._left.is_set():
                        return
        except httpx.HTTPError as error:
            self.error = error

    def _take(self, line: str, block: dict[str, str]) -> None:
        name, _, value = line.partition(": ")
        if line.startswith(":"):
            self.comments += 1
        elif name == "retry":
            self.retry_ms = int(value)
        elif line:
            block[name] = value
        elif block:
            assert block["event"] == "status"
            self.events.append((block["id"], json.loads(block["data"])))
            block.clear()
