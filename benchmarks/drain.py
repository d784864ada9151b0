"""Drains: how fast a worker works off a backlog that waited for it.

The backlog is submitted while no worker runs. The worker is started, loads its model, and finds it. The clock runs from
the first tenth of finished jobs to the last tenth, and what was finished between the two is counted. So neither the
start of the process is measured nor the loading of the model, and at both moments as many jobs are taken and not
finished: a worker that takes many at once has no head start. CPU times are read at the same two moments.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.contestant import Contestant, WorkerSetting
from benchmarks.errors import BenchmarkError
from benchmarks.process import Process
from benchmarks.rig import Rig

#: How often finished jobs are counted: one or two cheap commands each time, for all contestants alike.
COUNT_EVERY_S = 0.005

START_TIMEOUT_S = 120.0
STALL_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Drain:
    """One drain's figures.

    Attributes:
        jobs_per_s: finished, while the clock ran.
        worker_us: the worker's CPU time for a job, in µs.
        broker_us: the broker's.
        answers: how many were compared with the in-process model's, and equal.
    """

    jobs_per_s: float
    worker_us: float
    broker_us: float
    answers: int


def drain(rig: Rig, who: Contestant, setting: WorkerSetting) -> Drain:
    """Measure one drain on an empty broker.

    Raises:
        BenchmarkError: it does not end, or an answer is wrong.
    """
    jobs = rig.plan.jobs_of(setting.model, who.name)
    rig.broker.empty()
    with rig.desk(who, setting.model) as desk:
        desk.ask("submit", inputs=str(rig.inputs(setting.model)), jobs=jobs)
        with rig.worker(who, setting) as worker:
            seconds, counted, worker_s, broker_s = _watch(rig, who, worker, setting.model, jobs)
            answers = rig.folder / "answers.npy"
            desk.ask("collect", into=str(answers))
    checked = rig.check(who.title, setting.model, answers)
    if checked != jobs:
        raise BenchmarkError(f"{who.title} gave {checked} answers to {jobs} jobs.")
    return Drain(counted / seconds, worker_s / counted * 1e6, broker_s / counted * 1e6, checked)


def _watch(rig: Rig, who: Contestant, worker: Process, model: str, jobs: int) -> tuple[float, int, float, float]:
    """Seconds, finished jobs, the worker's and the broker's CPU seconds between the first tenth and the last."""
    before = await_finished(rig, who, worker, model, jobs, jobs // 10)
    started_s, worker_s, broker_s = time.perf_counter(), worker.cpu_s(), rig.broker.process.cpu_s()
    after = await_finished(rig, who, worker, model, jobs, jobs - jobs // 10)
    seconds = time.perf_counter() - started_s
    worker_s, broker_s = worker.cpu_s() - worker_s, rig.broker.process.cpu_s() - broker_s
    await_finished(rig, who, worker, model, jobs, jobs)
    if after <= before:
        raise BenchmarkError(f"{who.title} finished most of {jobs} jobs between two looks; give it more.")
    return seconds, after - before, worker_s, broker_s


def await_finished(rig: Rig, who: Contestant, worker: Process, model: str, jobs: int, wanted: int) -> int:
    """Wait until so many of the submitted jobs are finished; gives how many are.

    Raises:
        BenchmarkError: the worker ended, or finished nothing for a long time.
    """
    seen, deadline_s = 0, time.monotonic() + START_TIMEOUT_S
    while True:
        finished = who.finished(rig.broker.client, model, jobs)
        if finished >= wanted:
            return finished
        if finished > seen:
            seen, deadline_s = finished, time.monotonic() + STALL_TIMEOUT_S
        if time.monotonic() > deadline_s:
            raise BenchmarkError(f"{who.title} has finished {seen} of {jobs} jobs and goes no further.")
        worker.check()
        time.sleep(COUNT_EVERY_S)
