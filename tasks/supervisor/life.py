"""What the supervisor knows of one service from start to start; pure: time and chance are passed in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from tasks.supervisor.restart_policy import CALM_S, FIRST_PAUSE_S, GiveUp, decide


class Phase(Enum):
    """Where a service is. Only a given-up one stays there."""

    WAITING = "waiting"  #: to be started at `since_s`
    STARTING = "starting"  #: its process lives and is not ready yet
    READY = "ready"
    LEAVING = "leaving"  #: its process was told to stop, to make room in memory
    OUT = "evicted"  #: it has no process, and needs none before somebody has a job for it
    GIVEN_UP = "given up"


@dataclass(frozen=True)
class Life:
    """A service's phase and its record of bad ends.

    Attributes:
        phase: Where it is.
        since_s: When the phase began; of WAITING, when it ends. On the caller's clock.
        failed_starts: Starts in a row that ended before the service was ready.
        crashes: Ends of the ready service since it was last ready for `CALM_S`.
        recalled: It is started for somebody's job, having been out.
    """

    phase: Phase = Phase.WAITING
    since_s: float = 0.0
    failed_starts: int = 0
    crashes: int = 0
    recalled: bool = False

    @property
    def settled(self) -> bool:
        """Nothing is to be waited for: ready, out or given up."""
        return self.phase in (Phase.READY, Phase.OUT, Phase.GIVEN_UP)

    @property
    def troubled(self) -> bool:
        """It has ended unasked of late."""
        return bool(self.failed_starts or self.crashes)

    def is_due(self, now_s: float) -> bool:
        """Whether nothing speaks against its start now, if it waits for one."""
        return self.phase is not Phase.WAITING or now_s >= self.since_s

    def started(self, now_s: float) -> Life:
        """Its process was started."""
        recalled = self.recalled or self.phase is Phase.OUT
        return replace(self, phase=Phase.STARTING, since_s=now_s, recalled=recalled)

    def ready(self, now_s: float) -> Life:
        """It does its work."""
        return replace(self, phase=Phase.READY, since_s=now_s, failed_starts=0, recalled=False)

    def leaving(self, now_s: float) -> Life:
        """Its process was told to stop, which is no fault of its own."""
        return replace(self, phase=Phase.LEAVING, since_s=now_s, recalled=False)

    def out(self, now_s: float) -> Life:
        """It is left without a process."""
        return replace(self, phase=Phase.OUT, since_s=now_s, recalled=False)

    def ended(self, now_s: float, *, start_attempts: int, chance: float) -> Life:
        """Its process ended unasked: it waits for another start, or is given up."""
        if self.phase is Phase.READY:
            calm = now_s - self.since_s >= CALM_S
            counted = replace(self, crashes=1 if calm else self.crashes + 1)
        else:
            counted = replace(self, failed_starts=self.failed_starts + 1)
        decision = decide(
            failed_starts=counted.failed_starts,
            crashes=counted.crashes,
            start_attempts=start_attempts,
            chance=chance,
        )
        if isinstance(decision, GiveUp):
            return replace(counted, phase=Phase.GIVEN_UP, since_s=now_s)
        return replace(counted, phase=Phase.WAITING, since_s=now_s + decision.after_s)

    def excused(self, now_s: float) -> Life:
        """Its process ended for no fault of its own: another start, and nothing counted."""
        return replace(self, phase=Phase.WAITING, since_s=now_s + FIRST_PAUSE_S)
