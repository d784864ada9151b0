"""A worker script as RQ's docs have it, with the libraries loaded first.

`SimpleWorker`, since the default forks for each job, and TensorFlow hangs in a process forked after it was used.
"""

from __future__ import annotations

import os

from redis import Redis
from rq import Queue, SimpleWorker

from benchmarks.contestants.rq.work import model


def main() -> None:
    """Load the model, then work."""
    model()
    connection = Redis.from_url(os.environ["REDIS_URL"])
    SimpleWorker([Queue(connection=connection)], connection=connection).work(logging_level="WARNING")


if __name__ == "__main__":
    main()
