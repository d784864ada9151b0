"""What becomes of a callback after an attempt: when the next one is due, or that there is none; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from tasks.callbacks.callback import CallbackStatus

#: Each pause is so many times the one before: with 5 s first, the seventh attempt is 2 hours after the first one.
GROWTH = 4.0
LONGEST_PAUSE_S = 14_400.0
#: Up to this part of a pause is added by chance, so that what failed together does not come back together.
JITTER = 0.25

_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class Answer:
    """What a receiver has said: the status code, and the header `Retry-After`, empty when absent."""

    status_code: int
    retry_after: str = ""


@dataclass(frozen=True)
class Verdict:
    """The callback's status from now on; when it is due, in how many seconds."""

    status: CallbackStatus
    pause_s: float = 0.0


@dataclass(frozen=True)
class Schedule:
    """How often a callback is tried in a round, and how long after the first attempt the second one is."""

    attempts: int
    first_pause_s: float

    def verdict(self, answer: Answer | None, tries: int, now_s: float, chance: float) -> Verdict:
        """What becomes of a callback.

        Args:
            answer: the receiver's; None: there was none.
            tries: how many attempts of this round were made.
            now_s: the time, s since 1970.
            chance: a number from 0 to 1, for the jitter.
        """
        if answer is not None and 200 <= answer.status_code < 300:
            return Verdict(CallbackStatus.ACCEPTED)
        if tries >= self.attempts or (answer is not None and answer.status_code == HTTPStatus.GONE):
            return Verdict(CallbackStatus.GIVEN_UP)
        # The number of a round's attempts is a setting, the power has to stay a float.
        pause_s = min(self.first_pause_s * GROWTH ** min(tries - 1, 20), LONGEST_PAUSE_S) * (1 + JITTER * chance)
        asked_s = retry_after_s(answer.retry_after, now_s) if answer is not None else 0.0
        return Verdict(CallbackStatus.DUE, max(pause_s, min(asked_s, LONGEST_PAUSE_S)))


def retry_after_s(text: str, now_s: float) -> float:
    """What `Retry-After` (RFC 9110, section 10.2.3: seconds or a date) asks for, in s; 0 when it cannot be read."""
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    return max((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now_s, 0.0)
