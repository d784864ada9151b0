"""How soon Celery asks a broker that was away again; its own pauses grow to 30 s, two leases of a worker.

Leans on `celery.app.amqp.AMQP.Connection` and `kombu.connection.Connection._ensure_connection`, see `tasks.internals`.
"""

from __future__ import annotations

from typing import Any

import kombu
from celery.app import amqp

#: The longest pause between two tries.
LONGEST_PAUSE_S = 4.0

#: Who lives is back this long after the broker, also where the first try came too early.
TIME_TO_RETURN_S = 2 * LONGEST_PAUSE_S


class Connection(kombu.Connection):  # type: ignore[misc]
    """A connection that is made anew soon after the broker is back."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> kombu.Connection:
        """As kombu's, with shorter pauses: 2 s, then 4 s."""
        return super().ensure_connection(*args, **{"interval_max": LONGEST_PAUSE_S, **kwargs})


class AMQP(amqp.AMQP):
    """What an application makes its connections with."""

    Connection = Connection
    BrokerConnection = Connection
