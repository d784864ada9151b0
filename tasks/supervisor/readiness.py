"""How the supervisor finds out that a service does its work. Each kind is a value that is asked about a process."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from typing import Protocol

from tasks.supervisor.broker import Broker

#: A service that has not answered after this long is asked again; it must not hold up the look at the others.
ANSWER_S = 1.0


class Readiness(Protocol):
    """One way of being ready."""

    def holds(self, pid: int, alive_s: float, broker: Broker) -> bool:
        """Whether the process `pid`, started `alive_s` seconds ago, does its work."""
        ...


@dataclass(frozen=True)
class Alive:
    """For a service that answers nobody: it has lived for `for_s` seconds."""

    for_s: float

    def holds(self, pid: int, alive_s: float, broker: Broker) -> bool:
        """See Readiness."""
        return alive_s >= self.for_s


@dataclass(frozen=True)
class BrokerAnswers:
    """The broker answers a PING."""

    def holds(self, pid: int, alive_s: float, broker: Broker) -> bool:
        """See Readiness."""
        return broker.answers()


@dataclass(frozen=True)
class HttpAnswers:
    """A GET of `path` is answered with 200."""

    host: str
    port: int
    path: str

    def holds(self, pid: int, alive_s: float, broker: Broker) -> bool:
        """See Readiness."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=ANSWER_S)
        try:
            connection.request("GET", self.path)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@dataclass(frozen=True)
class ModelIsLive:
    """The worker says in the model registry that it has its model ready.

    The process id tells this process from an earlier one of the same name whose heartbeat is still fresh.
    """

    model: str

    def holds(self, pid: int, alive_s: float, broker: Broker) -> bool:
        """See Readiness."""
        return any(worker.pid == pid for worker in broker.workers(self.model))
