"""Hears of each end of a job on the channel that clients wait on, whenever the broker is there to tell of it."""

from __future__ import annotations

import threading
from typing import Any, cast

from redis.exceptions import RedisError

from benchmarks.storm.ledger import Ledger
from tasks import keys
from tasks.broker import connect

_RETRY_S = 0.1


class Ends:
    """Listens on a thread of its own, from its `with` block's start to its end."""

    def __init__(self, url: str, ledger: Ledger) -> None:
        self._redis = connect(url)
        self._ledger = ledger
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Ends:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10)
        self._redis.close()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._listen()
            except (RedisError, OSError):
                # What is told meanwhile is missed: an end that was heard twice was two, one not heard proves nothing.
                self._over.wait(_RETRY_S)

    def _listen(self) -> None:
        channel: Any = cast(Any, self._redis).pubsub(ignore_subscribe_messages=True)
        with channel:
            channel.subscribe(keys.ENDED)
            while not self._over.is_set():
                message = channel.get_message(timeout=0.2)
                for line in message["data"].decode().split("\n") if message else ():
                    job_id, _, status = line.partition(" ")
                    self._ledger.end(job_id, status)
