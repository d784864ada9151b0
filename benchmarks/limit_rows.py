"""The rows that compare drains with the bare model: which share of it the queue leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.contestant import WorkerSetting
from benchmarks.contestants.celeriac.adapter import CELERIAC
from benchmarks.contestants.plain_celery.adapter import PLAIN_CELERY
from benchmarks.drain import drain
from benchmarks.drain_rows import Rounds, checked, details, rates
from benchmarks.partner import Partner
from benchmarks.rig import Rig
from benchmarks.verdict import Measure, RowResult, Samples, ratios


@dataclass(frozen=True)
class Limit:
    """The bare model's best: rows/s, CPU time for a row, and the batch size that gave them."""

    rows_per_s: float
    cpu_us: float
    batch_size: int


def drain_small(rig: Rig) -> RowResult:
    """The small model's share of the limit, and what a job costs the worker outside the model."""
    rounds, limits = _interleave(rig, "small")
    model_us = [one.cpu_us for one in limits]
    worker_us = [one.worker_us for one in rounds[CELERIAC.name]]
    outside_ms = tuple((worker - model) / 1000 for worker, model in zip(worker_us, model_us, strict=True))
    measures = (
        Measure("the in-process limit", _share(rounds, limits), at_least=0.80),
        Measure("worker CPU outside the model", Samples("ms a job", outside_ms, digits=3), at_most=0.3),
    )
    return _row(rig, "drain-small", measures, rounds, limits)


def drain_large(rig: Rig) -> RowResult:
    """The large model's share of the limit."""
    rounds, limits = _interleave(rig, "large")
    measures = (Measure("the in-process limit", _share(rounds, limits), at_least=0.90),)
    return _row(rig, "drain-large", measures, rounds, limits)


def measure_limit(rig: Rig, partner: Partner, model: str) -> Limit:
    """Ask the running limit process for one measurement."""
    inputs, largest = str(rig.inputs(model)), rig.plan.limit_batch[model]
    best = partner.ask("measure", inputs=inputs, seconds=rig.plan.limit_s, largest=largest)["best"]
    return Limit(best["rows_per_s"], best["cpu_us"], int(best["batch_size"]))


def limit_details(limits: list[Limit]) -> dict[str, Samples]:
    """What is shown of the limit."""
    return {
        "rate": Samples("rows/s", tuple(one.rows_per_s for one in limits)),
        "CPU": Samples("µs a row", tuple(one.cpu_us for one in limits)),
        "best batch size": Samples("rows", tuple(float(one.batch_size) for one in limits)),
    }


def _interleave(rig: Rig, model: str) -> tuple[Rounds, list[Limit]]:
    """The limit, then a drain of each, in turn. The limit's process stays; between its measurements it sleeps."""
    setting = WorkerSetting(model, events=True)
    present = [one for one in (CELERIAC, PLAIN_CELERY) if one.name not in rig.skipped]
    rounds: Rounds = {one.name: [] for one in present}
    limits = []
    with rig.limit(model) as partner:
        for _ in range(rig.plan.pairs):
            limits.append(measure_limit(rig, partner, model))
            for one in present:
                rounds[one.name].append(drain(rig, one, setting))
    return rounds, limits


def _share(rounds: Rounds, limits: list[Limit]) -> Samples:
    return ratios(rates(rounds, CELERIAC), [one.rows_per_s for one in limits])


def _row(rig: Rig, row: str, measures: tuple[Measure, ...], rounds: Rounds, limits: list[Limit]) -> RowResult:
    shown: Mapping[str, Mapping[str, Samples]] = {
        **{one.title: details(rounds[one.name]) for one in (CELERIAC, PLAIN_CELERY) if one.name in rounds},
        "in-process limit": limit_details(limits),
    }
    skipped = {PLAIN_CELERY.title: rig.skipped[PLAIN_CELERY.name]} if PLAIN_CELERY.name in rig.skipped else {}
    return RowResult(row, measures, checked(rounds), shown, skipped)
