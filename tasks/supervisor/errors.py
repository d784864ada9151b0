"""What can keep the supervisor from its work."""

from __future__ import annotations

from tasks.errors import TasksError


class SupervisorError(TasksError):
    """The system cannot be started or kept up."""


class PortTaken(SupervisorError):
    """Another program listens where a service wants to."""


class AlreadyRunning(SupervisorError):
    """Another `celeriac up` has the same CELERIAC_VAR."""


class NotReady(SupervisorError):
    """The system was not ready in the time given."""
