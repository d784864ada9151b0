"""Asking a broker that is away again and again: a computed answer is worth the wait."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from tasks.errors import BrokerUnavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: A worker asks again after 0.5 s, then ever longer, at most this long.
LONGEST_PAUSE_S = 5.0


def until_answered(action: Callable[[], T]) -> T:
    """Do it again until the broker is back; the action must bear that it was done without an answer."""
    pause_s = 0.5
    while True:
        try:
            return action()
        except BrokerUnavailable as away:
            logger.warning("%s Asking again in %.1f s.", away, pause_s)
            time.sleep(pause_s * random.uniform(0.5, 1))
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
