"""The row that compares submitting many jobs: one call of Celeriac's library, and plain Celery's `delay` in a loop."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.contestant import Contestant, WorkerSetting
from benchmarks.contestants.celeriac.adapter import CELERIAC
from benchmarks.contestants.plain_celery.adapter import PLAIN_CELERY
from benchmarks.drain import await_finished
from benchmarks.partner import Partner
from benchmarks.rig import Rig
from benchmarks.verdict import Measure, RowResult, Samples, ratios

#: Submitted before the clock starts: connections are open then, and modules imported.
WARM_UP_JOBS = 50

_SETTING = WorkerSetting("tiny", events=True)


@dataclass(frozen=True)
class Submission:
    """One submission's figures: jobs/s, and CPU time for a job in µs."""

    jobs_per_s: float
    producer_us: float
    broker_us: float


def submit_bulk(rig: Rig) -> RowResult:
    """Jobs/s submitted, over plain Celery's. Each submission is worked off, untimed, and its answers are checked."""
    present = [one for one in (CELERIAC, PLAIN_CELERY) if one.name not in rig.skipped]
    found: dict[str, list[Submission]] = {one.name: [] for one in present}
    answers = 0
    for _ in range(rig.plan.pairs):
        for one in present:
            rig.broker.empty()
            with rig.desk(one, _SETTING.model) as desk:
                found[one.name].append(_submit(rig, one, desk))
                answers += _work_off(rig, one, desk)
    measures: tuple[Measure, ...] = ()
    if PLAIN_CELERY.name in found:
        ours, theirs = ([one.jobs_per_s for one in found[who.name]] for who in (CELERIAC, PLAIN_CELERY))
        measures = (Measure("plain Celery's delay", ratios(ours, theirs), at_least=8),)
    checked = f"all {answers:,} answers equal the in-process model's"
    skipped = {PLAIN_CELERY.title: rig.skipped[PLAIN_CELERY.name]} if PLAIN_CELERY.name in rig.skipped else {}
    return RowResult(
        "submit-bulk", measures, checked, {one.title: _details(found[one.name]) for one in present}, skipped
    )


def _submit(rig: Rig, who: Contestant, desk: Partner) -> Submission:
    jobs, inputs = rig.plan.bulk_jobs_of(who.name), str(rig.inputs(_SETTING.model))
    desk.ask("submit", inputs=inputs, jobs=WARM_UP_JOBS)
    broker_s = rig.broker.process.cpu_s()
    told = desk.ask("submit", inputs=inputs, jobs=jobs)
    broker_s = rig.broker.process.cpu_s() - broker_s
    return Submission(jobs / told["seconds"], told["cpu_s"] / jobs * 1e6, broker_s / jobs * 1e6)


def _work_off(rig: Rig, who: Contestant, desk: Partner) -> int:
    jobs, into = rig.plan.bulk_jobs_of(who.name) + WARM_UP_JOBS, rig.folder / "answers.npy"
    with rig.worker(who, _SETTING) as worker:
        await_finished(rig, who, worker, _SETTING.model, jobs, jobs)
        desk.ask("collect", into=str(into))
    return rig.check(who.title, _SETTING.model, into)


def _details(submissions: list[Submission]) -> dict[str, Samples]:
    return {
        "rate": Samples("jobs/s", tuple(one.jobs_per_s for one in submissions)),
        "producer CPU": Samples("µs a job", tuple(one.producer_us for one in submissions)),
        "broker CPU": Samples("µs a job", tuple(one.broker_us for one in submissions)),
    }
