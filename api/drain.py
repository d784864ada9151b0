"""How fast a model's queue empties, and what follows from that for those who wait. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

#: What is answered while nothing was measured, and the most that is asked of a client.
USUAL_RETRY_S = 10
LONGEST_RETRY_S = 300

#: A client that found the queue full comes again when this part of it is gone: it is not the only one.
_PART = 100


@dataclass(frozen=True)
class Sample:
    """A model's queue at one time: how many of its jobs have ended so far, how many wait, whether it is paused."""

    at_s: float
    ended: int
    queued: int
    paused: bool = False


def drain_rate(samples: Iterable[Sample]) -> float | None:
    """Jobs that ended per second, while jobs waited; None when nobody saw any wait.

    An interval at one of whose ends the queue was empty says how many jobs came, not how many could have been run; one
    at whose end it was paused says nothing. While it is paused the rate is 0.

    Args:
        samples: in the order of their times.
    """
    taken = list(samples)
    if taken and taken[-1].paused:
        return 0.0
    busy = [(earlier, later) for earlier, later in pairwise(taken) if _is_busy(earlier) and _is_busy(later)]
    seconds = sum(later.at_s - earlier.at_s for earlier, later in busy)
    # The counts begin anew when somebody empties the database.
    ended = sum(max(later.ended - earlier.ended, 0) for earlier, later in busy)
    return ended / seconds if seconds > 0 else None


def _is_busy(sample: Sample) -> bool:
    return sample.queued > 0 and not sample.paused


def retry_after_s(queued: int, rate: float | None) -> int:
    """When to come again with a job for which there was no room, in whole seconds.

    Args:
        queued: how many jobs wait.
        rate: of `drain_rate`.
    """
    if rate is None:
        return USUAL_RETRY_S
    seconds = max(queued / _PART, 1) / rate if rate > 0 else LONGEST_RETRY_S
    return min(max(math.ceil(seconds), 1), LONGEST_RETRY_S)


def start_in_s(in_front: int, rate: float | None) -> float | None:
    """When a job starts, in seconds from now; None when nothing was measured, or nothing ends.

    Args:
        in_front: how many jobs wait in front of it.
        rate: of `drain_rate`.
    """
    return round(in_front / rate, 1) if rate else None
