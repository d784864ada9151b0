"""The Celery application: `celery -A tasks.app worker -Q model.NAME`, `celery -A tasks.app flower`, and `AsyncResult`.

Importing it loads neither TensorFlow nor numpy; workers load their modules when they start (`imports` in celeryconfig).
"""

from __future__ import annotations

from celery import Celery

app = Celery("celeriac")
app.config_from_object("celeryconfig")
app.steps["consumer"].add("tasks.batching.drain:Drain")
