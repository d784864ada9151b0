"""The rows that compare drains: with plain Celery, with the other queues, with the bare model."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.contestant import Contestant, WorkerSetting
from benchmarks.contestants.celeriac.adapter import CELERIAC
from benchmarks.contestants.plain_celery.adapter import PLAIN_CELERY
from benchmarks.contestants.roster import QUEUES
from benchmarks.drain import Drain, drain
from benchmarks.rig import Rig
from benchmarks.verdict import Measure, RowResult, Samples, best_of_each, ratios

#: The drains of each contestant, round by round.
Rounds = dict[str, list[Drain]]


def drain_tiny(rig: Rig) -> RowResult:
    """Over plain Celery, events on for both."""
    rounds = interleave(rig, [CELERIAC, PLAIN_CELERY], WorkerSetting("tiny", events=True))
    measures: tuple[Measure, ...] = ()
    if PLAIN_CELERY.name in rounds:
        over = ratios(rates(rounds, CELERIAC), rates(rounds, PLAIN_CELERY))
        measures = (Measure("plain Celery", over, at_least=8),)
    return _row(rig, "drain-tiny", measures, rounds, [PLAIN_CELERY])


def drain_tiny_queues(rig: Rig) -> RowResult:
    """Over the best of the other queues, events off."""
    rounds = interleave(rig, [CELERIAC, *QUEUES], WorkerSetting("tiny", events=False))
    rivals = [one for one in QUEUES if one.name in rounds]
    measures: tuple[Measure, ...] = ()
    if rivals:
        best = best_of_each([rates(rounds, one) for one in rivals])
        measures = (Measure("the best other queue", ratios(rates(rounds, CELERIAC), best), at_least=5),)
    return _row(rig, "drain-tiny-queues", measures, rounds, QUEUES)


def interleave(rig: Rig, contestants: Sequence[Contestant], setting: WorkerSetting) -> Rounds:
    """One drain of each in turn, as often as the plan says; who is not installed is left out."""
    present = [one for one in contestants if one.name not in rig.skipped]
    rounds: Rounds = {one.name: [] for one in present}
    for _ in range(rig.plan.pairs):
        for one in present:
            rounds[one.name].append(drain(rig, one, setting))
    return rounds


def rates(rounds: Rounds, who: Contestant) -> list[float]:
    """Jobs/s of each round."""
    return [one.jobs_per_s for one in rounds[who.name]]


def details(drains: Sequence[Drain]) -> dict[str, Samples]:
    """What is shown of a contestant's drains."""
    return {
        "rate": Samples("jobs/s", tuple(one.jobs_per_s for one in drains)),
        "worker CPU": Samples("µs a job", tuple(one.worker_us for one in drains)),
        "broker CPU": Samples("µs a job", tuple(one.broker_us for one in drains)),
    }


def checked(rounds: Rounds) -> str:
    """What was checked of the answers."""
    answers = sum(one.answers for drains in rounds.values() for one in drains)
    return f"all {answers:,} answers equal the in-process model's"


def _row(rig: Rig, row: str, measures: tuple[Measure, ...], rounds: Rounds, rivals: Sequence[Contestant]) -> RowResult:
    return RowResult(
        row,
        measures,
        checked(rounds),
        {one.title: details(rounds[one.name]) for one in [CELERIAC, *rivals] if one.name in rounds},
        {one.title: rig.skipped[one.name] for one in rivals if one.name in rig.skipped},
    )
