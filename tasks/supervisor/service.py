"""One process that the supervisor keeps up, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from tasks.supervisor.readiness import Readiness


class Role(IntEnum):
    """What a service does. The number is its supervisord priority: the highest stops first.

    The API first, so that nothing new comes in while workers finish; the broker last, because all others use it.
    """

    BROKER = 10
    FLOWER = 20
    CALLBACKS = 25
    KEEPER = 30
    WORKER = 40
    API = 50

    @property
    def essential(self) -> bool:
        """Without it nothing works: giving it up ends the system."""
        return self in (Role.BROKER, Role.API)


@dataclass(frozen=True)
class Service:
    """A process to be kept up.

    Attributes:
        name: Its name in logs and messages: letters, digits, dashes, underscores, dots.
        role: What it does. Services of one role stop together.
        argv: Its command line; no secrets, other users can read it.
        stop_grace_s: From the stop signal to SIGKILL, in seconds.
        readiness: How to find out that it does its work.
        model: The model that a worker serves; None for the others.
        environment: What it has beside the supervisor's environment, and before it.
    """

    name: str
    role: Role
    argv: tuple[str, ...]
    stop_grace_s: int
    readiness: Readiness
    model: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
