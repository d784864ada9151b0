"""The row about long lives: whether worker and API grow while they serve many jobs."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.contestants.celeriac.adapter import CELERIAC
from benchmarks.http_system import Served, run_load, serving
from benchmarks.partner import Partner
from benchmarks.rig import Rig
from benchmarks.verdict import Measure, RowResult, Samples, second_half_growth_bytes

CLIENTS = 64

#: The memory is read this many times, between loads.
SAMPLES = 60

MODEL = "tiny"

_MIB = 1024 * 1024


@dataclass
class Course:
    """Memory in bytes after so many jobs."""

    jobs: list[float]
    worker_bytes: list[float]
    api_bytes: list[float]


def growth_memory(rig: Rig) -> RowResult:
    """Growth of the worker's and the API's memory over the second half of all jobs after the first ones."""
    rig.broker.empty()
    with serving(rig, CELERIAC, MODEL) as served, rig.load_generator() as client:
        course = _watch(rig, client, served)
    rig.broker.empty()
    measures = (_measure("worker", course.jobs, course.worker_bytes), _measure("API", course.jobs, course.api_bytes))
    details = {
        "worker": {"memory": _mib(course.worker_bytes)},
        "API": {"memory": _mib(course.api_bytes)},
    }
    checked = f"all {course.jobs[-1]:,.0f} answers equal the in-process model's"
    notes = (f"over {course.jobs[-1]:,.0f} jobs, looked at after the first {course.jobs[0]:,.0f}",)
    return RowResult("growth-memory", measures, checked, details, notes=notes)


def _watch(rig: Rig, client: Partner, served: Served) -> Course:
    course, (way,) = Course([], [], []), CELERIAC.ways
    done = run_load(rig, client, served, way, MODEL, CLIENTS, rig.plan.growth_warm_up).answers
    each = (rig.plan.growth_jobs - rig.plan.growth_warm_up) // SAMPLES
    for _ in range(SAMPLES + 1):
        course.jobs.append(done)
        course.worker_bytes.append(served.worker.rss_bytes())
        course.api_bytes.append(served.web.rss_bytes())
        if done < rig.plan.growth_jobs:
            done += run_load(
                rig, client, served, CELERIAC.ways[0], MODEL, CLIENTS, min(each, rig.plan.growth_jobs - done)
            ).answers
    return course


def _measure(name: str, jobs: list[float], memory_bytes: list[float]) -> Measure:
    growth, noise = second_half_growth_bytes(jobs, memory_bytes)
    samples = Samples("MiB", (growth / _MIB,), digits=2)
    return Measure(f"{name}, second half", samples, at_most=round(noise / _MIB, 2))


def _mib(memory_bytes: list[float]) -> Samples:
    return Samples("MiB", tuple(value / _MIB for value in memory_bytes), digits=1)
