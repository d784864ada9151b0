"""When and how often to try again after a server could not be reached or said "not now"."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from client.errors import ClientError

#: Told the first trouble of a row, so that a person learns why it takes long.
OnTrouble = Callable[[ClientError], None]

_Answer = TypeVar("_Answer")

_MOST_DOUBLINGS = 16


@dataclass(frozen=True)
class Patience:
    """How long to go on, and how long to pause in between.

    Attributes:
        total_s: From the first failure of a row to the last try, in s; 0: no second try.
        first_pause_s: The longest pause after one failure, in s; it doubles with each further one.
        longest_pause_s: The longest pause of all, in s.
    """

    total_s: float = 60.0
    first_pause_s: float = 0.25
    longest_pause_s: float = 8.0

    def pause_s(self, failures: int, jitter: float, retry_after_s: float | None = None) -> float:
        """How long to pause after this many failures in a row, in s.

        Args:
            failures: From 1.
            jitter: From 0 to 1; spreads clients that failed together over the upper half of the pause.
            retry_after_s: What the server asked for; it is not asked earlier.
        """
        doubled_s = self.first_pause_s * 2.0 ** min(failures - 1, _MOST_DOUBLINGS)
        return max(min(doubled_s * (0.5 + jitter / 2), self.longest_pause_s), retry_after_s or 0.0)


def with_retries(call: Callable[[], _Answer], patience: Patience, on_trouble: OnTrouble) -> _Answer:
    """The call's answer, tried again while its error is temporary and the patience lasts.

    Raises:
        ClientError: The last try's error.
    """
    failures = 0
    give_up_at_s: float | None = None
    while True:
        try:
            return call()
        except ClientError as error:
            now_s = time.monotonic()
            if give_up_at_s is None:
                give_up_at_s = now_s + patience.total_s
            failures += 1
            pause_s = patience.pause_s(failures, random.random(), error.retry_after_s)
            if not error.is_temporary or now_s >= give_up_at_s or now_s + (error.retry_after_s or 0.0) > give_up_at_s:
                raise
            if failures == 1:
                on_trouble(error)
        time.sleep(min(pause_s, give_up_at_s - now_s))
