"""When a service that has ended is started again, and when nobody tries any more; pure."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0

#: A service that was ready for this long has left its earlier crashes behind.
CALM_S = 60.0

#: Services that end together start again up to this part of a pause apart.
JITTER = 0.1


@dataclass(frozen=True)
class Restart:
    """Start again after a pause."""

    after_s: float


@dataclass(frozen=True)
class GiveUp:
    """Leave it ended."""


def decide(*, failed_starts: int, crashes: int, start_attempts: int, chance: float = 0.0) -> Restart | GiveUp:
    """What to do with a service that has ended unasked.

    Only failed starts lead to giving up: a service that once was ready can be so again.

    Args:
        failed_starts: Starts in a row, the last one included, that ended before the service was ready.
        crashes: Ends of the ready service since it was last ready for `CALM_S`.
        start_attempts: Failed starts in a row after which the service is given up, at least 1.
        chance: From 0 to 1; spreads the pauses of several services.
    """
    if failed_starts >= start_attempts:
        return GiveUp()
    # The exponent is bounded so that a service that crashes for weeks does not compute with huge numbers.
    doublings = min(max(failed_starts + crashes - 1, 0), 16)
    pause_s = min(FIRST_PAUSE_S * 2**doublings, LONGEST_PAUSE_S)
    return Restart(pause_s * (1 + JITTER * chance))
