"""The Celery application: `celery -A tasks.app worker -Q model.NAME`, `celery -A tasks.app flower`, and `AsyncResult`.

Importing it loads neither TensorFlow nor numpy; workers load their modules when they start (`imports` in celeryconfig).
"""

from __future__ import annotations

import orjson
from celery import Celery
from kombu.serialization import register

#: The name, for `event_serializer`, of a JSON writer that takes a fifteenth of the time of kombu's. What it writes is
#: plain JSON, so whoever reads events needs nothing for it.
register("orjson", orjson.dumps, None, "application/json", "utf-8")

app = Celery("celeriac", amqp="tasks.reconnect:AMQP")
app.config_from_object("celeryconfig")
app.steps["consumer"].add("tasks.batching.drain:Drain")
