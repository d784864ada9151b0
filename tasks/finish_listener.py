"""Hearing of jobs' ends: one connection and one thread for everybody in this process who waits.

A job's end is told on its channel (`keys.finished_channel`). The thread listens to all of these channels with one
pattern, so that to wait costs Redis nothing and is in force at once, and hands each message to those who watch the job.
A message only says that the record is worth a look; the record alone says how the job is. So whatever may have made
the thread miss one, a lost connection above all, ends in a look at the record:

- whoever watches before the subscription is confirmed, or while it is made anew, is woken by the confirmation;
- when the connection is lost everybody is woken, and finds that the broker is away, or that it is back;
- everybody looks again after `LOOK_AGAIN_S` without a word.

While nobody watches, nothing is listened to: the thread ends `LINGER_S` after the last watch.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from tasks import keys

#: The longest time without a look at the record: what a message lost in a failover can cost.
LOOK_AGAIN_S = 5.0

#: How long the subscription outlives the last watch. A new one costs two commands.
LINGER_S = 10.0

#: The pause before the next try to subscribe.
RETRY_S = 0.5

_ALL_CHANNELS = keys.finished_channel("*")


def client_name() -> str:
    """What `CLIENT LIST` calls this process's connection."""
    return f"celeriac-finish-listener-{os.getpid()}"


class Watch:
    """One waiter's eye on one job."""

    def __init__(self, listener: FinishListener) -> None:
        self._listener = listener
        self._news = threading.Event()

    def tell(self) -> None:
        """Say that the record is worth a look."""
        self._news.set()

    def looks(self, timeout_s: float) -> Iterator[None]:
        """Yield each time that the record is worth a look; the last time when the time is over or waiting ends."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            self._news.wait(min(deadline_s - time.monotonic(), LOOK_AGAIN_S))
            # Before the look, so that news that come during it are not lost.
            self._news.clear()
            yield
            if self._listener.is_closed or time.monotonic() >= deadline_s:
                return


class FinishListener:
    """Wakes those who watch a job when it ends. Safe to share between threads; starts nothing before the first watch.

    Args:
        client: of the broker; says how to connect. One more connection is held as long as there are watches.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._pool = client.connection_pool
        self._lock = threading.Lock()
        self._watches: dict[bytes, list[Watch]] = {}
        self._last_watch_s = 0.0
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    @property
    def is_closed(self) -> bool:
        """Whether nobody is to wait any more."""
        return self._closed.is_set()

    @contextmanager
    def watch(self, job_id: str) -> Iterator[Watch]:
        """Hear of a job's end from now on: who submits the job within this misses nothing of it."""
        watch, channel = Watch(self), keys.finished_channel(job_id).encode()
        with self._lock:
            self._watches.setdefault(channel, []).append(watch)
            if self.is_closed:
                watch.tell()
            else:
                self._start()
        try:
            yield watch
        finally:
            with self._lock:
                others = self._watches[channel]
                others.remove(watch)
                if not others:
                    del self._watches[channel]
                self._last_watch_s = time.monotonic()

    def close(self) -> None:
        """Let everybody who waits go now, and whoever comes later at once."""
        self._closed.set()
        self._tell_all()

    def _start(self) -> None:
        # Not alive is also the thread of the process that this one was forked from.
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="finish-listener", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while self._is_wanted():
            try:
                self._listen()
            except (RedisError, OSError):
                # Who looks at the record now finds out how the broker is, and tells it to whom it concerns.
                self._tell_all()
                self._closed.wait(RETRY_S)

    def _is_wanted(self) -> bool:
        with self._lock:
            if self._thread is not threading.current_thread():
                return False
            lingers = time.monotonic() - self._last_watch_s < LINGER_S
            if self.is_closed or not (self._watches or lingers):
                self._thread = None
            return self._thread is not None

    def _listen(self) -> None:
        # Not one of the pool's: what closes that may come from another thread, and a read in hand does not bear it.
        connection: Any = self._pool.connection_class(**self._pool.connection_kwargs | {"client_name": client_name()})
        try:
            connection.send_command("PSUBSCRIBE", _ALL_CHANNELS, check_health=False)
            asked = False
            while self._is_wanted():
                try:
                    message = connection.read_response(disconnect_on_error=False, push_request=True)
                    asked = False
                except RedisTimeoutError:
                    # Nothing for as long as the client's time limit: normal once, a dead connection twice.
                    if asked:
                        raise
                    connection.send_command("PING", check_health=False)
                    asked = True
                else:
                    self._hear(message)
        finally:
            connection.disconnect()

    def _hear(self, message: Any) -> None:
        match message:
            case [b"pmessage", _, channel, _]:
                with self._lock:
                    for watch in self._watches.get(channel, ()):
                        watch.tell()
            case [b"psubscribe", *_]:
                self._tell_all()

    def _tell_all(self) -> None:
        with self._lock:
            for watches in self._watches.values():
                for watch in watches:
                    watch.tell()
