"""What the threads of a worker have to say to its event loop, delivered there in order."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)

Notice = Callable[[], None]


class Notices:
    """Callables that any thread posts and the event loop calls, in the order of posting.

    kombu's `Hub.call_soon` alone keeps no order.

    Args:
        call_soon: has a callable run on the loop soon; `Hub.call_soon`.
    """

    def __init__(self, call_soon: Callable[[Notice], Any]) -> None:
        self._call_soon = call_soon
        self._notices: deque[Notice] = deque()

    def post(self, notice: Notice) -> None:
        """Have the loop call this."""
        self._notices.append(notice)
        self._call_soon(self.deliver)

    def deliver(self) -> None:
        """Call what was posted. For the loop's thread, and where the loop no longer runs."""
        while self._notices:
            try:
                self._notices.popleft()()
            except Exception:
                # What follows is of other jobs.
                logger.exception("The event loop could not take a notice.")
