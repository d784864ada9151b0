"""Hearing of jobs' ends: one connection and one thread for everybody in this process who waits.

All jobs' ends are told on one channel (`keys.ENDED`), those that end together in one message. So to wait costs Redis
nothing and is in force at once, and the thread reads what has ended for all who watch, in one round trip.

A message only says that the record is worth a look; the record alone says how the job is. So whatever may have made
the thread miss one, a lost connection above all, ends in a look at the record:

- whoever watches before the subscription is confirmed, or while it is made anew, is woken by the confirmation;
- when the connection is lost everybody is woken, and finds that the broker is away, or that it is back;
- everybody looks again after `LOOK_AGAIN_S` without a word.

While nobody watches, nothing is listened to: the thread ends `LINGER_S` after the last watch.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import redis
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from tasks import keys
from tasks.errors import BrokerUnavailable

#: The longest time without a look at the record: what a message lost in a failover can cost.
LOOK_AGAIN_S = 5.0

#: How long the subscription outlives the last watch. A new one costs two commands.
LINGER_S = 10.0

#: The pause before the next try to subscribe.
RETRY_S = 0.5

#: Results are read in parts of so many: they may be large, and nobody else is told meanwhile.
READ_AT_ONCE = 16

#: A job's record and its result's parts, as Redis has them.
Found = tuple[Mapping[bytes, bytes], Mapping[bytes, bytes]]


def client_name() -> str:
    """What `CLIENT LIST` calls this process's connection."""
    return f"celeriac-finish-listener-{os.getpid()}"


class Watch:
    """One waiter's eye on a job, or on several.

    Attributes:
        is_for_one: Whether it is on one job; who has an eye on several looks for himself.
        found: What was read when the job had ended; None where the waiter has to look for himself.
    """

    def __init__(self, listener: FinishListener, is_for_one: bool = True) -> None:
        self.is_for_one = is_for_one
        self.found: Found | None = None
        self._listener = listener
        self._news = threading.Event()

    def tell(self, found: Found | None = None) -> None:
        """Say that the record is worth a look, or what it is."""
        self.found = found
        self._news.set()

    def looks(self, timeout_s: float, every_s: float = math.inf) -> Iterator[None]:
        """Yield each time that the record is worth a look; the last time when the time is over or waiting ends.

        Args:
            timeout_s: how long.
            every_s: the longest time between two looks, where it is shorter than `LOOK_AGAIN_S`.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            self._news.wait(min(deadline_s - time.monotonic(), LOOK_AGAIN_S, every_s))
            # Before the look, so that news that come during it are not lost.
            self._news.clear()
            yield
            if self._listener.is_closed or time.monotonic() >= deadline_s:
                return


class FinishListener:
    """Wakes those who watch a job when it ends. Safe to share between threads; starts nothing before the first watch.

    Args:
        client: of the broker; says how to connect. One more connection is held as long as there are watches.
        read: gives the records and results of jobs.
    """

    def __init__(self, client: redis.Redis, read: Callable[[Sequence[str]], Sequence[Found]]) -> None:
        self._read = read
        self._pool = client.connection_pool
        self._lock = threading.Lock()
        self._watches: dict[str, list[Watch]] = {}
        self._last_watch_s = 0.0
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    @property
    def is_closed(self) -> bool:
        """Whether nobody is to wait any more."""
        return self._closed.is_set()

    def watch(self, job_id: str) -> AbstractContextManager[Watch]:
        """Hear of a job's end from now on: who submits the job within this misses nothing of it."""
        return self._watch([job_id], Watch(self))

    def watch_any(self, job_ids: Iterable[str]) -> AbstractContextManager[Watch]:
        """Hear of the end of each of several jobs from now on."""
        return self._watch(set(job_ids), Watch(self, is_for_one=False))

    @contextmanager
    def _watch(self, job_ids: Collection[str], watch: Watch) -> Iterator[Watch]:
        with self._lock:
            for job_id in job_ids:
                self._watches.setdefault(job_id, []).append(watch)
            if self.is_closed:
                watch.tell()
            else:
                self._start()
        try:
            yield watch
        finally:
            with self._lock:
                for job_id in job_ids:
                    others = self._watches[job_id]
                    others.remove(watch)
                    if not others:
                        del self._watches[job_id]
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
            connection.send_command("SUBSCRIBE", keys.ENDED, check_health=False)
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
            case [b"message", _, lines]:
                ended = [line.partition(" ")[0] for line in lines.decode().split("\n")]
                with self._lock:
                    watches = [(job_id, watch) for job_id in ended for watch in self._watches.get(job_id, ())]
                for watch in {watch for _, watch in watches if not watch.is_for_one}:
                    watch.tell()
                watched = list(dict.fromkeys(job_id for job_id, watch in watches if watch.is_for_one))
                for start in range(0, len(watched), READ_AT_ONCE):
                    self._tell_ended(watched[start : start + READ_AT_ONCE])
            case [b"subscribe", *_]:
                self._tell_all()

    def _tell_ended(self, job_ids: Sequence[str]) -> None:
        found: Sequence[Found | None]
        try:
            found = self._read(job_ids)
        except BrokerUnavailable:
            found = [None] * len(job_ids)
        with self._lock:
            for job_id, one in zip(job_ids, found, strict=True):
                for watch in self._watches.get(job_id, ()):
                    if watch.is_for_one:
                        watch.tell(one)

    def _tell_all(self) -> None:
        with self._lock:
            for watches in self._watches.values():
                for watch in watches:
                    watch.tell()
