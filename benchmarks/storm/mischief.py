"""What is slipped in among the jobs, and connections that are cut: a thread, since the broker may not answer."""

from __future__ import annotations

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from queue import SimpleQueue

import psutil
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from benchmarks.storm.caller import Caller
from benchmarks.storm.cut import cut
from benchmarks.storm.ledger import Kind, Ledger, Promise
from benchmarks.storm.schedule import Action, Deed
from benchmarks.storm.sums import poisonous_rows, rows_of
from tasks.broker import connect
from tasks.errors import TasksError
from tasks.job import Job, new_job_id
from tasks.job_store import JobStore
from tasks.message import TASK_NAME
from tasks.payload import encode_arrays
from tasks.queues import queue_of

_RETRY_S = 0.2

#: What is cut off the end of an input.
_CUT_BYTES = 5


class Mischief:
    """Does the deeds that need the broker, one after the other; ends with its block.

    Args:
        port: the API's.
        url: the broker's.
        result_ttl_s: how long ended jobs are kept.
        ledger: where the jobs are written down.
        chance: chooses which job is sent twice.

    Attributes:
        done: how many of each deed were done to whom.
    """

    def __init__(self, port: int, url: str, result_ttl_s: int, ledger: Ledger, chance: random.Random) -> None:
        self.done: Counter[tuple[Deed, str]] = Counter()
        self._given_up = threading.Event()
        self._caller = Caller(port, ledger, self._given_up)
        self._redis = connect(url)
        self._store = JobStore(self._redis, result_ttl_s)
        # A stranger's application: kombu's own transport, and nothing known of us.
        self._celery = Celery(broker=url, set_as_current=False)
        self._ledger = ledger
        self._chance = chance
        self._wanted: SimpleQueue[tuple[Action, Sequence[psutil.Process]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Mischief:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._given_up.set()
        self.finish(5.0)
        self._caller.close()
        self._redis.close()
        self._celery.close()

    def want(self, action: Action, family: Sequence[psutil.Process]) -> None:
        """Have a deed done soon; `family` are those whose connections are cut."""
        self._wanted.put((action, family))

    def finish(self, within_s: float) -> None:
        """Wait until all that was wanted is done; what is not by then is left undone."""
        self._wanted.put(None)
        self._thread.join(within_s)
        self._given_up.set()

    def _run(self) -> None:
        while (wanted := self._wanted.get()) is not None:
            action, family = wanted
            deed = self._prepare(action, family)
            while not self._given_up.is_set():
                # The broker may be away at any time. What was done and not confirmed is done again.
                with suppress(TasksError, RedisError, OperationalError, OSError):
                    self.done[action.deed, action.target] += deed()
                    break
                self._given_up.wait(_RETRY_S)

    def _prepare(self, action: Action, family: Sequence[psutil.Process]) -> Callable[[], bool]:
        """What does a deed, and says whether it met anybody. Done again, it makes no second job."""
        model = action.target
        if action.deed is Deed.CUT:
            return partial(cut, self._redis, action.target, family)
        if action.deed is Deed.POISON:
            return partial(self._poison, model, uuid.uuid4().hex)
        if action.deed is Deed.UNDECODABLE:
            content_type, payload = encode_arrays({"x": rows_of(0)})
            job = Job(id=new_job_id(), model=model, version=1, content_type=content_type, rows=1)
            return partial(self._send_undecodable, job, payload[:-_CUT_BYTES])
        return partial(self._send_twice, model)

    def _poison(self, model: str, key: str) -> bool:
        record = self._caller.submit(model, {"x": poisonous_rows()}, key, 0)
        if record is not None:
            self._ledger.promise(str(record["id"]), Promise(model, Kind.POISON, 0))
        return record is not None

    def _send_undecodable(self, job: Job, payload: bytes) -> bool:
        self._store.submit(job, payload)
        self._ledger.promise(job.id, Promise(job.model, Kind.UNDECODABLE, 0))
        return True

    def _send_twice(self, model: str) -> bool:
        job_id = self._ledger.some_job(model, self._chance.random())
        if job_id is not None:
            self._celery.send_task(TASK_NAME, [job_id], task_id=job_id, queue=queue_of(model), ignore_result=True)
        return job_id is not None
