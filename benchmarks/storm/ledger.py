"""What the system has promised, and what it has told its clients since: the storm's own books."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from dataclasses import dataclass
from enum import StrEnum

from tasks.job import TERMINAL


class Kind(StrEnum):
    """What is to become of a job."""

    ORDINARY = "ordinary"  #: it succeeds
    POISON = "poison"  #: it fails as poisoned, and is quarantined
    UNDECODABLE = "undecodable"  #: it fails as invalid input


@dataclass(frozen=True)
class Promise:
    """A job that was answered 200 or 202, or stored by a library call that returned."""

    model: str
    kind: Kind
    #: Of its input, see `benchmarks.storm.sums.rows_of`.
    number: int


class Ledger:
    """Jobs by id. Safe to share between threads.

    Attributes:
        promises: all jobs that were promised.
        told: the terminal statuses that clients were told of a job, over HTTP or by the channel of ends.
        ends: how often the channel has told of a job's end.
        vanished: jobs of which the API said that they do not exist.
        wrong: jobs whose answer over HTTP was wrong.
        unexpected: answers that no client should get, such as 500.
    """

    def __init__(self) -> None:
        self.promises: dict[str, Promise] = {}
        self.told: defaultdict[str, set[str]] = defaultdict(set)
        self.ends: Counter[str] = Counter()
        self.vanished: set[str] = set()
        self.wrong: set[str] = set()
        self.unexpected: Counter[str] = Counter()
        self._lock = threading.Lock()

    def promise(self, job_id: str, promise: Promise) -> None:
        """A job was taken."""
        with self._lock:
            self.promises[job_id] = promise

    def tell(self, job_id: str, status: str) -> None:
        """A client was told a job's status; those that are not terminal may still change."""
        if status in TERMINAL:
            with self._lock:
                self.told[job_id].add(status)

    def end(self, job_id: str, status: str) -> None:
        """The channel of ends has told of one."""
        self.tell(job_id, status)
        with self._lock:
            self.ends[job_id] += 1

    def vanish(self, job_id: str) -> None:
        """The API knows nothing of a job that was promised."""
        with self._lock:
            self.vanished.add(job_id)

    def mistake(self, job_id: str) -> None:
        """An answer over HTTP was not the model's."""
        with self._lock:
            self.wrong.add(job_id)

    def surprise(self, what: str) -> None:
        """An answer came that nobody should get."""
        with self._lock:
            self.unexpected[what] += 1

    def some_job(self, model: str, chance: float) -> str | None:
        """One of the latest thousand ordinary jobs of a model; `chance` is from 0 to 1."""
        with self._lock:
            latest = list(self.promises.items())[-1000:]
        found = [job_id for job_id, one in latest if one.model == model and one.kind is Kind.ORDINARY]
        return found[int(chance * (len(found) - 1))] if found else None
