"""When and how often to ask again after a server could not be reached or said "not now"."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from client import reply
from client.call import Call
from client.errors import ClientError
from client.steps import Pause, Steps, sending

#: Told the first trouble of a streak, so that a person learns why it takes long.
OnTrouble = Callable[[ClientError], None]

_MOST_DOUBLINGS = 16


@dataclass(frozen=True)
class Patience:
    """How long to go on, and how long to pause in between.

    Attributes:
        total_s: From the first failure of a streak to the last try, in s; 0: no second try.
        first_pause_s: The longest pause after one failure, in s; it doubles with each further one.
        longest_pause_s: The longest pause of all, in s.
    """

    total_s: float = 60.0
    first_pause_s: float = 0.25
    longest_pause_s: float = 8.0

    def pause_s(self, failures: int, jitter: float, retry_after_s: float | None = None) -> float:
        """How long to pause after this many failures of a streak, in s.

        Args:
            failures: From 1.
            jitter: From 0 to 1; spreads clients that failed together over the upper half of the pause.
            retry_after_s: What the server asked for; it is not asked earlier.
        """
        doubled_s = self.first_pause_s * 2.0 ** min(failures - 1, _MOST_DOUBLINGS)
        return max(min(doubled_s * (0.5 + jitter / 2), self.longest_pause_s), retry_after_s or 0.0)


class Streak:
    """Failures one after the other: how long to pause after each, and when it is enough."""

    def __init__(self, patience: Patience, on_trouble: OnTrouble) -> None:
        self._patience = patience
        self._on_trouble = on_trouble
        self._failures = 0
        self._give_up_at_s = 0.0

    def next_pause(self, error: ClientError) -> Pause:
        """How long to pause before the next try.

        Raises:
            ClientError: The error itself, where another try would not help or comes too late.
        """
        now_s = time.monotonic()
        if not self._failures:
            self._give_up_at_s = now_s + self._patience.total_s
        self._failures += 1
        earliest_s = now_s + (error.retry_after_s or 0.0)
        if not error.is_temporary or now_s >= self._give_up_at_s or earliest_s > self._give_up_at_s:
            raise error
        if self._failures == 1:
            self._on_trouble(error)
        pause_s = self._patience.pause_s(self._failures, random.random(), error.retry_after_s)
        return Pause(min(pause_s, self._give_up_at_s - now_s))


def asking(call: Call, url: str, patience: Patience, on_trouble: OnTrouble) -> Steps[httpx.Response]:
    """The reply to a call, which is made again while its error is temporary and the patience lasts.

    Raises:
        ClientError: The last try's error.
    """
    streak = Streak(patience, on_trouble)
    while True:
        try:
            answer = yield from sending(call)
            reply.check(answer, url)
            return answer
        except ClientError as error:
            pause = streak.next_pause(error)
        yield pause
